// SPDX-License-Identifier: GPL-2.0
/* The test of the way back, both ends of it. */
#include "engines/guard/way_back.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int hp_way_back__walk(const char *name, struct hp_error *err)
{
	_cleanup_close_ int lock = open(HP_BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct hp_read_back read_back;
	struct hp_guard_counts counts;
	struct hp_guard guard;
	int ret;

	/* Whoever tests has it, so only the question is asked. */
	if (lock < 0 || (flock(lock, LOCK_EX | LOCK_NB) && errno != EWOULDBLOCK))
		return hp_fail_errno(err, HP_E_PIN, -errno, "cannot lock " HP_BPFFS);
	ret = hp_guard__open(&guard, name, err);
	if (ret)
		return ret;
	hp_guard__read_back(&guard, &read_back);
	ret = hp_guard__counts(&guard, &counts, err);
	ret = ret ?: hp_pins__rehearse(name, guard.fd[HP_PIN_PATCH], err);
	if (!ret && kill(getppid(), 0))
		ret = hp_fail_errno(err, HP_E_INTERNAL, -errno, "cannot signal a process");
	hp_guard__close(&guard);
	return ret;
}

/* Start the second hotproof; it waits for a byte in @go, so that it can be made a tester first. What goes wrong it says in @said. */
static pid_t start_walk(const char *name, const int go[2], const int said[2])
{
	const char *const argv[] = { "hotproof", "guard", HP_WAY_BACK, name, NULL };
	pid_t parent = getpid(), pid = fork();
	char byte;
	int null;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	null = open("/dev/null", O_RDWR);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(said[1], STDERR_FILENO);
	close(go[1]);
	if (getppid() != parent || read(go[0], &byte, 1) != 1)
		_exit(127);
	execv("/proc/self/exe", (char *const *)argv);
	_exit(127);
}

/* Why the walk ended with @status: what it said, or that it said nothing. */
static int explain(int status, int said, struct hp_error *err)
{
	bool pinned = WIFEXITED(status) && WEXITSTATUS(status) == HP_EXIT_PRIVILEGE;
	char why[200];
	ssize_t len = read(said, why, sizeof(why));

	if (len <= 0)
		return hp_fail(err, HP_E_INTERNAL,
			       "the way back could not be tested (wait status 0x%x)", status);
	return hp_fail(err, pinned ? HP_E_PIN : HP_E_INTERNAL,
		       "the way back could not be tested: %.*s", (int)strcspn(why, "\n"), why);
}

static int walk(struct hp_guard *guard, struct hp_guard_rule *trial, struct hp_error *err)
{
	_cleanup_close_ int heard = -1;
	int go[2], said[2], status = -1;
	sighandler_t was;
	pid_t pid;

	if (pipe2(said, O_CLOEXEC))
		return hp_fail_errno(err, HP_E_INTERNAL, -errno, "cannot make a pipe");
	heard = said[0];
	if (pipe2(go, O_CLOEXEC)) {
		hp_fail_errno(err, HP_E_INTERNAL, -errno, "cannot make a pipe");
		close(said[1]);
		return -EIO;
	}
	pid = start_walk(guard->name, go, said);
	close(said[1]);
	close(go[0]);
	if (pid > 0) {
		trial->testers[1] = (__u32)pid;
		hp_guard__put(guard, trial);
		/* Should it have died: no signal, and its status tells. A workload is not to inherit that. */
		was = signal(SIGPIPE, SIG_IGN);
		if (write(go[1], "", 1) != 1)
			kill(pid, SIGKILL);
		signal(SIGPIPE, was);
	}
	close(go[1]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return hp_fail_errno(err, HP_E_INTERNAL, -errno, "cannot test the way back");
	return status ? explain(status, heard, err) : 0;
}

int hp_way_back__test(struct hp_guard *guard, const struct hp_guard_rule *rule, uint64_t *hits,
		      struct hp_error *err)
{
	struct hp_guard_rule trial = *rule;
	struct hp_guard_counts before, after;
	int ret = hp_guard__counts(guard, &before, err);

	if (ret)
		return ret;
	memset(trial.testers, 0, sizeof(trial.testers));
	trial.testers[0] = (__u32)getpid();
	hp_guard__put(guard, &trial);
	hp_guard__test(guard, true);
	ret = walk(guard, &trial, err);
	hp_guard__test(guard, false);
	ret = ret ?: hp_guard__counts(guard, &after, err);
	*hits = ret ? 0 : after.sum.tested - before.sum.tested;
	return ret;
}
