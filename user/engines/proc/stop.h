/* SPDX-License-Identifier: GPL-2.0 */
/* All threads of a process stopped with ptrace, and let go again as if nothing had happened. */
#ifndef HP_ENGINES_PROC_STOP_H
#define HP_ENGINES_PROC_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/arch.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "engines/proc/tracer.h"

struct hp_thread {
	pid_t tid;
	bool seized;
	bool stopped; /* false: it ended meanwhile */
	struct hp_arch_regs regs;
};

struct hp_stop {
	pid_t pid;
	struct hp_tracer *tracer;
	struct hp_thread *threads;
	size_t count, room;
	uint64_t since_ns; /* when the first thread was asked to stop */
};

/*
 * Seize and stop every thread of @pid, new ones too, until @deadline (of hp_now_ns()). 0, or a
 * negative errno with @err filled: -ESRCH the process is gone, -EBUSY a thread did not stop in time
 * (worth another try), -EPERM it may not be traced or somebody else does. No thread is held then;
 * or, when one could not be let go, hp_tracer__has_to_end(@tracer).
 */
int hp_stop__begin(struct hp_stop **out, struct hp_tracer *tracer, pid_t pid, uint64_t deadline,
		   struct hp_error *err);

/* Let all threads go; system calls that were interrupted go on. Returns how long it stood, in ns. */
uint64_t hp_stop__end(struct hp_stop *stop);

static inline void hp_cleanup_stop(struct hp_stop **stop)
{
	if (*stop)
		hp_stop__end(*stop);
}

/* True if the thread waits for something that a signal would end. */
bool hp_stop__is_asleep(pid_t pid, pid_t tid);

/* True if the status says: stopped as asked, by PTRACE_INTERRUPT or a group stop. */
bool hp_stop__is_event(int status);

#endif
