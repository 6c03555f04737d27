// SPDX-License-Identifier: GPL-2.0
/* hotproof apply: apply a livepatch under a budget, and prove that it is live. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "engines/follow.h"
#include "engines/klp/klp.h"
#include "engines/klp/loader.h"
#include "hotfix/eligibility.h"
#include "hotfix/klp_module.h"
#include "proof/cost.h"
#include "proof/redirects.h"
#include "proof/sites.h"
#include "report/apply.h"
#include "report/junit.h"
#include "state/journal.h"
#include "state/recover.h"
#include "verbs/begin.h"
#include "verbs/change.h"
#include "verbs/restore.h"
#include "verbs/verbs.h"

#define DEFAULT_BUDGET_NS (30 * HP_NSEC_PER_SEC)
#define DEFAULT_WINDOW_NS (10 * HP_NSEC_PER_SEC)

/* What a rollback may take: its transition is bounded by the tasks, not by the user's patience. */
#define ROLLBACK_NS	  (30 * HP_NSEC_PER_SEC)
#define ROLLBACK_WATCH_NS (HP_NSEC_PER_SEC)

struct options {
	struct hp_proof_opts proof;
	uint64_t budget_ns;
	uint64_t baseline_ns;
	uint64_t for_ns;
	bool keep_on_timeout;
	const char *junit;
};

/* An apply in progress. */
struct apply {
	const struct options *opts;
	struct hp_session session;
	struct hp_klp_module *file;
	struct hp_target *targets;
	struct hp_hotfix hotfix;
	struct hp_sites *sites;
	struct hp_proof *proof;
	struct hp_journal *journal;
	struct hp_journal_entry entry;
	struct hp_apply_report *report;
	uint64_t deadline; /* of the budget; measuring does not use it up */
	uint64_t arm_ns;   /* the observer is armed in two steps, around the baseline */
	uint64_t arm_start;
	uint64_t loaded; /* when the module had been loaded */
	bool searching;	 /* for call sites */
	bool complete;	 /* every task has switched */
};

static void apply_close(struct apply *a)
{
	if (a->proof)
		hp_proof__close(a->proof);
	if (a->sites)
		hp_sites__close(a->sites);
	if (a->journal)
		hp_journal__close(a->journal);
	if (a->file)
		hp_klp_module__close(a->file);
	hp_session_close(&a->session);
	free(a->targets);
}

static int read_targets(struct apply *a, struct hp_error *err)
{
	a->targets = calloc(a->file->target_count + 1, sizeof(*a->targets));
	if (!a->targets)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < a->file->target_count; i++) {
		const struct hp_klp_target *from = &a->file->targets[i];
		struct hp_target *to = &a->targets[i];

		snprintf(to->hotfix, sizeof(to->hotfix), "%s", a->file->name);
		snprintf(to->object, sizeof(to->object), "%s", from->object);
		snprintf(to->symbol, sizeof(to->symbol), "%s", from->symbol);
		snprintf(to->replacement, sizeof(to->replacement), "%s", from->replacement);
		to->sympos = from->sympos;
	}
	a->hotfix = (struct hp_hotfix){
		.name = a->file->name,
		.path = a->file->path,
		.fd = hp_klp_module__fd(a->file),
		.targets = a->targets,
		.target_count = a->file->target_count,
	};
	return 0;
}

static void record_arming(struct apply *a, uint64_t start)
{
	if (!a->arm_ns)
		a->arm_start = start;
	a->arm_ns += hp_now_ns() - start;
	hp_apply_report__phase(a->report, HP_PHASE_ARM, a->arm_start, a->arm_start + a->arm_ns);
}

/*
 * The file, the engine and the observer: what the host must have at all. The symbols are read
 * meanwhile.
 */
