// SPDX-License-Identifier: GPL-2.0
/* All threads of a process stopped with ptrace, and let go again. */
#include "engines/proc/stop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/thread_stat.h"

/* A thread that is asleep for so long in a way that no signal ends will stay so. */
#define SOUND_ASLEEP_NS (5 * HP_NSEC_PER_MSEC)
/* How much longer than the attempt it may take until a thread can be let go again. */
#define LET_GO_NS HP_NSEC_PER_SEC

#define PF_IO_WORKER 0x10 /* include/linux/sched.h, since Linux 5.12 */

struct status {
	char text[4096];
};

/* /proc/PID/task/TID/status; false when the thread is gone. */
static bool read_status(pid_t pid, pid_t tid, struct status *status)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, status->text, sizeof(status->text) - 1);
	status->text[n < 0 ? 0 : n] = '\0';
	return n > 0;
}

/* The value of a field, up to the end of the text; NULL when there is none. */
static const char *find_field(const struct status *status, const char *field)
{
	size_t len = strlen(field);

	for (const char *at = status->text; at && *at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!strncmp(at, field, len) && at[len] == ':')
			return at + len + 1 + strspn(at + len + 1, " \t");
	}
	return NULL;
}

/* "S (sleeping)" and the like, in @text; its first letter is returned, 'X' for a thread that is gone. */
static char read_state(pid_t pid, pid_t tid, char text[32])
{
	struct status status;
	const char *state = read_status(pid, tid, &status) ? find_field(&status, "State") : NULL;

	snprintf(text, 32, "%.*s", state ? (int)strcspn(state, "\n") : 4, state ?: "gone");
	return state ? *state : 'X';
}

bool hp_stop__is_asleep(pid_t pid, pid_t tid)
{
	char text[32];

	return read_state(pid, tid, text) == 'S';
}

bool hp_stop__is_event(int status)
{
	return WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_STOP;
}

/*
 * Wait until @tid has stopped as asked. Signals that come first are delivered, not swallowed. -EBUSY
 * at the deadline, or as soon as it sleeps so that it will not stop: in vfork(), mostly.
 */
static int wait_event(struct hp_stop *stop, pid_t tid, uint64_t deadline)
{
	char text[32];

	for (;;) {
		int status = 0, ret = hp_tracer__wait(tid, deadline, true, &status);

		if (ret == -EINTR) {
			if (hp_now_ns() - stop->since_ns > SOUND_ASLEEP_NS &&
			    read_state(stop->pid, tid, text) == 'D')
				return -EBUSY;
			continue;
		}
		if (ret || hp_stop__is_event(status))
			return ret;
		if (ptrace(PTRACE_CONT, tid, 0, WSTOPSIG(status)) && errno != ESRCH)
			return -errno;
	}
}

static int fail_seize(pid_t pid, pid_t tid, int ret, struct hp_error *err)
{
	struct status status;
	const char *tracer;

	if (ret == -ESRCH)
		return hp_fail(err, HP_E_PROC_GONE, "process %d has ended", pid);
	tracer = read_status(pid, tid, &status) ? find_field(&status, "TracerPid") : NULL;
	if (!tracer || atoi(tracer) == 0)
		return hp_fail_errno(err, HP_E_PROC_PERMISSION, ret, "process %d may not be traced",
				     pid);
	/* Held by an attempt before, and about to be let go. */
	if (hp_tracer__is_ours(atoi(tracer))) {
		hp_fail(err, HP_E_PROC_BUSY, "thread %d of process %d is not free yet", tid, pid);
		return -EBUSY;
	}
	return hp_fail(err, HP_E_PROC_TRACED, "process %d is traced by process %d", pid,
		       atoi(tracer));
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
	char text[32], state = read_state(pid, tid, text);

	return state == 'Z' || state == 'X';
}

static int seize(struct hp_stop *stop, pid_t tid, struct hp_error *err)
{
	if (stop->count == stop->room) {
		size_t room = stop->room ? 2 * stop->room : 16;
		struct hp_thread *grown = realloc(stop->threads, room * sizeof(*grown));

		if (!grown)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		stop->threads = grown;
		stop->room = room;
	}
	if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD)) {
		int ret = -errno;

		/* The main thread may be gone while others go on. */
		if (is_dead(stop->pid, tid))
			return 0;
		return fail_seize(stop->pid, tid, ret, err);
	}
	stop->threads[stop->count++] = (struct hp_thread){ .tid = tid, .seized = true };
	if (!stop->since_ns)
		stop->since_ns = hp_now_ns();
	ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	return 0;
}

/*
 * The kernel's own threads of a process, of io_uring, never run its code, so they need not stop; and
 * must not: the requests that they wait in would end with EINTR (io_fixup_rw_res(), io_uring/rw.c).
 */
static bool is_kernels(pid_t pid, pid_t tid)
{
	uint64_t flags;

	/* The first thread began as any program does. */
	return tid != pid && !hp_thread_stat__read(pid, tid, HP_STAT_FLAGS, &flags) &&
	       flags & PF_IO_WORKER;
}

/* The threads that are not known yet, in *@tids: looked at all before the first of them is stopped. */
static int list_new(const struct hp_stop *stop, DIR *dir, pid_t **tids, size_t *count)
{
	struct dirent *entry;
	size_t room = 0;

	*tids = NULL;
	*count = 0;
	rewinddir(dir);
	while ((entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid <= 0 || is_known(stop, tid) || is_kernels(stop->pid, tid))
			continue;
		if (*count == room) {
			pid_t *grown = realloc(*tids, (room = 2 * room + 16) * sizeof(*grown));

			if (!grown)
				return -ENOMEM;
			*tids = grown;
		}
		(*tids)[(*count)++] = tid;
	}
	return 0;
}

