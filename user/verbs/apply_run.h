/* SPDX-License-Identifier: GPL-2.0 */
/* An apply in progress: the steps that are the same for every engine whose redirects the kernel holds. */
#ifndef HP_VERBS_APPLY_RUN_H
#define HP_VERBS_APPLY_RUN_H

#include "base/options.h"
#include "proof/proof.h"
#include "report/apply.h"
#include "verbs/session.h"

struct hp_apply_opts {
	struct hp_proof_opts proof;
	uint64_t budget_ns;
	uint64_t baseline_ns; /* 0: no baseline */
	uint64_t for_ns;      /* 0: until the workload ends, or the default */
	const char *junit;
};

/* The options that each apply has; @o is its struct hp_apply_opts. */
#define HP_APPLY_OPTIONS(o)                                                                \
	{ "budget", HP_OPT_DURATION, &(o).budget_ns, "TIME",                               \
	  "deadline of the change; past it, it is rolled back (30s)" },                    \
		{ "baseline", HP_OPT_DURATION, &(o).baseline_ns, "TIME",                   \
		  "first measure the old code for so long, then compare (off)" },          \
		{ "exercise", HP_OPT_STRING, &(o).proof.exercise, "CMD",                   \
		  "run this workload while measuring and while verifying" },               \
		{ "for", HP_OPT_DURATION, &(o).for_ns, "TIME",                             \
		  "wait for calls at most so long (10s; with --exercise until it ends)" }, \
		{ "min-calls", HP_OPT_UINT, &(o).proof.min_calls, "N",                     \
		  "a target with fewer redirected calls is not live (1)" },                \
	{                                                                                  \
		"junit", HP_OPT_STRING, &(o).junit, "FILE", "write a JUnit report too"     \
	}

struct hp_apply_run {
	const struct hp_apply_opts *opts;
	struct hp_session session;
	struct hp_target *targets; /* owned, as the hotfix's */
	struct hp_hotfix hotfix;
	struct hp_proof *proof; /* owned */
	struct hp_apply_report *report;
	uint64_t deadline; /* of the budget; measuring does not use it up */
	uint64_t loaded;   /* when the change was made, of hp_now_ns() */
};

/* Note what the report says from the first moment on, of the hotfix in the file @path. */
void hp_apply_run__begin(struct hp_apply_run *run, const char *path);
void hp_apply_run__release(struct hp_apply_run *run);

/*
 * Measure the old code, if that was asked for; its probes are gone again behind it, and the deadline is
 * so much later. @no_trampoline: the new code will have none either, and both are timed alike.
 */
int hp_apply_run__baseline(struct hp_apply_run *run, bool no_trampoline, struct hp_error *err);

/* The last moment at which nothing has been changed: is there time left, and did no signal come? */
int hp_apply_run__may_change(const struct hp_apply_run *run, struct hp_error *err);

/* Make the change. After an error nothing is changed. */
int hp_apply_run__activate(struct hp_apply_run *run, struct hp_error *err);

/* The replacements have addresses now: count their calls. */
int hp_apply_run__arm_replacements(struct hp_apply_run *run, struct hp_error *err);

/* How much of the budget is used until now. */
void hp_apply_run__record_use(struct hp_apply_run *run);

/*
 * Watch calls until there is a verdict. @complete: every task has switched; otherwise old code may
 * still be called.
 */
int hp_apply_run__prove(struct hp_apply_run *run, bool complete, struct hp_error *err);

/* Write the JUnit report that was asked for, print the report, free it. An exit status. */
int hp_apply_run__finish(struct hp_apply_run *run, const struct hp_globals *globals);

#endif