static int open_all(struct apply *a, const char *path, struct hp_error *err)
{
	uint64_t start;
	int ret;

	ret = hp_klp_module__open(&a->file, path, err);
	if (ret)
		return ret;
	snprintf(a->report->livepatch, sizeof(a->report->livepatch), "%s", a->file->name);
	ret = hp_sites__start(&a->sites);
	if (ret)
		return hp_fail_errno(err, HP_E_NOMEM, ret, "cannot start a thread");
	ret = read_targets(a, err);
	ret = ret ?: hp_klp_loader__permitted(err);
	ret = ret ?: a->session.engine->open(&a->session.state, err);
	if (ret)
		return ret;
	start = hp_now_ns();
	ret = hp_proof__open(&a->proof, a->targets, a->hotfix.target_count, &a->opts->proof, err);
	record_arming(a, start);
	return ret;
}

/* Everything that can be refused is refused here, before the first change. */
static int check(struct apply *a, const char *path, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_eligibility__free) struct hp_eligibility *fit = NULL;
	struct hp_eligibility_host host = { .entries_elsewhere = true };
	char build_id[HP_BUILD_ID_TEXT_MAX];
	int ret;

	ret = open_all(a, path, err);
	ret = ret ?: hp_sites__symbols(a->sites, &host.symbols, err);
	ret = ret ?: hp_eligibility__check(&fit, a->file, &host, err);
	ret = ret ?: hp_eligibility__require(fit, err);
	/* What another hotproof changes must not change behind the checks that follow. */
	ret = ret ?: hp_journal__open(&a->journal, err);
	ret = ret ?: hp_journal__lock(a->journal, a->deadline, err);
	ret = ret
		      ?: a->session.engine->resolve(a->session.state, host.symbols, a->targets,
						    a->hotfix.target_count, err);
	ret = ret ?: a->session.engine->prepare(a->session.state, &a->hotfix, err);
	if (!ret)
		ret = hp_journal_entry__init(&a->entry, a->session.engine->name, a->hotfix.name,
					     path, err);
	if (ret)
		return ret;
	/* By these, recover knows the module again. */
	snprintf(a->entry.srcversion, sizeof(a->entry.srcversion), "%s", a->file->srcversion ?: "");
	snprintf(a->entry.build_id, sizeof(a->entry.build_id), "%s",
		 hp_build_id__format(&a->file->build_id, build_id));
	return 0;
}

/* From here on a call of the old code is seen. */
static void arm_old_code(struct apply *a)
{
	uint64_t start = hp_now_ns();

	hp_proof__arm(a->proof, HP_POINT_OLD_BODY, (struct hp_arm_opts){ 0 });
	record_arming(a, start);
}

/* Measure the old code; its probes are gone again before the module is loaded. */
static int measure_baseline(struct apply *a, struct hp_error *err)
{
	struct hp_window window = {
		.state = HP_PM_BASELINE,
		.role = HP_POINT_OLD_ENTRY,
		.for_ns = a->opts->baseline_ns,
		.exercise = a->opts->proof.exercise,
		.what = "measuring the old code",
	};
	uint64_t start = hp_now_ns(), took;
	int ret;

	if (!a->opts->baseline_ns)
		return 0;
	/* Old and new are to be timed in the same way: without BTF the new code has no fentry. */
	hp_proof__arm(a->proof, HP_POINT_OLD_ENTRY,
		      (struct hp_arm_opts){ .time = true, .no_trampoline = !a->file->btf });
	ret = hp_proof__window(a->proof, &window, err);
	if (!ret)
		ret = hp_cost__collect(a->proof, HP_MEASURE_OLD, HP_POINT_OLD_ENTRY, HP_PM_BASELINE,
				       &a->report->measure, err);
	hp_proof__disarm(a->proof, HP_POINT_OLD_ENTRY);
	took = hp_now_ns() - start;
	a->deadline += took;
	hp_apply_report__phase(a->report, HP_PHASE_BASELINE, start, start + took);
	if (!ret && hp_proof__last_window(a->proof)->interrupted)
		ret = hp_fail(err, HP_E_INTERRUPTED, "interrupted");
	return ret;
}

