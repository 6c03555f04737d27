/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The observer: counts and times calls at observation points. It knows nothing about engines; it
 * is told where calls can be seen, chooses how by trying, and says which way it took.
 *
 * Everything it attaches is held by file descriptors only: when the process goes, by any way, so
 * does what it attached.
 */
#ifndef HP_OBSERVE_OBSERVER_H
#define HP_OBSERVE_OBSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "hotproof/patch_map.h"
#include "observe/point.h"

struct hp_observer;

/*
 * Up to so many targets are counted by trampolines. The kernel takes trampolines away one after the
 * other, in 0.1 to 0.15 s each (Linux 6.1), and kprobes that ftrace serves in a third of that; so
 * for more targets these are taken, though a call costs more with them and misses are not counted.
 */
#define HP_TRAMPOLINES_MAX 16

struct hp_observer_opts {
	size_t targets; /* how many targets there will be */
	bool callers;	/* keep the return addresses of the calls */
	bool time;	/* allow hp_observer__arm() with time */
	bool scope;	/* tell the calls of a workload apart (hp_observer__scope_task()) */
	size_t process_counters; /* points are in user space, and calls told apart by process: room for so many */
};

/*
 * Load the programs and maps; nothing is attached yet. The observer belongs to the caller.
 * Needs CAP_BPF and CAP_PERFMON. Returns 0 or a negative errno with @err filled.
 */
int hp_observer__open(struct hp_observer **out, const struct hp_observer_opts *opts,
		      struct hp_error *err);

/* Detach everything and free. */
void hp_observer__close(struct hp_observer *obs);
HP_DEFINE_CLEANUP(struct hp_observer *, hp_observer__close)

/* The kernel's own (include/linux/errno.h): of instructions that no uprobe runs, some of AVX among them. */
#define HP_ENOTSUPP 524

/* How a point came to be observed. */
struct hp_armed {
	enum hp_method method;
	uint64_t offset; /* into the function */
};

/*
 * Observe @point for target number @target (from 0). With @time, entry and exit. One point for
 * each target and role. Tries the cheapest way first; *armed (may be NULL) says which one it was.
 * Returns 0 or a negative errno with @err filled, and nothing attached for this point.
 * -HP_ENOTSUPP when the kernel takes no uprobe on the instruction that is there.
 */
int hp_observer__arm(struct hp_observer *obs, size_t target, const struct hp_point *point,
		     bool time, struct hp_armed *armed, struct hp_error *err);

/*
 * Time the calls of one process at @point, which is in user space. May be called for several
 * processes, whose times come together; they stay until the observer is closed. *method (may be
 * NULL) says which way it was.
 */
int hp_observer__time_process(struct hp_observer *obs, size_t target, const struct hp_point *point,
			      const struct hp_timing *timing, enum hp_method *method,
			      struct hp_error *err);

/* Stop observing a point, keep its counters. No-op when it is not armed. */
void hp_observer__disarm(struct hp_observer *obs, size_t target, enum hp_point_role role);

/* Flip the state of one target: one store, seen by every CPU at once. */
void hp_observer__set_state(struct hp_observer *obs, size_t target, enum hp_pm_state state);
void hp_observer__set_state_all(struct hp_observer *obs, enum hp_pm_state state);

/* What was counted at a point in one state, all CPUs summed up. */
struct hp_counts {
	uint64_t calls;
	uint64_t scoped;    /* of those, by the workload's tasks */
	uint64_t first_ns;  /* CLOCK_MONOTONIC of the first call, 0 for none */
	uint64_t foreign;   /* runs for another function of the same name (all states) */
	uint64_t no_caller; /* calls without a known caller (all states) */
	uint64_t
		untimed; /* calls that have no time: their exit was not seen, or did not come yet */
	uint64_t misses; /* calls the kernel says it skipped, in recursion (all states) */
};

int hp_observer__read(struct hp_observer *obs, size_t target, enum hp_point_role role,
		      enum hp_pm_state state, struct hp_counts *out);

/* The number of calls alone, which costs next to nothing. */
uint64_t hp_observer__calls(const struct hp_observer *obs, size_t target, enum hp_point_role role,
			    enum hp_pm_state state);

/* The histogram of a point that is timed, all CPUs merged; nanoseconds, probe cost included. */
int hp_observer__read_hist(struct hp_observer *obs, size_t target, enum hp_point_role role,
			   enum hp_pm_state state, struct hp_hist *out);

struct hp_caller {
	uint64_t address; /* return address */
	uint64_t calls;
};

/* The callers of a point in one state, by address; *out is malloc'ed and the caller's. */
int hp_observer__read_callers(struct hp_observer *obs, size_t target, enum hp_point_role role,
			      enum hp_pm_state state, struct hp_caller **out, size_t *count);

/*
 * The calls of process @tgid at a point in user space; *lost counts calls, of any process, that
 * found no room in the table.
 */
int hp_observer__read_process(struct hp_observer *obs, size_t target, enum hp_point_role role,
			      enum hp_pm_state state, int tgid, uint64_t *calls, uint64_t *lost);

/*
 * The callers of process @tgid at a function's entry in user space, by address; *out is malloc'ed and
 * the caller's. Of calls that are not among them the caller is not known.
 */
int hp_observer__read_process_callers(struct hp_observer *obs, size_t target,
				      enum hp_point_role role, enum hp_pm_state state, int tgid,
				      struct hp_caller **out, size_t *count);

/*
 * What @method itself adds between its entry and exit: the histogram of 1000 calls of an empty
 * kernel function made for such tests (bpf_fentry_test1()). Nanoseconds. Measured when the first
 * point is armed that way, before its calls are counted; here if that failed. For functions of
 * processes it is an empty function of this one.
 */
int hp_observer__calibrate(struct hp_observer *obs, enum hp_method method, struct hp_hist *out,
			   struct hp_error *err);

/* Count the calls of the task behind @pidfd, and of all that it will fork, as scoped. */
int hp_observer__scope_task(struct hp_observer *obs, int pidfd, struct hp_error *err);

#endif
