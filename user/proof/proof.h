/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A proof: from targets to verdicts. It watches the targets' points for a window, puts what was
 * seen together with what the engine says of the redirects, and decides. verify, apply and revert
 * each are a few steps of it.
 */
#ifndef HP_PROOF_PROOF_H
#define HP_PROOF_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "engines/engine.h"
#include "observe/watch.h"
#include "report/verify.h"

struct hp_proof;
struct hp_sites;

/*
 * Where calls of @target can be counted: the engine's answer. -ENOENT when the target has no such
 * point (its object is not loaded).
 */
typedef int hp_point_fn(const struct hp_target *target, enum hp_point_role role,
			struct hp_point *point);

struct hp_proof_opts {
	hp_point_fn *point;
	bool callers;	      /* keep call sites */
	bool time;	      /* the baseline and the replacement may be timed */
	const char *exercise; /* a workload to run in windows, or NULL */
	uint64_t for_ns;      /* how long a window lasts; 0 with a workload: until it ends */
	bool until_exercised;
	uint64_t min_calls;  /* what a target needs to be live; 0: one call */
	double min_coverage; /* percent of countable call sites, 0: no such wish */
};

/*
 * Load the observer for @count targets; @targets is borrowed, and may be changed in place (an
 * address that is known later) until the point in question is armed. 0 or a negative errno.
 */
int hp_proof__open(struct hp_proof **out, const struct hp_target *targets, size_t count,
		   const struct hp_proof_opts *opts, struct hp_error *err);
void hp_proof__close(struct hp_proof *proof);
HP_DEFINE_CLEANUP(struct hp_proof *, hp_proof__close)

/*
 * Look for the targets' call sites with @sites, in the background, from now on: their old addresses
 * are known. @sites is borrowed until the proof is closed.
 */
void hp_proof__find_sites(struct hp_proof *proof, struct hp_sites *sites);

struct hp_watch *hp_proof__watch(struct hp_proof *proof);
size_t hp_proof__count(const struct hp_proof *proof);
const struct hp_target *hp_proof__target(const struct hp_proof *proof, size_t i);
const char *hp_proof__exercise(const struct hp_proof *proof);

/* How a role's points are to be observed. */
struct hp_arm_opts {
	bool time;	    /* entry and exit */
	bool no_trampoline; /* not even where one may stand: to time old and new the same way */
};

/*
 * Arm one role's point of every target, as far as the target has one (an unloaded object has no
 * old body). What cannot be armed is kept as an obstacle and shows in the verdict.
 */
void hp_proof__arm(struct hp_proof *proof, enum hp_point_role role, struct hp_arm_opts opts);
void hp_proof__disarm(struct hp_proof *proof, enum hp_point_role role);

/*
 * Run a window (hp_watch__run()). A window of its own workload, of none, or of that of the options:
 * ->exercise says it.
 */
int hp_proof__window(struct hp_proof *proof, const struct hp_window *window, struct hp_error *err);

/* Flip all targets, outside of a window. */
void hp_proof__set_state(struct hp_proof *proof, enum hp_pm_state state);

/* Target @i need not be called for a window to be over: it is superseded, or only context. */
void hp_proof__set_optional(struct hp_proof *proof, size_t i);

/* A transition goes on: calls of the old code, until it is complete, are as they should be. */
void hp_proof__set_incomplete(struct hp_proof *proof);

/* The last window. */
const struct hp_window_result *hp_proof__last_window(const struct hp_proof *proof);

/* What the engine says about target @i right now; the proof asks for it when it decides. */
struct hp_redirect_state {
	bool registered;
	bool transition;
	const char *moved; /* why its points may not be where they were armed; NULL: they are */
	uint32_t switched; /* reach */
	uint32_t total;
	struct hp_read_back read_back;
};

/*
 * Decide about all targets, from the calls of @state and @redirects (one for each target), and
 * fill @report, which is then the caller's (hp_verify_report__free()). Targets whose @hidden is
 * set were watched only because they supersede others; NULL: none.
 */
int hp_proof__decide(struct hp_proof *proof, enum hp_pm_state state,
		     const struct hp_redirect_state *redirects, const bool *hidden,
		     struct hp_verify_report *report, struct hp_error *err);

#endif
