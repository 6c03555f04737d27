// SPDX-License-Identifier: GPL-2.0
/* --exercise: a workload whose calls the observer can tell from all others. */
#include "observe/exercise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct hp_exercise {
	pid_t pid;
	int pidfd;
	int status;  /* -1 while it runs */
	pid_t guard; /* 0: none */
	int alive;   /* closed when we die, whatever the way */
};

/* The child: wait until it has been marked, then become the shell. */
static void __attribute__((noreturn))
run_child(const char *command, const int start[2], pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char go;

	/* The other end is the parent's alone, or its death would not be seen. */
	close(start[1]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	setpgid(0, 0);
	/* A group in the background that reads from the terminal would be stopped. */
	dup2(null, STDIN_FILENO);
	/* End of file instead of a byte: the parent gave up. */
	if (read(start[0], &go, 1) != 1)
		_exit(127);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/*
 * The death signal reaches the shell only. What the shell started is killed by a process that does
 * nothing but wait for our end.
 */
static void __attribute__((noreturn)) run_guard(int alive, pid_t group)
{
	char byte;

	setpgid(0, 0);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	/* Nothing that is attached may stay because of us. */
	dup2(alive, STDIN_FILENO);
	close_range(STDIN_FILENO + 1, ~0u, 0);
	while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
		;
	kill(-group, SIGKILL);
	_exit(0);
}

static int start_guard(struct hp_exercise *ex)
{
	int alive[2];

	if (pipe2(alive, O_CLOEXEC))
		return -errno;
	ex->alive = alive[1];
	ex->guard = fork();
	if (ex->guard == 0)
		run_guard(alive[0], ex->pid);
	close(alive[0]);
	return ex->guard < 0 ? -errno : 0;
}

int hp_exercise__start(struct hp_exercise **out, const char *command, struct hp_observer *obs,
		       struct hp_error *err)
{
	struct hp_exercise *ex = calloc(1, sizeof(*ex));
	pid_t self = getpid();
	int start[2], ret;

	if (!ex)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	if (pipe2(start, O_CLOEXEC)) {
		ret = -errno;
		free(ex);
		return hp_fail_errno(err, HP_E_EXERCISE, ret, "cannot start the workload");
	}
	ex->status = -1;
	ex->alive = -1;
	ex->pid = fork();
	if (ex->pid == 0)
		run_child(command, start, self);
	ret = ex->pid < 0 ? -errno : 0;
	close(start[0]);
	ex->pidfd = ret ? -1 : (int)syscall(SYS_pidfd_open, ex->pid, 0);
	if (!ret && ex->pidfd < 0)
		ret = -errno;
	ret = ret ?: start_guard(ex);
	if (ret)
		hp_fail_errno(err, HP_E_EXERCISE, ret, "cannot start the workload");
	else if (obs)
		ret = hp_observer__scope_task(obs, ex->pidfd, err);
	if (!ret && write(start[1], "", 1) != 1)
		ret = hp_fail_errno(err, HP_E_EXERCISE, -errno, "cannot start the workload");
	close(start[1]);
	if (ret) {
		hp_exercise__close(ex);
		return ret;
	}
	*out = ex;
	return 0;
}

static void reap(struct hp_exercise *ex, int flags)
{
	int status;

	if (ex->status >= 0 || waitpid(ex->pid, &status, flags) != ex->pid)
		return;
	ex->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool hp_exercise__wait(struct hp_exercise *ex, int ms)
{
	struct pollfd pfd = { .fd = ex->pidfd, .events = POLLIN };

	if (ex->status < 0 && poll(&pfd, 1, ms) > 0)
		reap(ex, WNOHANG);
	return ex->status >= 0;
}

int hp_exercise__status(const struct hp_exercise *ex)
{
	return ex->status;
}

void hp_exercise__close(struct hp_exercise *ex)
{
	if (ex->guard > 0) {
		kill(ex->guard, SIGKILL);
		waitpid(ex->guard, NULL, 0);
	}
	if (ex->alive >= 0)
		close(ex->alive);
	if (ex->pid > 0) {
		/* What it left running in the background goes as well. */
		kill(-ex->pid, SIGKILL);
		if (ex->status < 0)
			kill(ex->pid, SIGKILL);
		reap(ex, 0);
	}
	if (ex->pidfd >= 0)
		close(ex->pidfd);
	free(ex);
}