/* Seize the threads that are not known yet; *found says how many there were. */
static int seize_new(struct hp_stop *stop, DIR *dir, size_t *found, struct hp_error *err)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t before = stop->count, count;
	int ret = 0;

	if (list_new(stop, dir, &tids, &count))
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < count && !ret; i++)
		ret = seize(stop, tids[i], err);
	*found = stop->count - before;
	return ret;
}

static int fail_wait(const struct hp_stop *stop, pid_t tid, int ret, struct hp_error *err)
{
	char text[32];

	if (ret == -EOPNOTSUPP)
		return hp_fail(err, HP_E_PROC_32BIT, "process %d is a 32-bit program", stop->pid);
	if (ret != -EBUSY)
		return hp_fail_errno(err, HP_E_PROC_PERMISSION, ret, "thread %d cannot be stopped",
				     tid);
	read_state(stop->pid, tid, text);
	hp_fail(err, HP_E_PROC_BUSY, "thread %d of process %d did not stop (%s)", tid, stop->pid,
		text);
	return -EBUSY;
}

/* All were asked to stop before the first is waited for: they come to it at the same time. */
static int wait_all(struct hp_stop *stop, size_t from, uint64_t deadline, struct hp_error *err)
{
	for (size_t i = from; i < stop->count; i++) {
		struct hp_thread *thread = &stop->threads[i];
		int ret = wait_event(stop, thread->tid, deadline);

		thread->stopped = !ret;
		if (!ret)
			ret = hp_arch__get_regs(thread->tid, &thread->regs);
		if (ret == -ESRCH)
			thread->seized = thread->stopped = false;
		else if (ret)
			return fail_wait(stop, thread->tid, ret, err);
	}
	return 0;
}

static int stop_all(struct hp_stop *stop, DIR *dir, uint64_t deadline, struct hp_error *err)
{
	size_t found = 0, live = 0;
	int ret = 0;

	/* A thread that is not stopped yet can start others: until a scan finds none. */
	do {
		size_t from = stop->count;

		ret = seize_new(stop, dir, &found, err);
		ret = ret ?: wait_all(stop, from, deadline, err);
	} while (!ret && found);
	for (size_t i = 0; i < stop->count; i++)
		live += stop->threads[i].stopped;
	if (!ret && !live)
		ret = hp_fail(err, HP_E_PROC_GONE, "process %d has ended", stop->pid);
	return ret;
}

/* About as many as there are: each has a folder (proc_task_getattr()). */
static size_t count_threads(DIR *dir)
{
	struct stat st;

	return fstat(dirfd(dir), &st) || st.st_nlink < 3 ? 1 : st.st_nlink - 2;
}

int hp_stop__begin(struct hp_stop **out, struct hp_tracer *tracer, pid_t pid, uint64_t deadline,
		   struct hp_error *err)
{
	struct hp_stop *stop = calloc(1, sizeof(*stop));
	_cleanup_dir_ DIR *dir = NULL;
	char path[32];
	int ret;

	if (!stop)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	stop->pid = pid;
	stop->tracer = tracer;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	hp_tracer__begin_stop(tracer, dir ? count_threads(dir) : 0);
	ret = dir ? stop_all(stop, dir, deadline, err)
		  : hp_fail(err, HP_E_PROC_GONE, "process %d has ended", pid);
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
	struct status status;
	const char *blocked, *own, *shared;

	if (!read_status(pid, tid, &status))
		return false;
	blocked = find_field(&status, "SigBlk");
	own = find_field(&status, "SigPnd");
	shared = find_field(&status, "ShdPnd");
	return blocked && own && shared &&
	       ((strtoull(own, NULL, 16) | strtoull(shared, NULL, 16)) &
		~strtoull(blocked, NULL, 16));
}

/*
 * A system call that says EINTR because of us, and not because of a signal, is made again. A signal
 * that comes after this look is as one that comes just before such a call, which programs have to
 * expect anyway.
 */
static void restart_call(pid_t pid, pid_t tid, struct hp_arch_regs *regs)
{
	if (hp_arch__restart_interrupted(regs) && !has_signal(pid, tid))
		hp_arch__set_regs(tid, regs);
}

/*
 * A thread that has not stopped cannot be detached. One that only waits for a processor is waited
 * for. One that is asleep, or does not get there, is let go by the kernel when the tracer ends.
 */
static void let_go_running(struct hp_stop *stop, pid_t tid, uint64_t deadline)
{
	int ret = wait_event(stop, tid, deadline);
	struct hp_arch_regs regs;

	if (ret == -ESRCH)
		return;
	if (!ret && !hp_arch__get_regs(tid, &regs))
		restart_call(stop->pid, tid, &regs);
	if (ret || ptrace(PTRACE_DETACH, tid, 0, 0))
		hp_tracer__must_end(stop->tracer);
}

uint64_t hp_stop__end(struct hp_stop *stop)
{
	uint64_t since, until;

	for (size_t i = 0; i < stop->count; i++) {
		struct hp_thread *thread = &stop->threads[i];

		if (!thread->stopped)
			continue;
		restart_call(stop->pid, thread->tid, &thread->regs);
		/* It was killed meanwhile, or runs although it should not. */
		if (ptrace(PTRACE_DETACH, thread->tid, 0, 0))
			thread->stopped = false;
	}
	until = hp_now_ns();
	since = stop->since_ns ?: until;
	for (size_t i = 0; i < stop->count; i++)
		if (stop->threads[i].seized && !stop->threads[i].stopped)
			let_go_running(stop, stop->threads[i].tid, until + LET_GO_NS);
	hp_tracer__end_stop(stop->tracer);
	free(stop->threads);
	free(stop);
	return until - since;
}
