// SPDX-License-Identifier: GPL-2.0
/* Threads of ours that trace. */
#include "engines/proc/tracer.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/thread_stat.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define TICK_NS	    HP_NSEC_PER_MSEC
#define TICK_SIGNAL (SIGRTMIN + 1)

struct hp_tracer {
	pthread_t thread;
	hp_tracer_fn *fn;
	void *arg;
	pid_t tid; /* 0: it could not begin */
	timer_t timer;
	int policy; /* to go back to, or -1: it never changes */
	bool is_urgent;
	cpu_set_t processors; /* to go back to */
	bool is_moved;
	bool must_end;
};

/* It only ends the waitpid() that it comes in. */
static void on_tick(int signal)
{
}

static void *run(void *arg)
{
	struct hp_tracer *tracer = arg;
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = TICK_SIGNAL };
	pid_t tid = (pid_t)syscall(SYS_gettid);

	event.sigev_notify_thread_id = tid;
	if (timer_create(CLOCK_MONOTONIC, &event, &tracer->timer))
		return NULL;
	tracer->tid = tid;
	tracer->policy = sched_getscheduler(0);
	/* Who runs us may have set one that is urgent already. */
	if (tracer->policy != SCHED_OTHER && tracer->policy != SCHED_BATCH &&
	    tracer->policy != SCHED_IDLE)
		tracer->policy = -1;
	tracer->fn(tracer, tracer->arg);
	timer_delete(tracer->timer);
	return NULL;
}

/* pthread_join() comes back before the kernel has let go of what the thread traced. */
static void join(struct hp_tracer *tracer)
{
	struct timespec nap = { 0, 20000 };

	pthread_join(tracer->thread, NULL);
	while (tracer->must_end && !syscall(SYS_tgkill, getpid(), tracer->tid, 0))
		nanosleep(&nap, NULL);
}

int hp_tracer__run_many(hp_tracer_fn *fn, void *args, size_t size, size_t count,
			struct hp_error *err)
{
	struct sigaction action = { .sa_handler = on_tick }, before;
	/* No SIGCHLD for each stop: they are waited for. */
	struct sigaction quiet = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
	_cleanup_free_ struct hp_tracer *tracers = calloc(count, sizeof(*tracers));
	size_t begun = 0, ran = 0;
	int ret = 0;

	if (!tracers)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	sigaction(TICK_SIGNAL, &action, NULL);
	sigaction(SIGCHLD, &quiet, &before);
	for (; begun < count && !ret; begun += !ret) {
		tracers[begun].fn = fn;
		tracers[begun].arg = (char *)args + begun * size;
		ret = pthread_create(&tracers[begun].thread, NULL, run, &tracers[begun]);
	}
	for (size_t i = 0; i < begun; i++) {
		join(&tracers[i]);
		ran += tracers[i].tid != 0;
	}
	sigaction(SIGCHLD, &before, NULL);
	/* Fewer than asked for do the same work. */
	return ran ? 0 : hp_fail(err, HP_E_NOMEM, "no thread can be had to trace with");
}

int hp_tracer__run(hp_tracer_fn *fn, void *arg, struct hp_error *err)
{
	return hp_tracer__run_many(fn, arg, 0, 1, err);
}

void hp_tracer__must_end(struct hp_tracer *tracer)
{
	tracer->must_end = true;
}

bool hp_tracer__has_to_end(const struct hp_tracer *tracer)
{
	return tracer->must_end;
}

static void set_timer(struct hp_tracer *tracer, long ns)
{
	struct itimerspec every = { { 0, ns }, { 0, ns } };

	timer_settime(tracer->timer, 0, &every, NULL);
}

/*
 * What is stopped waits for us, behind whatever else wants this processor: with hundreds of threads
 * that do, for a long time. So be before them all, for as long as something is stopped. A thread
 * that waits for one to stop is asleep, so others run; and if it ever ran on and on, the kernel
 * takes some of each second away from it (sched_rt_runtime_us, Documentation/scheduler/
 * sched-rt-group.rst). Without the privilege it stays as it is.
 *
 * Not for a few threads: each system call that one of them makes for us would begin on another
 * processor, since ours is taken by something urgent, and where that one sleeps this takes three
 * times as long.
 */
static void be_urgent(struct hp_tracer *tracer, bool urgent)
{
	struct sched_param param = { .sched_priority = urgent ? 1 : 0 };

	if (tracer->policy < 0 || tracer->is_urgent == urgent)
		return;
	sched_setscheduler(0, urgent ? SCHED_FIFO : tracer->policy, &param);
	tracer->is_urgent = urgent;
}

void hp_tracer__begin_stop(struct hp_tracer *tracer, size_t threads)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	be_urgent(tracer, cpus < 0 || threads > (size_t)cpus);
	set_timer(tracer, TICK_NS);
}

void hp_tracer__end_stop(struct hp_tracer *tracer)
{
	set_timer(tracer, 0);
	be_urgent(tracer, false);
}

/*
 * An urgent thread leaves no room beside it: what it wakes begins on another processor, and so each
 * system call takes two trips between processors, which under a hypervisor are several times as long
 * as the call. A thread that ran here last is begun here again as soon as we sleep.
 */
void hp_tracer__begin_calls(struct hp_tracer *tracer, pid_t pid, pid_t tid)
{
	uint64_t processor;
	cpu_set_t only;

	if (!tracer->is_urgent || hp_thread_stat__read(pid, tid, HP_STAT_PROCESSOR, &processor) ||
	    processor >= CPU_SETSIZE ||
	    sched_getaffinity(0, sizeof(tracer->processors), &tracer->processors))
		return;
	CPU_ZERO(&only);
	CPU_SET(processor, &only);
	tracer->is_moved = !sched_setaffinity(0, sizeof(only), &only);
}

void hp_tracer__end_calls(struct hp_tracer *tracer)
{
	if (tracer->is_moved)
		sched_setaffinity(0, sizeof(tracer->processors), &tracer->processors);
	tracer->is_moved = false;
}

int hp_tracer__wait(pid_t tid, uint64_t deadline, bool brief, int *status)
{
	for (;;) {
		pid_t ret = waitpid(tid, status, __WALL | __WNOTHREAD);

		if (ret == tid)
			return WIFSTOPPED(*status) ? 0 : -ESRCH;
		if (errno != EINTR)
			return errno == ECHILD ? -ESRCH : -errno;
		if (hp_now_ns() > deadline)
			return -EBUSY;
		if (brief)
			return -EINTR;
	}
}

bool hp_tracer__is_ours(pid_t tid)
{
	return !syscall(SYS_tgkill, getpid(), tid, 0);
}
