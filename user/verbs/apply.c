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
#include "proof/redirects.h"
#include "proof/sites.h"
#include "report/apply.h"
#include "state/journal.h"
#include "state/recover.h"
#include "verbs/apply_run.h"
#include "verbs/begin.h"
#include "verbs/restore.h"
#include "verbs/verbs.h"

#define DEFAULT_BUDGET_NS (30 * HP_NSEC_PER_SEC)

/* What a rollback may take: its transition is bounded by the tasks, not by the user's patience. */
#define ROLLBACK_NS	  (30 * HP_NSEC_PER_SEC)
#define ROLLBACK_WATCH_NS (HP_NSEC_PER_SEC)

/* An apply of a livepatch. */
struct apply {
	struct hp_apply_run run;
	bool keep_on_timeout;
	struct hp_klp_module *file;
	struct hp_sites *sites;
	struct hp_journal *journal;
	struct hp_journal_entry entry;
	uint64_t arm_ns; /* the observer is armed in two steps, around the baseline */
	uint64_t arm_start;
	bool searching; /* for call sites */
	bool complete;	/* every task has switched */
};

/*
 * Not to show how far it is in the middle of the report. The proof borrows the sites, but does not
 * use them any more. (It takes longer to go: its probes do, which nobody needs to wait for.)
 */
static void stop_searching(struct apply *a)
{
	if (a->sites)
		hp_sites__close(a->sites);
	a->sites = NULL;
}

static void apply_close(struct apply *a)
{
	stop_searching(a);
	hp_apply_run__release(&a->run);
	if (a->journal)
		hp_journal__close(a->journal);
	if (a->file)
		hp_klp_module__close(a->file);
}

static int read_targets(struct apply *a, struct hp_error *err)
{
	a->run.targets = calloc(a->file->target_count + 1, sizeof(*a->run.targets));
	if (!a->run.targets)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < a->file->target_count; i++) {
		const struct hp_klp_target *from = &a->file->targets[i];
		struct hp_target *to = &a->run.targets[i];

		snprintf(to->hotfix, sizeof(to->hotfix), "%s", a->file->name);
		snprintf(to->object, sizeof(to->object), "%s", from->object);
		snprintf(to->symbol, sizeof(to->symbol), "%s", from->symbol);
		snprintf(to->replacement, sizeof(to->replacement), "%s", from->replacement);
		to->sympos = from->sympos;
	}
	a->run.hotfix = (struct hp_hotfix){
		.name = a->file->name,
		.path = a->file->path,
		.fd = hp_klp_module__fd(a->file),
		.targets = a->run.targets,
		.target_count = a->file->target_count,
	};
	return 0;
}

static void record_arming(struct apply *a, uint64_t start)
{
	if (!a->arm_ns)
		a->arm_start = start;
	a->arm_ns += hp_now_ns() - start;
	hp_apply_report__phase(a->run.report, HP_PHASE_ARM, a->arm_start, a->arm_start + a->arm_ns);
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
	snprintf(a->run.report->livepatch, sizeof(a->run.report->livepatch), "%s", a->file->name);
	ret = hp_sites__start(&a->sites);
	if (ret)
		return hp_fail_errno(err, HP_E_NOMEM, ret, "cannot start a thread");
	ret = read_targets(a, err);
	ret = ret ?: hp_klp_loader__permitted(err);
	ret = ret ?: a->run.session.engine->open(&a->run.session.state, err);
	if (ret)
		return ret;
	start = hp_now_ns();
	ret = hp_proof__open(&a->run.proof, a->run.targets, a->run.hotfix.target_count,
			     &a->run.opts->proof, err);
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
	ret = ret ?: hp_journal__lock(a->journal, a->run.deadline, err);
	ret = ret
		      ?: a->run.session.engine->resolve(a->run.session.state, host.symbols,
							a->run.targets, a->run.hotfix.target_count,
							err);
	ret = ret ?: a->run.session.engine->prepare(a->run.session.state, &a->run.hotfix, err);
	if (!ret)
		ret = hp_journal_entry__init(&a->entry, a->run.session.engine->name,
					     a->run.hotfix.name, path, err);
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

	hp_proof__arm(a->run.proof, HP_POINT_OLD_BODY, (struct hp_arm_opts){ 0 });
	record_arming(a, start);
}

static int load(struct apply *a, struct hp_error *err)
{
	int ret = hp_apply_run__may_change(&a->run, err);

	ret = ret ?: hp_klp_module__unchanged(a->file, err);
	ret = ret ?: hp_journal__set_phase(a->journal, &a->entry, HP_PHASE_LOADING, err);
	if (ret)
		return ret;
	ret = hp_apply_run__activate(&a->run, err);
	if (ret)
		hp_journal__remove(a->journal, a->run.hotfix.name, NULL);
	return ret;
}

