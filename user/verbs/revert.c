// SPDX-License-Identifier: GPL-2.0
/* hotproof revert: disable and unload a livepatch, and prove that calls reach the old code again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "engines/follow.h"
#include "engines/loaded.h"
#include "report/apply.h"
#include "state/journal.h"
#include "verbs/begin.h"
#include "verbs/change.h"
#include "verbs/restore.h"
#include "verbs/verbs.h"

#define DEFAULT_BUDGET_NS (30 * HP_NSEC_PER_SEC)
#define DEFAULT_WINDOW_NS (2 * HP_NSEC_PER_SEC)

struct options {
	struct hp_proof_opts proof;
	uint64_t budget_ns;
	uint64_t for_ns;
};

/* A revert in progress. */
struct revert {
	const struct options *opts;
	struct hp_session session;
	struct hp_target *targets;
	size_t count;
	struct hp_proof *proof;
	struct hp_journal *journal;
	struct hp_journal_entry entry;
	bool journaled; /* hotproof applied it */
	uint64_t deadline;
	struct hp_apply_report *report;
};

static void revert_close(struct revert *r)
{
	if (r->proof)
		hp_proof__close(r->proof);
	if (r->journal)
		hp_journal__close(r->journal);
	hp_session_close(&r->session);
	free(r->targets);
}

static int check(struct revert *r, const char *name, struct hp_error *err)
{
	int ret;

	ret = r->session.engine->open(&r->session.state, err);
	ret = ret
		      ?: r->session.engine->discover(r->session.state, name, &r->targets, &r->count,
						     err);
	ret = ret ?: hp_journal__open(&r->journal, err);
	ret = ret ?: hp_journal__lock(r->journal, r->deadline, err);
	if (ret)
		return ret;
	r->journaled = !hp_journal__read(r->journal, name, &r->entry, NULL);
	return 0;
}

static int arm(struct revert *r, struct hp_error *err)
{
	uint64_t start = hp_now_ns();
	int ret = hp_proof__open(&r->proof, r->targets, r->count, &r->opts->proof, err);

	if (ret)
		return ret;
	hp_proof__arm(r->proof, HP_POINT_OLD_BODY, (struct hp_arm_opts){ 0 });
	hp_proof__arm(r->proof, HP_POINT_NEW_ENTRY, (struct hp_arm_opts){ 0 });
	hp_apply_report__phase(r->report, HP_PHASE_ARM, start, hp_now_ns());
	return 0;
}

/* It stays applied. */
static void record_applied(struct revert *r)
{
	struct hp_error err = { 0 };

	if (r->journaled && hp_journal__set_phase(r->journal, &r->entry, HP_PHASE_APPLIED, &err))
		hp_warn("the journal does not know that it stays: %s", err.message);
}

/* The tasks did not go back in time: let the livepatch be as it was. */
static int give_up(struct revert *r, const char *name, const struct hp_error *why,
		   struct hp_error *err)
{
	struct hp_error failure = { 0 };
	struct hp_progress back = { 0 };
	uint64_t start = hp_now_ns();
	int ret;

	hp_warn("%s: enabling it again", why->message);
	ret = r->session.engine->cancel_revert(r->session.state, name, &failure);
	if (!ret)
		ret = hp_follow(r->session.engine, r->session.state, name, "enabling again",
				start + DEFAULT_BUDGET_NS, false, &back, &failure);
	hp_progress_free(&back);
	hp_apply_report__phase(r->report, HP_PHASE_ROLLBACK, start, hp_now_ns());
	if (ret) {
		r->report->outcome = HP_OUTCOME_STUCK;
		return hp_fail(err, HP_E_STUCK, "%s; and it could not be enabled again: %s",
			       why->message,
			       failure.reason ? failure.message : "the tasks do not switch");
	}
	r->report->outcome = HP_OUTCOME_ROLLED_BACK;
	record_applied(r);
	*err = *why;
	return -ECANCELED;
}

static int run(struct revert *r, const char *name, struct hp_error *err)
{
	struct hp_restore restore = {
		.hotfix = name,
		.deadline = r->deadline,
		.window = {
			.state = HP_PM_BASELINE,
			.role = HP_POINT_OLD_BODY,
			.for_ns = r->opts->for_ns ?:
				  (r->opts->proof.exercise ? 0 : DEFAULT_WINDOW_NS),
			.exercise = r->opts->proof.exercise,
			.until_exercised = !r->opts->proof.exercise && !r->opts->for_ns,
			.what = "watching the old code",
		},
		.report = r->report,
	};
	struct hp_error why = { 0 };
	int ret;

	ret = check(r, name, err);
	hp_apply_report__phase(r->report, HP_PHASE_CHECK, r->report->begin_ns, hp_now_ns());
	ret = ret ?: arm(r, err);
	if (!ret && r->journaled)
		ret = hp_journal__set_phase(r->journal, &r->entry, HP_PHASE_REVERTING, err);
	if (ret)
		return ret;
	restore.session = r->session;
	restore.proof = r->proof;
	ret = hp_restore(&restore, &why);
	r->report->used_ns =
		hp_now_ns() - r->report->begin_ns - r->report->phase[HP_PHASE_VERIFIED].took_ns;
	if (ret && restore.begun && !restore.complete)
		return give_up(r, name, &why, err);
	if (ret) {
		r->report->outcome = restore.begun ? HP_OUTCOME_STUCK : HP_OUTCOME_REFUSED;
		if (!restore.begun)
			record_applied(r);
		*err = why;
		return ret;
	}
	r->report->outcome = HP_OUTCOME_REVERTED;
	if (r->journaled)
		ret = hp_journal__remove(r->journal, name, err);
	if (!ret && hp_proof__last_window(r->proof)->interrupted)
		ret = hp_fail(err, HP_E_INTERRUPTED,
			      "reverted, and interrupted while the old code was watched");
	return ret;
}

HP_VERB(revert)
{
	struct options opts = {
		.proof = { .point = hp_loaded_engine.point },
		.budget_ns = DEFAULT_BUDGET_NS,
	};
	const struct hp_option options[] = {
		{ "budget", HP_OPT_DURATION, &opts.budget_ns, "TIME",
		  "deadline of the change; past it, the livepatch stays (30s)" },
		{ "exercise", HP_OPT_STRING, &opts.proof.exercise, "CMD",
		  "run this workload to see the old code called" },
		{ "for", HP_OPT_DURATION, &opts.for_ns, "TIME",
		  "wait for calls at most so long (2s; with --exercise until it ends)" },
		{ 0 },
	};
	struct hp_apply_report report = { .verb = "revert", .begin_ns = hp_now_ns() };
	__cleanup(revert_close) struct revert r = {
		.opts = &opts,
		.session = { .engine = &hp_loaded_engine },
		.report = &report,
	};
	struct hp_globals globals = { 0 };
	const struct hp_operands wanted = { 1, 1, "one livepatch" };
	int status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	hp_interrupt_catch();
	report.budget_ns = opts.budget_ns;
	r.deadline = report.begin_ns + opts.budget_ns;
	snprintf(report.livepatch, sizeof(report.livepatch), "%s", argv[first]);
	run(&r, argv[first], &report.error);
	return hp_change_finish(&report, &globals);
}