static int load(struct apply *a, struct hp_error *err)
{
	uint64_t start;
	int ret;

	if (hp_now_ns() >= a->deadline)
		return hp_fail(err, HP_E_BUDGET,
			       "the budget was used up before anything was changed");
	if (hp_interrupted())
		return hp_fail(err, HP_E_INTERRUPTED, "interrupted");
	ret = hp_klp_module__unchanged(a->file, err);
	ret = ret ?: hp_journal__set_phase(a->journal, &a->entry, HP_PHASE_LOADING, err);
	if (ret)
		return ret;
	hp_proof__set_state(a->proof, HP_PM_ACTIVATING);
	start = hp_now_ns();
	ret = a->session.engine->activate(a->session.state, &a->hotfix, err);
	if (ret) {
		hp_journal__remove(a->journal, a->hotfix.name, NULL);
		return ret;
	}
	hp_apply_report__phase(a->report, HP_PHASE_LOAD, start, hp_now_ns());
	return 0;
}

/* Now that the module is loaded, the replacements have addresses. */
static int arm_replacements(struct apply *a, struct hp_error *err)
{
	_cleanup_free_ struct hp_target *loaded = NULL;
	size_t count;
	int ret =
		a->session.engine->discover(a->session.state, a->hotfix.name, &loaded, &count, err);

	if (ret)
		return ret;
	for (size_t i = 0; i < a->hotfix.target_count; i++) {
		const struct hp_target *now = hp_redirects__find(loaded, count, &a->targets[i]);
		/* The old body was armed in this loading of its module, not in a later one. */
		uint64_t armed_in = a->targets[i].old_load;

		if (!now)
			continue;
		a->targets[i] = *now;
		if (armed_in)
			a->targets[i].old_load = armed_in;
	}
	hp_proof__arm(a->proof, HP_POINT_NEW_ENTRY,
		      (struct hp_arm_opts){ .time = a->opts->baseline_ns != 0 });
	return 0;
}

/* From the end of loading to the first call that a replacement took, if one came yet. */
static void record_first_call(struct apply *a)
{
	struct hp_observer *obs = hp_watch__observer(hp_proof__watch(a->proof));
	uint64_t first = 0;

	for (size_t i = 0; i < a->hotfix.target_count; i++) {
		for (int state = HP_PM_ACTIVATING; state <= HP_PM_ACTIVE; state++) {
			struct hp_counts c;

			if (!hp_observer__read(obs, i, HP_POINT_NEW_ENTRY, state, &c) &&
			    c.first_ns && (!first || c.first_ns < first))
				first = c.first_ns;
		}
	}
	if (first)
		hp_apply_report__phase(a->report, HP_PHASE_FIRST_CALL, a->loaded,
				       first > a->loaded ? first : a->loaded);
}

/* How much of the budget is used: measuring does not count. */
static void record_use(struct apply *a)
{
	a->report->used_ns =
		hp_now_ns() - a->report->begin_ns - a->report->phase[HP_PHASE_BASELINE].took_ns;
}

/* Undo the change after @why; the report says how that went. */
static int roll_back(struct apply *a, const struct hp_error *why, struct hp_error *err)
{
	struct hp_apply_report undo = { .verb = "apply", .begin_ns = a->report->begin_ns };
	struct hp_restore restore = {
		.session = a->session,
		.hotfix = a->hotfix.name,
		.proof = a->proof,
		.deadline = hp_now_ns() + ROLLBACK_NS,
		/* Whoever calls the old code by himself shows it; the workload is not run again. */
		.window = {
			.state = HP_PM_BASELINE,
			.role = HP_POINT_OLD_BODY,
			.for_ns = ROLLBACK_WATCH_NS,
			.until_exercised = true,
			.uninterruptible = true,
			.what = "watching the old code",
		},
		.report = &undo,
	};
	struct hp_error undo_error = { 0 };
	uint64_t start = hp_now_ns();
	int ret;

	hp_warn("%s: rolling back", why->message);
	ret = hp_restore(&restore, &undo_error);
	hp_apply_report__phase(a->report, HP_PHASE_ROLLBACK, start, hp_now_ns());
	a->report->restoration = undo.restoration;
	hp_progress_free(&undo.progress);
	if (!ret && !undo.restoration.restored)
		ret = hp_fail(&undo_error, HP_E_STUCK, "%s", undo.restoration.reason);
	if (ret) {
		a->report->outcome = HP_OUTCOME_STUCK;
		return hp_fail(err, HP_E_STUCK, "%s; and the rollback failed: %s", why->message,
			       undo_error.message);
	}
	a->report->outcome = HP_OUTCOME_ROLLED_BACK;
	hp_journal__remove(a->journal, a->hotfix.name, NULL);
	*err = *why;
	return -ECANCELED;
}

