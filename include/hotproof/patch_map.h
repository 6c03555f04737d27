/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ABI between bpf/ and user/: the patch map, and what the observer keeps for each
 * observation point. Included from both sides; only fixed-width types of <linux/types.h>.
 */
#ifndef HOTPROOF_PATCH_MAP_H
#define HOTPROOF_PATCH_MAP_H

#include <linux/types.h>

/* The state of a target. Counters are kept per state, so a flip separates before from after. */
enum hp_pm_state {
	HP_PM_OFF,	  /* nothing is counted */
	HP_PM_BASELINE,	  /* old code is being measured */
	HP_PM_ACTIVATING, /* the redirect is being put in place */
	HP_PM_ACTIVE,	  /* every call should be redirected */
	HP_PM_REVERTING,  /* the redirect is being taken away */
	HP_PM_STATES,
};

/* Room for the counters of any state that fits in three bits: a mask is cheaper than a check. */
#define HP_PM_CELLS 8

/* One entry per target, in memory that user space has mapped: flipping the state is one store. */
struct hp_pm_entry {
	__u32 state; /* enum hp_pm_state */
	__u32 reserved;
};

/* Where calls of a target are seen. */
enum hp_point_role {
	HP_POINT_OLD_ENTRY, /* the target's entry: every call, redirected or not */
	HP_POINT_NEW_ENTRY, /* the replacement's entry: redirected calls */
	HP_POINT_OLD_BODY,  /* behind the target's entry: calls that ran the old body */
	HP_POINT_ROLES,
};

/* A point's slot, by which its counters are indexed. Four to a target: no division in the probes. */
#define HP_SLOTS_PER_TARGET   4
#define HP_SLOT(target, role) ((target)*HP_SLOTS_PER_TARGET + (role))

/*
 * Callers of a point: the first HP_CALLER_CELLS return addresses of each CPU have a cell of their
 * own, found by a hash of the address; the others go to a hash map (struct hp_caller_key).
 */
#define HP_CALLER_CELLS 8

struct hp_caller_cell {
	__u64 address; /* the return address found at the function's entry, 0 for a free cell */
	__u64 calls[HP_PM_STATES];
};

/*
 * The calls of a point. Each point has a power of two of these, and a call is counted in the one
 * that its stack's address gives, with an atomic addition: asking for the number of the CPU costs
 * more than all the rest, and tasks that run at the same time have different stacks. Two cache
 * lines each.
 */
struct hp_shard {
	__u64 calls[HP_PM_CELLS]; /* indexed by state */
	__u64 frame;		  /* which call is being timed here, 0 for none */
	__u64 frame_ns;
	__u64 frame_state;
	__u64 reserved[5];
};

/*
 * Stacks are aligned to THREAD_SIZE, 16 KiB on x86-64. Mapped ones have a guard page, and so begin at
 * least twice that apart: no two of them have the same number below.
 */
#define HP_STACK_BITS	      14
#define HP_STACK_NUMBER(addr) ((addr) >> (HP_STACK_BITS + 1))

/* What else is known of calls, per CPU and slot. */
struct hp_counters {
	__u64 scoped[HP_PM_STATES];  /* of those, by the tasks of --exercise */
	__u64 first_ns[HP_PM_CELLS]; /* CLOCK_MONOTONIC of the first call, 0 for none */
	__u64 foreign;	 /* the program ran for another function than the one that was meant */
	__u64 no_caller; /* calls whose return address could not be read or kept */
};

struct hp_callers {
	struct hp_caller_cell cell[HP_CALLER_CELLS];
};

/*
 * Log-linear histograms: each power of two is divided into HP_HIST_SUB buckets, so a bucket is at
 * most 1/16 (6.25 %) wider than its lower end. Values under HP_HIST_SUB have a bucket each.
 */
#define HP_HIST_SUB_BITS 4
#define HP_HIST_SUB	 (1 << HP_HIST_SUB_BITS)
#define HP_HIST_MAX_BITS 36 /* 68 s; longer calls land in the last bucket, max stays exact */
#define HP_HIST_BUCKETS	 ((HP_HIST_MAX_BITS - HP_HIST_SUB_BITS + 1) * HP_HIST_SUB)

/* Per CPU; indexed by HP_HIST_INDEX(slot, state). Times in nanoseconds. */
struct hp_hist {
	__u64 count;
	__u64 sum;
	__u64 max;
	__u64 bucket[HP_HIST_BUCKETS];
};

#define HP_HIST_INDEX(slot, state) ((slot)*HP_PM_STATES + (state))

/* Calls by process, of points in user space: one hash entry for each slot, state and process. */
struct hp_process_key {
	__u32 slot;
	__u32 state;
	__u32 tgid;
};

/* Who called, in processes: one hash entry for each slot, state, process and return address. */
struct hp_process_caller_key {
	__u64 address;
	__u32 slot;
	__u32 state;
	__u32 tgid;
	__u32 reserved;
};

/* Who called: one hash entry for each slot, state and return address. */
struct hp_caller_key {
	__u64 address; /* the return address found at the function's entry */
	__u32 slot;
	__u32 state;
};

#endif
