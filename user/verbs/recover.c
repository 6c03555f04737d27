// SPDX-License-Identifier: GPL-2.0
/* hotproof recover: clean up after a hotproof that was killed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "engines/klp/klp.h"
#include "engines/proc/survey.h"
#include "report/error.h"
#include "report/json.h"
#include "report/recover.h"
#include "state/journal.h"
#include "state/recover.h"
#include "verbs/begin.h"
#include "verbs/guard.h"
#include "verbs/process_journal.h"
#include "verbs/program.h"
#include "verbs/verbs.h"

#define DEFAULT_BUDGET (30 * HP_NSEC_PER_SEC)

/* Whoever holds the lock that long is at work, not on its way out. */
#define LOCK_WAIT (200 * HP_NSEC_PER_MSEC)

static int undo(struct hp_journal *journal, struct hp_recovery *r, uint64_t budget)
{
	struct hp_journal_entry entry = r->entry; /* the report shows what was found */
	struct hp_engine_state *state;
	int ret = hp_klp_engine.open(&state, &r->err);

	if (ret)
		return ret;
	/* So that a recover that is killed as well leaves the right trace. */
	ret = hp_journal__set_phase(journal, &entry, HP_PHASE_REVERTING, &r->err);
	ret = ret
		      ?: hp_engine__undo(&hp_klp_engine, state, r->entry.hotfix,
					 hp_now_ns() + budget, &r->err);
	hp_klp_engine.close(state);
	return ret;
}

/* What is by half in a process is taken away there; what is whole elsewhere stays. */
static int undo_in_processes(struct hp_journal *journal, struct hp_recovery *r, uint64_t budget,
			     size_t *whole)
{
	struct hp_proc_opts opts = { .deadline = hp_now_ns() + budget };
	_cleanup_free_ struct hp_outcome_record *records = NULL;
	struct hp_journal_entry entry = r->entry;
	struct hp_proc_survey survey;
	struct hp_build_id id;
	int ret;

	if (hp_build_id__parse(&id, entry.build_id))
		return hp_fail(&r->err, HP_E_INTERNAL, "the entry has no build-id");
	ret = hp_proc_survey__make(&survey, entry.file, &id, &r->err);
	if (ret)
		return ret;
	*whole = survey.whole;
	records = calloc(survey.half_count + 1, sizeof(*records));
	if (!records)
		ret = hp_fail(&r->err, HP_E_NOMEM, "out of memory");
	ret = ret ?: hp_journal__set_phase(journal, &entry, HP_PHASE_REVERTING, &r->err);
	for (size_t i = 0; i < survey.half_count && !ret; i++)
		records[i].process = survey.half[i];
	if (!ret)
		hp_proc__revert(survey.proc, records, survey.half_count, &opts);
	for (size_t i = 0; i < survey.half_count && !ret; i++) {
		if (records[i].outcome != HP_OUTCOME_FAILED &&
		    records[i].outcome != HP_OUTCOME_LINGERING)
			continue;
		r->err = records[i].error;
		ret = -EBUSY;
	}
	hp_proc_survey__free(&survey);
	return ret;
}

static int recover_processes(struct hp_journal *journal, struct hp_recovery *r, uint64_t budget,
			     const struct hp_recover_facts *facts)
{
	size_t whole = facts->whole;
	int ret = 0;

	if (r->action == HP_RECOVER_UNDO)
		ret = undo_in_processes(journal, r, budget, &whole);
	if (ret)
		return ret;
	if (facts->unseen[0])
		return hp_fail(&r->err, HP_E_PROC_SEARCH, "%s", facts->unseen);
	if (!whole)
		return hp_process_journal__forget(journal, &r->entry, &r->err);
	return r->entry.phase == HP_PHASE_APPLIED
		       ? 0
		       : hp_journal__set_phase(journal, &r->entry, HP_PHASE_APPLIED, &r->err);
}

