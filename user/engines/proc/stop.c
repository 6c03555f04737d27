// SPDX-License-Identifier: GPL-2.0
/* All threads of a process stopped with ptrace, and let go again. */
#include "engines/proc/stop.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"

/* How long to sleep between two looks at a thread that has not stopped yet. */
#define FIRST_NAP_NS 20000
#define MAX_NAP_NS   1000000

/* A field of /proc/PID/task/TID/status; false when it is not there. */
static bool read_status(pid_t pid, pid_t tid, const char *field, char *value, size_t size)
{
	_cleanup_file_ FILE *f = NULL;
	char path[64], line[256];
	size_t len = strlen(field);

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, field, len) || line[len] != ':')
			continue;
		snprintf(value, size, "%s", line + len + 1 + strspn(line + len + 1, " \t"));
		value[strcspn(value, "\n")] = '\0';
		return true;
	}
	return false;
}

bool hp_stop__is_event(int status)
{
	return WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_STOP;
}

int hp_stop__wait(pid_t tid, uint64_t deadline, int *status)
{
	struct timespec nap = { 0, FIRST_NAP_NS };

	for (;;) {
		pid_t ret = waitpid(tid, status, __WALL | WNOHANG);

		if (ret < 0 && errno != EINTR)
			return errno == ECHILD ? -ESRCH : -errno;
		if (ret == tid)
			return WIFSTOPPED(*status) ? 0 : -ESRCH;
		if (hp_now_ns() > deadline)
			return -EBUSY;
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < MAX_NAP_NS)
			nap.tv_nsec *= 2;
	}
}

/* Wait until @tid has stopped as asked. Signals that come first are delivered, not swallowed. */
static int wait_event(pid_t tid, uint64_t deadline)
{
	for (;;) {
		int status = 0, ret = hp_stop__wait(tid, deadline, &status);

		if (ret || hp_stop__is_event(status))
			return ret;
		if (ptrace(PTRACE_CONT, tid, 0, WSTOPSIG(status)) && errno != ESRCH)
			return -errno;
	}
}

static int fail_seize(pid_t pid, pid_t tid, int ret, struct hp_error *err)
{
	char value[64];

	if (ret == -ESRCH)
		return hp_fail(err, HP_E_PROC_GONE, "process %d has ended", pid);
	if (read_status(pid, tid, "TracerPid", value, sizeof(value)) && strcmp(value, "0"))
		return hp_fail(err, HP_E_PROC_TRACED, "process %d is traced by process %s", pid,
			       value);
	return hp_fail_errno(err, HP_E_PROC_PERMISSION, ret, "process %d may not be traced", pid);
}

static bool is_known(const struct hp_stop *stop, pid_t tid)
{
	for (size_t i = 0; i < stop->count; i++)
		if (stop->threads[i].tid == tid)
			return true;
	return false;
}

/* A thread that has ended, and only its entry is left: nothing of it will ever run. */
static bool is_dead(pid_t pid, pid_t tid)
{
	char state[32];

	return !read_status(pid, tid, "State", state, sizeof(state)) || state[0] == 'Z' ||
	       state[0] == 'X';
}

static int seize(struct hp_stop *stop, pid_t tid, struct hp_error *err)
{
	struct hp_thread *grown;
	char state[32];

	grown = realloc(stop->threads, (stop->count + 1) * sizeof(*grown));
	if (!grown)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	stop->threads = grown;
	/*
	 * A thread that waits for its vfork child cannot be stopped, and once seized, it cannot be
	 * let go until it could: look first.
	 */
	if (read_status(stop->pid, tid, "State", state, sizeof(state)) && state[0] == 'D')
		return hp_fail(err, HP_E_PROC_BUSY, "thread %d of process %d does not stop: %s",
			       tid, stop->pid, state);
	if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD)) {
		int ret = -errno;

		/* The main thread may be gone while others go on. */
		if (is_dead(stop->pid, tid))
			return 0;
		return fail_seize(stop->pid, tid, ret, err);
	}
	grown[stop->count++] = (struct hp_thread){ .tid = tid, .stopped = true };
	ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	return 0;
}

