/* SPDX-License-Identifier: GPL-2.0 */
/* What a guard is and has done, and the proof that it turns calls away. */
#ifndef HP_PROOF_GUARD_PROOF_H
#define HP_PROOF_GUARD_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engines/guard/state.h"
#include "host/kallsyms.h"
#include "observe/verdict.h"

#define HP_GUARD_TOP 20

/* A call site of a guarded function, as far as its calls were counted. */
struct hp_guard_site {
	struct hp_guard_site_line line;
	char symbol[HP_SYMBOL_MAX]; /* "" until named, or when it has no name */
	uint64_t offset;
};

struct hp_guard_view {
	char name[HP_GUARD_NAME_MAX];
	char function[HP_GUARD_FUNCTION_MAX]; /* "" when the patch map cannot be read */
	uint32_t patch_id; /* of the patch map, which no other guard has; 0: not known */
	enum hp_guard_kind kind;
	bool code; /* an author's code decides about calls in scope */
	enum hp_guard_status status;
	struct hp_guard_rule rule;  /* that holds */
	bool cgroup_gone, exe_gone; /* there is none any more, or another one */
	int64_t made_time;	    /* seconds since 1970 */
	struct hp_guard_counts counts;
	bool counted; /* ->counts and ->top are filled */
	struct hp_guard_caller_line top[HP_GUARD_TOP];
	size_t top_count;
	uint64_t others; /* calls in scope of callers that are not among the top */
	struct hp_guard_site sites[HP_GUARD_TOP];
	size_t site_count;
	uint64_t elsewhere; /* calls in scope from sites that are not among these */
	struct hp_read_back read_back;
};

/* All about guard @name; an error only when there is none, or out of memory. */
int hp_guard_view__read(struct hp_guard_view *view, const char *name, struct hp_error *err);

/* Find the names of the call sites of @view. */
void hp_guard_view__name_sites(struct hp_guard_view *view, const struct hp_kallsyms *symbols);

/* In a window: the differences of the counters. */
struct hp_guard_window {
	uint64_t ns;
	uint64_t calls;
	uint64_t returned;
	uint64_t observed;
	uint64_t missed;
	uint64_t unread;
	int exercise_status; /* -1: there was no workload */
	bool interrupted;
};

struct hp_guard_proof_opts {
	uint64_t for_ns;
	const char *exercise; /* run this, the window ends with it; NULL: for_ns */
	bool until_live;      /* the window ends with the first calls that show it is live */
	uint64_t min_calls;   /* 0: one */
};

struct hp_guard_verdict {
	enum hp_verdict verdict;
	char reason[HP_VERDICT_REASON_MAX];
};

/*
 * Watch guard @name for a window, then read it into @view again. A guard that is gone, before or behind
 * it, has the verdict absent, and is no error.
 */
int hp_guard_proof__run(const char *name, const struct hp_guard_proof_opts *opts,
			struct hp_guard_view *view, struct hp_guard_window *window,
			struct hp_guard_verdict *verdict, struct hp_error *err);

/* Decide; depends on its arguments only. */
void hp_guard_proof__decide(const struct hp_guard_view *view, const struct hp_guard_window *window,
			    uint64_t min_calls, struct hp_guard_verdict *out);

#endif
