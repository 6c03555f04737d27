/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A thread of ours that traces. Tracing is a matter of the thread that began it (ptrace(2)), and
 * what it seized and cannot let go of by itself, the kernel lets go when it ends (exit_ptrace()).
 */
#ifndef HP_ENGINES_PROC_TRACER_H
#define HP_ENGINES_PROC_TRACER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct hp_tracer;

/*
 * Run @fn in a thread that traces, and come back when it has ended and the kernel has let go of all
 * that it held. 0 or a negative errno with @err filled, when there can be no such thread.
 */
typedef void hp_tracer_fn(struct hp_tracer *tracer, void *arg);
int hp_tracer__run(hp_tracer_fn *fn, void *arg, struct hp_error *err);

/* The same with @count of them at once; fn gets arg's address plus its number times @size. */
int hp_tracer__run_many(hp_tracer_fn *fn, void *args, size_t size, size_t count,
			struct hp_error *err);

/*
 * It holds a thread that it cannot let go of: it has to end, and may not trace another process
 * until then.
 */
void hp_tracer__must_end(struct hp_tracer *tracer);
bool hp_tracer__has_to_end(const struct hp_tracer *tracer);

/*
 * From here to the other, a process of @threads is being stopped by @tracer: with more of them than
 * there are processors it runs before all others; and hp_tracer__wait() looks at its deadline every
 * millisecond.
 */
void hp_tracer__begin_stop(struct hp_tracer *tracer, size_t threads);
void hp_tracer__end_stop(struct hp_tracer *tracer);

/*
 * In such a stop, from here to the other: thread @tid of process @pid makes system calls for
 * @tracer, which is meanwhile on the same processor if it runs before all others.
 */
void hp_tracer__begin_calls(struct hp_tracer *tracer, pid_t pid, pid_t tid);
void hp_tracer__end_calls(struct hp_tracer *tracer);

/*
 * Wait for the traced thread @tid to stop: 0 and its wait status, or a negative errno: -ESRCH when
 * it is gone, -EBUSY when the time is up, and -EINTR when a millisecond is over and @brief.
 */
int hp_tracer__wait(pid_t tid, uint64_t deadline, bool brief, int *status);

/* True if thread @tid is one of ours. */
bool hp_tracer__is_ours(pid_t tid);

#endif