/*
 * Look for call sites now. Not before the kernel has tried for the first time to complete the
 * transition, which it does while it loads the module: a task that is running then keeps it from
 * succeeding, and the next try comes a second later.
 */
static void find_sites(struct apply *a)
{
	if (!a->searching)
		hp_proof__find_sites(a->proof, a->sites);
	a->searching = true;
}

/* It is applied, whether the journal can be written or not. */
static void record_applied(struct apply *a)
{
	struct hp_error err = { 0 };

	a->report->outcome = HP_OUTCOME_APPLIED;
	if (hp_journal__set_phase(a->journal, &a->entry, HP_PHASE_APPLIED, &err))
		hp_warn("applied, but the journal does not know it: %s", err.message);
}

static bool is_complete(struct apply *a)
{
	struct hp_progress now = { 0 };
	bool complete =
		!a->session.engine->progress(a->session.state, a->hotfix.name, false, &now, NULL) &&
		now.complete;

	hp_progress_free(&now);
	return complete;
}

/* An atomic replace takes the earlier ones away: there is nothing of them to recover. */
static void forget_replaced(struct apply *a)
{
	_cleanup_free_ struct hp_journal_entry *entries = NULL;
	size_t count;

	if (a->file->replace == HP_KLP_REPLACE_NO ||
	    hp_journal__list(a->journal, &entries, &count, NULL))
		return;
	for (size_t i = 0; i < count; i++) {
		struct hp_recover_facts facts;
		char why[160];

		if (strcmp(entries[i].engine, a->session.engine->name))
			continue;
		hp_recover__look(&entries[i], &facts);
		if (hp_recover__decide(&entries[i], &facts, why, sizeof(why)) == HP_RECOVER_FORGET)
			hp_journal__remove(a->journal, entries[i].hotfix, NULL);
	}
}

/* The change itself: load, and follow the tasks under the budget. */
static int change(struct apply *a, struct hp_error *err)
{
	struct hp_error why = { 0 };
	int ret;

	record_use(a);
	ret = load(a, err);
	if (ret)
		return ret;
	a->loaded = hp_now_ns();
	ret = arm_replacements(a, &why);
	if (!ret && !is_complete(a))
		find_sites(a);
	if (!ret)
		ret = hp_follow(a->session.engine, a->session.state, a->hotfix.name, "transition",
				a->deadline, true, &a->report->progress, &why);
	record_use(a);
	if (ret < 0)
		return roll_back(a, &why, err);
	hp_apply_report__phase(a->report, HP_PHASE_TRANSITION, a->loaded, hp_now_ns());
	if (ret == HP_FOLLOW_COMPLETE) {
		hp_apply_report__phase(a->report, HP_PHASE_ALL_TASKS, a->loaded, hp_now_ns());
		a->complete = true;
		record_applied(a);
		forget_replaced(a);
		return 0;
	}
	if (ret == HP_FOLLOW_INTERRUPTED) {
		hp_fail(&why, HP_E_INTERRUPTED, "interrupted");
		return roll_back(a, &why, err);
	}
	hp_fail(&why, HP_E_BUDGET, "%u of %u tasks had not switched at the end of the budget",
		a->report->progress.total - a->report->progress.switched,
		a->report->progress.total);
	if (!a->opts->keep_on_timeout)
		return roll_back(a, &why, err);
	hp_warn("%s: kept, as asked", why.message);
	record_applied(a);
	return 0;
}

