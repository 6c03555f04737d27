// SPDX-License-Identifier: GPL-2.0
/* A child that makes a change to its end, whatever becomes of its parent. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/outlive.h"

struct change {
	int in;
	int out;
	int fd;
};

static int answer(void *arg, struct hp_error *err)
{
	struct change *c = arg;

	c->out = c->in + 1;
	return c->in ? 0 : hp_fail(err, HP_E_PIN, "nothing to add to");
}

static void what_it_changed_comes_back(void **unused)
{
	struct change c = { .in = 41 };
	struct hp_error err = { 0 };

	assert_int_equal(hp_outlive(answer, &c, sizeof(c), &err), 0);
	assert_int_equal(c.out, 42);
	assert_int_equal(err.reason, HP_E_NONE);
}

static void its_error_comes_back(void **unused)
{
	struct change c = { .in = 0 };
	struct hp_error err = { 0 };

	assert_int_equal(hp_outlive(answer, &c, sizeof(c), &err), -EACCES);
	assert_int_equal(err.reason, HP_E_PIN);
	assert_string_equal(err.message, "nothing to add to");
	assert_int_equal(c.out, 1);
}

static int kill_itself(void *arg, struct hp_error *err)
{
	raise(SIGKILL);
	return 0;
}

static void a_killed_child_is_an_error(void **unused)
{
	struct change c = { .in = 1 };
	struct hp_error err = { 0 };

	assert_int_equal(hp_outlive(kill_itself, &c, sizeof(c), &err), -EINTR);
	assert_int_equal(err.reason, HP_E_KILLED);
	assert_int_equal(c.out, 0);
}

/* Tells its parent's parent that it has begun, and, later, that it has come to its end. */
static int tell_twice(void *arg, struct hp_error *err)
{
	const struct timespec later = { .tv_nsec = 300 * 1000 * 1000 };
	const struct change *c = arg;

	raise(SIGTERM); /* which does not end it */
	if (write(c->fd, "b", 1) != 1)
		return -EIO;
	nanosleep(&later, NULL);
	return write(c->fd, "e", 1) == 1 ? 0 : -EIO;
}

static void it_goes_on_without_its_parent(void **unused)
{
	int pipes[2], status;
	char told[2];
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		struct change c = { .fd = pipes[1] };

		_exit(hp_outlive(tell_twice, &c, sizeof(c), NULL) != 0);
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], told, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(read(pipes[0], told + 1, 1), 1);
	assert_memory_equal(told, "be", 2);
	assert_int_equal(read(pipes[0], told, 1), 0); /* nobody has it open any more */
	close(pipes[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_changed_comes_back),
		cmocka_unit_test(its_error_comes_back),
		cmocka_unit_test(a_killed_child_is_an_error),
		cmocka_unit_test(it_goes_on_without_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
