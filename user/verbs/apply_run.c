// SPDX-License-Identifier: GPL-2.0
/* An apply in progress: the steps that are the same for every engine. */
#include "verbs/apply_run.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "proof/cost.h"
#include "proof/redirects.h"
#include "report/junit.h"
#include "verbs/change.h"

#define DEFAULT_WINDOW_NS (10 * HP_NSEC_PER_SEC)

void hp_apply_run__begin(struct hp_apply_run *run, const char *path)
{
	run->report->outcome = HP_OUTCOME_REFUSED;
	run->report->file = path;
	run->report->budget_ns = run->opts->budget_ns;
	run->deadline = run->report->begin_ns + run->opts->budget_ns;
}

void hp_apply_run__release(struct hp_apply_run *run)
{
	if (run->proof)
		hp_proof__close(run->proof);
	hp_session_close(&run->session);
	free(run->targets);
}

int hp_apply_run__baseline(struct hp_apply_run *run, bool no_trampoline, struct hp_error *err)
{
	struct hp_window window = {
		.state = HP_PM_BASELINE,
		.role = HP_POINT_OLD_ENTRY,
		.for_ns = run->opts->baseline_ns,
		.exercise = run->opts->proof.exercise,
		.what = "measuring the old code",
	};
	uint64_t start = hp_now_ns(), took;
	int ret;

	if (!run->opts->baseline_ns)
		return 0;
	hp_proof__arm(run->proof, HP_POINT_OLD_ENTRY,
		      (struct hp_arm_opts){ .time = true, .no_trampoline = no_trampoline });
	ret = hp_proof__window(run->proof, &window, err);
	if (!ret)
		ret = hp_cost__collect(run->proof, HP_MEASURE_OLD, HP_POINT_OLD_ENTRY,
				       HP_PM_BASELINE, &run->report->measure, err);
	hp_proof__disarm(run->proof, HP_POINT_OLD_ENTRY);
	took = hp_now_ns() - start;
	run->deadline += took;
	hp_apply_report__phase(run->report, HP_PHASE_BASELINE, start, start + took);
	if (!ret && hp_proof__last_window(run->proof)->interrupted)
		ret = hp_fail(err, HP_E_INTERRUPTED, "interrupted");
	return ret;
}

int hp_apply_run__may_change(const struct hp_apply_run *run, struct hp_error *err)
{
	if (hp_now_ns() >= run->deadline)
		return hp_fail(err, HP_E_BUDGET,
			       "the budget was used up before anything was changed");
	if (hp_interrupted())
		return hp_fail(err, HP_E_INTERRUPTED, "interrupted");
	return 0;
}

int hp_apply_run__activate(struct hp_apply_run *run, struct hp_error *err)
{
	uint64_t start;
	int ret;

	hp_proof__set_state(run->proof, HP_PM_ACTIVATING);
	start = hp_now_ns();
	ret = run->session.engine->activate(run->session.state, &run->hotfix, err);
	if (ret)
		return ret;
	run->loaded = hp_now_ns();
	hp_apply_report__phase(run->report, HP_PHASE_LOAD, start, run->loaded);
	return 0;
}

int hp_apply_run__arm_replacements(struct hp_apply_run *run, struct hp_error *err)
{
	_cleanup_free_ struct hp_target *loaded = NULL;
	size_t count;
	int ret = run->session.engine->discover(run->session.state, run->hotfix.name, &loaded,
						&count, err);

	if (ret)
		return ret;
	for (size_t i = 0; i < run->hotfix.target_count; i++) {
		const struct hp_target *now = hp_redirects__find(loaded, count, &run->targets[i]);
		struct hp_target armed = run->targets[i];

		if (!now)
			continue;
		run->targets[i] = *now;
		/* The old body was armed in this loading of its module, not in a later one, */
		if (armed.old_load)
			run->targets[i].old_load = armed.old_load;
		/* and read when no probe stood in it. */
		if (armed.old_addr == now->old_addr) {
			run->targets[i].old_loops = armed.old_loops;
			run->targets[i].old_branch = armed.old_branch;
			run->targets[i].old_branch_depth = armed.old_branch_depth;
		}
	}
	hp_proof__arm(run->proof, HP_POINT_NEW_ENTRY,
		      (struct hp_arm_opts){ .time = run->opts->baseline_ns != 0 });
	return 0;
}

void hp_apply_run__record_use(struct hp_apply_run *run)
{
	run->report->used_ns =
		hp_now_ns() - run->report->begin_ns - run->report->phase[HP_PHASE_BASELINE].took_ns;
}

/* From the change to the first call that a replacement took, if one came yet. */
static void record_first_call(struct hp_apply_run *run)
{
	struct hp_observer *obs = hp_watch__observer(hp_proof__watch(run->proof));
	uint64_t first = 0;

	for (size_t i = 0; i < run->hotfix.target_count; i++) {
		for (int state = HP_PM_ACTIVATING; state <= HP_PM_ACTIVE; state++) {
			struct hp_counts c;

			if (!hp_observer__read(obs, i, HP_POINT_NEW_ENTRY, state, &c) &&
			    c.first_ns && (!first || c.first_ns < first))
				first = c.first_ns;
		}
	}
	if (first)
		hp_apply_report__phase(run->report, HP_PHASE_FIRST_CALL, run->loaded,
				       first > run->loaded ? first : run->loaded);
}

static int compare(struct hp_apply_run *run, struct hp_error *err)
{
	int ret = hp_cost__collect(run->proof, HP_MEASURE_NEW, HP_POINT_NEW_ENTRY, HP_PM_ACTIVE,
				   &run->report->measure, err);

	ret = ret ?: hp_cost__finish(run->proof, &run->report->measure, err);
	run->report->measured = !ret;
	return ret;
}

int hp_apply_run__prove(struct hp_apply_run *run, bool complete, struct hp_error *err)
{
	const struct hp_apply_opts *o = run->opts;
	struct hp_window window = {
		.state = HP_PM_ACTIVE,
		.role = HP_POINT_NEW_ENTRY,
		.for_ns = o->for_ns ?: (o->proof.exercise ? 0 : DEFAULT_WINDOW_NS),
		.exercise = o->proof.exercise,
		/* Nothing else was asked for: the first calls of each target show it. */
		.until_exercised = !o->proof.exercise && !o->for_ns && o->proof.min_coverage <= 0,
		.min_calls = o->proof.min_calls,
		.what = "verifying",
	};
	uint64_t start = hp_now_ns();
	int ret;

	if (!complete)
		hp_proof__set_incomplete(run->proof);
	ret = hp_proof__window(run->proof, &window, err);
	if (!ret)
		ret = hp_redirects__decide(run->session.engine, run->session.state, run->proof,
					   HP_PM_ACTIVE, run->targets, run->hotfix.target_count,
					   NULL, &run->report->verify, err);
	if (ret)
		return ret;
	hp_apply_report__phase(run->report, HP_PHASE_VERIFIED, start, hp_now_ns());
	record_first_call(run);
	run->report->verified = true;
	if (hp_proof__last_window(run->proof)->interrupted)
		return hp_fail(err, HP_E_CUT_SHORT,
			       "applied, and interrupted while it was verified");
	return o->baseline_ns ? compare(run, err) : 0;
}

int hp_apply_run__finish(struct hp_apply_run *run, const struct hp_globals *globals)
{
	struct hp_error failure = run->report->error;

	/* What an earlier run wrote there must not stand for this one. */
	if (run->opts->junit)
		hp_junit__write(&run->report->verify, &failure, run->opts->junit,
				&run->report->error);
	return hp_change_finish(run->report, globals);
}