/* Seize the threads that are not known yet; *found says how many there were. */
static int seize_new(struct hp_stop *stop, size_t *found, struct hp_error *err)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	size_t before = stop->count;
	char path[32];
	int ret = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", stop->pid);
	dir = opendir(path);
	if (!dir)
		return hp_fail(err, HP_E_PROC_GONE, "process %d has ended", stop->pid);
	while (!ret && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0 && !is_known(stop, tid))
			ret = seize(stop, tid, err);
	}
	*found = stop->count - before;
	return ret;
}

static int wait_all(struct hp_stop *stop, size_t from, uint64_t deadline, struct hp_error *err)
{
	char state[32];

	for (size_t i = from; i < stop->count; i++) {
		struct hp_thread *thread = &stop->threads[i];
		int ret = wait_event(thread->tid, deadline);

		if (!ret)
			ret = hp_arch__get_regs(thread->tid, &thread->regs);
		if (ret == -ESRCH) {
			thread->stopped = false;
			continue;
		}
		if (ret == -EOPNOTSUPP)
			return hp_fail(err, HP_E_PROC_32BIT, "process %d is a 32-bit program",
				       stop->pid);
		if (ret == -EBUSY) {
			if (!read_status(stop->pid, thread->tid, "State", state, sizeof(state)))
				snprintf(state, sizeof(state), "?");
			return hp_fail(err, HP_E_PROC_BUSY,
				       "thread %d of process %d did not stop (%s)", thread->tid,
				       stop->pid, state);
		}
		if (ret)
			return hp_fail_errno(err, HP_E_PROC_PERMISSION, ret,
					     "thread %d cannot be stopped", thread->tid);
	}
	return 0;
}

int hp_stop__begin(struct hp_stop **out, pid_t pid, uint64_t deadline, struct hp_error *err)
{
	struct hp_stop *stop = calloc(1, sizeof(*stop));
	size_t found = 0, live = 0;
	int ret = 0;

	if (!stop)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	stop->pid = pid;
	stop->since_ns = hp_now_ns();
	/* A thread that is not stopped yet can start others: until a scan finds none. */
	do {
		size_t from = stop->count;

		ret = seize_new(stop, &found, err);
		ret = ret ?: wait_all(stop, from, deadline, err);
	} while (!ret && found);
	for (size_t i = 0; i < stop->count; i++)
		live += stop->threads[i].stopped;
	if (!ret && !live)
		ret = hp_fail(err, HP_E_PROC_GONE, "process %d has ended", pid);
	if (ret) {
		hp_stop__end(stop);
		return ret;
	}
	*out = stop;
	return 0;
}

/* True if a signal waits that the thread would take now. */
static bool has_signal(pid_t pid, pid_t tid)
{
	static const char *const fields[] = { "SigPnd", "ShdPnd" };
	char value[64];
	uint64_t blocked;

	if (!read_status(pid, tid, "SigBlk", value, sizeof(value)))
		return false;
	blocked = strtoull(value, NULL, 16);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (read_status(pid, tid, fields[i], value, sizeof(value)) &&
		    (strtoull(value, NULL, 16) & ~blocked))
			return true;
	return false;
}

/*
 * A system call that says EINTR because of us, and not because of a signal, is made again. A signal
 * that comes after this look is as one that comes just before such a call, which programs have to
 * expect anyway.
 */
static void let_go(struct hp_stop *stop, struct hp_thread *thread)
{
	struct hp_arch_regs regs;

	if (!hp_arch__get_regs(thread->tid, &regs) && hp_arch__restart_interrupted(&regs) &&
	    !has_signal(stop->pid, thread->tid))
		hp_arch__set_regs(thread->tid, &regs);
	/* One that has not stopped cannot be detached: it may have gone to sleep after the look. */
	if (ptrace(PTRACE_DETACH, thread->tid, 0, 0) && errno == ESRCH) {
		int status;

		if (!hp_stop__wait(thread->tid, hp_now_ns() + HP_NSEC_PER_SEC, &status))
			ptrace(PTRACE_DETACH, thread->tid, 0,
			       hp_stop__is_event(status) ? 0 : WSTOPSIG(status));
	}
}

uint64_t hp_stop__end(struct hp_stop *stop)
{
	uint64_t since = stop->since_ns;

	for (size_t i = 0; i < stop->count; i++)
		if (stop->threads[i].stopped)
			let_go(stop, &stop->threads[i]);
	free(stop->threads);
	free(stop);
	return hp_now_ns() - since;
}