/* Undo the change after @why; the report says how that went. */
static int roll_back(struct apply *a, const struct hp_error *why, struct hp_error *err)
{
	struct hp_apply_report undo = { .verb = "apply", .begin_ns = a->run.report->begin_ns };
	struct hp_restore restore = {
		.session = a->run.session,
		.hotfix = a->run.hotfix.name,
		.proof = a->run.proof,
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
	hp_apply_report__phase(a->run.report, HP_PHASE_ROLLBACK, start, hp_now_ns());
	a->run.report->restoration = undo.restoration;
	hp_progress_free(&undo.progress);
	if (!ret && !undo.restoration.restored)
		ret = hp_fail(&undo_error, HP_E_STUCK, "%s", undo.restoration.reason);
	if (ret) {
		a->run.report->outcome = HP_OUTCOME_STUCK;
		return hp_fail(err, HP_E_STUCK, "%s; and the rollback failed: %s", why->message,
			       undo_error.message);
	}
	a->run.report->outcome = HP_OUTCOME_ROLLED_BACK;
	hp_journal__remove(a->journal, a->run.hotfix.name, NULL);
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
		hp_proof__find_sites(a->run.proof, a->sites);
	a->searching = true;
}

/* It is applied, whether the journal can be written or not. */
static void record_applied(struct apply *a)
{
	struct hp_error err = { 0 };

	a->run.report->outcome = HP_OUTCOME_APPLIED;
	if (hp_journal__set_phase(a->journal, &a->entry, HP_PHASE_APPLIED, &err))
		hp_warn("applied, but the journal does not know it: %s", err.message);
}

static bool is_complete(struct apply *a)
{
	struct hp_progress now = { 0 };
	bool complete = !a->run.session.engine->progress(a->run.session.state, a->run.hotfix.name,
							 false, &now, NULL) &&
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

		if (strcmp(entries[i].engine, a->run.session.engine->name))
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

	hp_apply_run__record_use(&a->run);
	ret = load(a, err);
	if (ret)
		return ret;
	ret = hp_apply_run__arm_replacements(&a->run, &why);
	if (!ret && !is_complete(a))
		find_sites(a);
	if (!ret)
		ret = hp_follow(a->run.session.engine, a->run.session.state, a->run.hotfix.name,
				"transition", a->run.deadline, true, &a->run.report->progress,
				&why);
	hp_apply_run__record_use(&a->run);
	if (ret < 0)
		return roll_back(a, &why, err);
	hp_apply_report__phase(a->run.report, HP_PHASE_TRANSITION, a->run.loaded, hp_now_ns());
	if (ret == HP_FOLLOW_COMPLETE) {
		hp_apply_report__phase(a->run.report, HP_PHASE_ALL_TASKS, a->run.loaded,
				       hp_now_ns());
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
		a->run.report->progress.total - a->run.report->progress.switched,
		a->run.report->progress.total);
	if (!a->keep_on_timeout)
		return roll_back(a, &why, err);
	hp_warn("%s: kept, as asked", why.message);
	record_applied(a);
	return 0;
}

static int run(struct apply *a, const char *path, struct hp_error *err)
{
	int ret = check(a, path, err);

	hp_apply_report__phase(a->run.report, HP_PHASE_CHECK, a->run.report->begin_ns,
			       hp_now_ns() - a->arm_ns);
	/* Old and new are timed in the same way: without BTF the new code has no fentry. */
	ret = ret ?: hp_apply_run__baseline(&a->run, !a->file->btf, err);
	if (ret)
		return ret;
	arm_old_code(a);
	ret = change(a, err);
	if (ret)
		return ret;
	find_sites(a);
	return hp_apply_run__prove(&a->run, a->complete, err);
}

HP_VERB(apply)
{
	struct hp_apply_opts opts = {
		.proof = { .point = hp_klp_engine.point, .callers = true },
		.budget_ns = DEFAULT_BUDGET_NS,
	};
	struct hp_apply_report report = { .verb = "apply", .begin_ns = hp_now_ns() };
	__cleanup(apply_close) struct apply a = {
		.run = {
			.opts = &opts,
			.session = { .engine = &hp_klp_engine },
			.report = &report,
		},
	};
	const struct hp_option options[] = {
		HP_APPLY_OPTIONS(opts),
		{ "min-coverage", HP_OPT_PERCENT, &opts.proof.min_coverage, "PCT",
		  "a target with fewer of its call sites redirected is not live (0)" },
		{ "keep-on-timeout", HP_OPT_FLAG, &a.keep_on_timeout, NULL,
		  "past the budget, leave the transition going on" },
		{ 0 },
	};
	struct hp_globals globals = { 0 };
	const struct hp_operands wanted = { 1, 1, "one livepatch module" };
	int status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	hp_interrupt_catch();
	opts.proof.time = opts.baseline_ns != 0;
	hp_apply_run__begin(&a.run, argv[first]);
	run(&a, argv[first], &report.error);
	stop_searching(&a);
	return hp_apply_run__finish(&a.run, &globals);
}
