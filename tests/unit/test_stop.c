// SPDX-License-Identifier: GPL-2.0
/* A process that cannot be stopped: it is let go of wholly, and may be tried again. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "engines/proc/stop.h"

static int released[2]; /* closed by the test: the vfork child ends */

/* Waits in vfork(), where no signal but SIGKILL is taken, until the child has ended. */
static void *sleep_in_vfork(void *arg)
{
	char c;

	if (vfork() == 0)
		_exit(read(released[0], &c, 1) != 0);
	return NULL;
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

/* A process of three threads, one of which is in vfork(). */
static pid_t start(void)
{
	pthread_t thread;
	pid_t pid;

	assert_int_equal(pipe(released), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(released[1]);
		pthread_create(&thread, NULL, sleep_for_ever, NULL);
		pthread_create(&thread, NULL, sleep_in_vfork, NULL);
		sleep_for_ever(NULL);
	}
	close(released[0]);
	return pid;
}

static void field(const char *path, const char *name, char value[64])
{
	char line[256];
	FILE *f = fopen(path, "r");

	snprintf(value, 64, "none");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ": %63s", value);
	if (f)
		fclose(f);
}

/* How many threads of @pid have @value in @name. */
static int count(pid_t pid, const char *name, const char *value)
{
	char path[300], found[64];
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, entry->d_name);
		field(path, name, found);
		n += !strcmp(found, value);
	}
	if (dir)
		closedir(dir);
	return n;
}

static bool wait_for(pid_t pid, const char *name, const char *value, int wanted)
{
	for (int i = 0; i < 2000; i++) {
		if (count(pid, name, value) == wanted)
			return true;
		usleep(5000);
	}
	return false;
}

struct attempt {
	pid_t pid;
	uint64_t budget_ms;
	int ret;
	bool has_to_end;
	struct hp_error err;
};

static void attempt(struct hp_tracer *tracer, void *arg)
{
	struct attempt *a = arg;
	struct hp_stop *stop = NULL;

	a->ret = hp_stop__begin(&stop, tracer, a->pid,
				hp_now_ns() + a->budget_ms * HP_NSEC_PER_MSEC, &a->err);
	if (!a->ret)
		hp_stop__end(stop);
	a->has_to_end = hp_tracer__has_to_end(tracer);
}

static void test_unstoppable(void **state)
{
	pid_t pid = start();
	struct attempt a = { .pid = pid, .budget_ms = 100 };

	assert_true(wait_for(pid, "State", "D", 1));
	assert_true(wait_for(pid, "State", "S", 2));
	for (int i = 0; i < 3; i++) {
		memset(&a.err, 0, sizeof(a.err));
		assert_int_equal(hp_tracer__run(attempt, &a, &a.err), 0);
		/* Not "traced": what the attempt before held is free again. */
		assert_int_equal(a.ret, -EBUSY);
		assert_int_equal(a.err.reason, HP_E_PROC_BUSY);
		assert_true(a.has_to_end);
		assert_int_equal(count(pid, "TracerPid", "0"), 3);
		assert_true(wait_for(pid, "State", "S", 2));
	}
	/* Once its child has ended, it stops like others. */
	close(released[1]);
	assert_true(wait_for(pid, "State", "D", 0));
	memset(&a.err, 0, sizeof(a.err));
	a.budget_ms = 30000; /* not for ever, but on a busy host too */
	assert_int_equal(hp_tracer__run(attempt, &a, &a.err), 0);
	assert_int_equal(a.ret, 0);
	assert_false(a.has_to_end);
	assert_int_equal(count(pid, "TracerPid", "0"), 2);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Our own hold on a thread is no foreign tracer's. */
static void held(struct hp_tracer *tracer, void *arg)
{
	struct attempt *a = arg;

	assert_int_equal(ptrace(PTRACE_SEIZE, a->pid, 0, 0), 0);
	attempt(tracer, arg);
	ptrace(PTRACE_INTERRUPT, a->pid, 0, 0);
	waitpid(a->pid, NULL, __WALL);
	ptrace(PTRACE_DETACH, a->pid, 0, 0);
}

static void test_held_by_ourselves(void **state)
{
	struct attempt a = { .pid = fork(), .budget_ms = 100 };

	assert_true(a.pid >= 0);
	if (a.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sleep_for_ever(NULL);
	}
	assert_int_equal(hp_tracer__run(held, &a, &a.err), 0);
	assert_int_equal(a.ret, -EBUSY);
	assert_int_equal(a.err.reason, HP_E_PROC_BUSY);
	kill(a.pid, SIGKILL);
	waitpid(a.pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unstoppable),
		cmocka_unit_test(test_held_by_ourselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
