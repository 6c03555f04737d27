// SPDX-License-Identifier: GPL-2.0
/* Changes that must not stop halfway: made by a child, which outlives its parent. */
#include "base/outlive.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child leaves for its parent, in memory of both. */
struct left {
	bool done;
	int ret;
	struct hp_error err;
	char arg[];
};

static void run_child(hp_outlive_fn step, void *arg, size_t size, struct left *left)
{
	/* Not of the group that a terminal, or timeout(1), kills as a whole. */
	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	left->ret = step(arg, &left->err);
	memcpy(left->arg, arg, size);
	left->done = true;
	_exit(0);
}

int hp_outlive(hp_outlive_fn step, void *arg, size_t size, struct hp_error *err)
{
	size_t length = sizeof(struct left) + size;
	struct left *left =
		mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, ret;
	pid_t pid;

	if (left == MAP_FAILED)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	pid = fork();
	if (pid == 0)
		run_child(step, arg, size, left);
	if (pid < 0) {
		ret = hp_fail_errno(err, HP_E_NOMEM, -errno, "no process can be made");
		munmap(left, length);
		return ret;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (left->done) {
		ret = left->ret;
		memcpy(arg, left->arg, size);
		if (ret && err && !err->reason)
			*err = left->err;
	} else {
		ret = hp_fail(err, HP_E_KILLED, "process %d was killed while it made the change",
			      pid);
	}
	munmap(left, length);
	return ret;
}