static int prove(struct apply *a, struct hp_error *err)
{
	const struct options *o = a->opts;
	struct hp_window window = {
		/* Old code may still be called while a transition that was kept goes on. */
		.state = a->complete ? HP_PM_ACTIVE : HP_PM_ACTIVATING,
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

	find_sites(a);
	ret = hp_proof__window(a->proof, &window, err);
	if (!ret)
		ret = hp_redirects__decide(a->session.engine, a->session.state, a->proof,
					   HP_PM_ACTIVE, a->targets, a->hotfix.target_count, NULL,
					   &a->report->verify, err);
	if (ret)
		return ret;
	hp_apply_report__phase(a->report, HP_PHASE_VERIFIED, start, hp_now_ns());
	record_first_call(a);
	a->report->verified = true;
	if (hp_proof__last_window(a->proof)->interrupted)
		return hp_fail(err, HP_E_CUT_SHORT,
			       "applied, and interrupted while it was verified");
	if (!o->baseline_ns)
		return 0;
	ret = hp_cost__collect(a->proof, HP_MEASURE_NEW, HP_POINT_NEW_ENTRY, HP_PM_ACTIVE,
			       &a->report->measure, err);
	ret = ret ?: hp_cost__finish(a->proof, &a->report->measure, err);
	a->report->measured = !ret;
	return ret;
}

static int run(struct apply *a, const char *path, struct hp_error *err)
{
	int ret;

	ret = check(a, path, err);
	hp_apply_report__phase(a->report, HP_PHASE_CHECK, a->report->begin_ns,
			       hp_now_ns() - a->arm_ns);
	ret = ret ?: measure_baseline(a, err);
	if (ret)
		return ret;
	arm_old_code(a);
	ret = change(a, err);
	if (ret)
		return ret;
	return prove(a, err);
}

HP_VERB(apply)
{
	struct options opts = {
		.proof = { .point = hp_klp_engine.point, .callers = true },
		.budget_ns = DEFAULT_BUDGET_NS,
	};
	const struct hp_option options[] = {
		{ "budget", HP_OPT_DURATION, &opts.budget_ns, "TIME",
		  "deadline of the change; past it, it is rolled back (30s)" },
		{ "baseline", HP_OPT_DURATION, &opts.baseline_ns, "TIME",
		  "first measure the old code for so long, then compare (off)" },
		{ "exercise", HP_OPT_STRING, &opts.proof.exercise, "CMD",
		  "run this workload while measuring and while verifying" },
		{ "for", HP_OPT_DURATION, &opts.for_ns, "TIME",
		  "wait for calls at most so long (10s; with --exercise until it ends)" },
		{ "min-calls", HP_OPT_UINT, &opts.proof.min_calls, "N",
		  "a target with fewer redirected calls is not live (1)" },
		{ "min-coverage", HP_OPT_PERCENT, &opts.proof.min_coverage, "PCT",
		  "a target with fewer of its call sites redirected is not live (0)" },
		{ "junit", HP_OPT_STRING, &opts.junit, "FILE", "write a JUnit report too" },
		{ "keep-on-timeout", HP_OPT_FLAG, &opts.keep_on_timeout, NULL,
		  "past the budget, leave the transition going on" },
		{ 0 },
	};
	struct hp_apply_report report = { .verb = "apply", .begin_ns = hp_now_ns() };
	__cleanup(apply_close) struct apply a = {
		.opts = &opts,
		.session = { .engine = &hp_klp_engine },
		.report = &report,
	};
	struct hp_globals globals = { 0 };
	const struct hp_operands wanted = { 1, 1, "one livepatch module" };
	int status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	hp_interrupt_catch();
	opts.proof.time = opts.baseline_ns != 0;
	report.outcome = HP_OUTCOME_REFUSED;
	report.file = argv[first];
	report.budget_ns = opts.budget_ns;
	a.deadline = report.begin_ns + opts.budget_ns;

	run(&a, argv[first], &report.error);
	if (report.verified && opts.junit)
		hp_junit__write(&report.verify, opts.junit, &report.error);
	return hp_change_finish(&report, &globals);
}