static void recover_one(struct hp_journal *journal, struct hp_recovery *r, uint64_t budget,
			bool dry_run)
{
	struct hp_recover_facts facts;
	int ret = 0;

	hp_recover__look(&r->entry, &facts);
	r->action = hp_recover__decide(&r->entry, &facts, r->why, sizeof(r->why));
	if (dry_run || r->action == HP_RECOVER_WAIT)
		return;
	if (!strcmp(r->entry.engine, "proc")) {
		struct hp_journal_entry found = r->entry;

		r->done = !recover_processes(journal, r, budget, &facts) &&
			  r->action != HP_RECOVER_KEEP;
		r->entry = found;
		return;
	}
	if (r->action == HP_RECOVER_KEEP)
		return;
	if (hp_interrupted())
		ret = hp_fail(&r->err, HP_E_UNFINISHED, "interrupted before %s was recovered",
			      r->entry.hotfix);
	else if (r->action == HP_RECOVER_UNDO)
		ret = undo(journal, r, budget);
	ret = ret ?: hp_journal__remove(journal, r->entry.hotfix, &r->err);
	r->done = !ret;
}

static int recover_all(struct hp_recover_report *report, uint64_t budget, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_journal__close) struct hp_journal *journal = NULL;
	_cleanup_free_ struct hp_journal_entry *entries = NULL;
	size_t count = 0;
	int ret = hp_journal__open(&journal, err);

	ret = ret ?: hp_journal__list(journal, &entries, &count, err);
	if (ret || !count)
		return ret;
	if (!report->dry_run) {
		ret = hp_journal__lock(journal, hp_now_ns() + LOCK_WAIT, err);
		if (ret)
			return ret;
		/* Under the lock they stay as they are. */
		free(entries);
		entries = NULL;
		ret = hp_journal__list(journal, &entries, &count, err);
		if (ret || !count)
			return ret;
	}
	report->entries = calloc(count, sizeof(*report->entries));
	if (!report->entries)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		struct hp_recovery *r = &report->entries[report->count++];

		r->entry = entries[i];
		recover_one(journal, r, budget, report->dry_run);
	}
	return 0;
}

/* The status of the first failure: the reasons are in the report. */
static int status_of(const struct hp_recover_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->entries[i].err.reason != HP_E_NONE)
			return hp_reason_exit(report->entries[i].err.reason);
	for (size_t i = 0; i < report->guard_count; i++)
		if (report->guards[i].err.reason != HP_E_NONE)
			return hp_reason_exit(report->guards[i].err.reason);
	for (size_t i = 0; i < report->program_count; i++)
		if (report->programs[i].err.reason != HP_E_NONE)
			return hp_reason_exit(report->programs[i].err.reason);
	return HP_EXIT_OK;
}

HP_VERB(recover)
{
	uint64_t budget = DEFAULT_BUDGET;
	struct hp_recover_report report = { 0 };
	const struct hp_option options[] = {
		{ "budget", HP_OPT_DURATION, &budget, "TIME",
		  "how long one revert may take (30s)" },
		{ "dry-run", HP_OPT_FLAG, &report.dry_run, NULL,
		  "say what would be done, change nothing" },
		{ 0 },
	};
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 0 };
	int ret, status;

	if (hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status) < 0)
		return status;
	hp_interrupt_catch();
	ret = recover_all(&report, budget, &err);
	ret = ret ?: hp_guard_recover(&report, hp_now_ns() + LOCK_WAIT, &err);
	ret = ret ?: hp_program_recover(&report, hp_now_ns() + LOCK_WAIT, &err);
	status = status_of(&report);
	if (!ret && globals.json) {
		json_t *json = hp_recover_report__json(&report);

		ret = json ? hp_json_print(json) : -ENOMEM;
	} else if (!ret) {
		ret = hp_recover_report__print(&report, stdout);
	}
	hp_recover_report__free(&report);
	if (!ret)
		return status;
	hp_fail_errno(&err, HP_E_INTERNAL, ret, "cannot report");
	return hp_report_error(&globals, cmd->name, &err);
}
