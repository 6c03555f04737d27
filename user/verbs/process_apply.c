// SPDX-License-Identifier: GPL-2.0
/* hotproof apply and revert of a hotfix for processes. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "verbs/begin.h"
#include "verbs/process.h"
#include "verbs/process_journal.h"

#define DEFAULT_BUDGET_NS (30 * HP_NSEC_PER_SEC)

typedef void act_fn(struct hp_proc *proc, struct hp_outcome_record *records, size_t count,
		    const struct hp_proc_opts *opts);

/* How often processes that came meanwhile are looked for. */
#define MAX_ROUNDS 8

/*
 * The rows from @from on. The engine works on a plain array of records; the rows of the report get
 * them back.
 */
static int act_from(struct hp_proc *proc, struct hp_processes_report *report, size_t from,
		    act_fn *fn, const struct hp_proc_opts *opts, struct hp_error *err)
{
	size_t count = report->count - from;
	struct hp_outcome_record *records = calloc(count + 1, sizeof(*records));

	if (!records)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		records[i] = report->rows[from + i].record;
	fn(proc, records, count, opts);
	for (size_t i = 0; i < count; i++)
		report->rows[from + i].record = records[i];
	free(records);
	return 0;
}

/*
 * All processes in scope, those too that were started before their parents' turn had come: until a
 * search finds no new one.
 */
static int act(struct hp_proc *proc, struct hp_processes_report *report,
	       const struct hp_process_scope *scope, act_fn *fn, const struct hp_proc_opts *opts,
	       struct hp_error *err)
{
	size_t from = 0;
	int ret = 0;

	for (int round = 0; !ret && round < MAX_ROUNDS; round++) {
		struct hp_processes found;

		ret = act_from(proc, report, from, fn, opts, err);
		from = report->count;
		if (ret || opts->dry_run || !hp_process_scope__is_open(scope) ||
		    hp_now_ns() >= opts->deadline || hp_interrupted())
			break;
		ret = hp_process_scope__find(scope, proc, &found, err);
		if (ret)
			break;
		ret = hp_processes_report__add(report, &found, err);
		hp_processes__free(&found);
		if (report->count == from)
			break;
	}
	return ret;
}

int hp_process__apply(const struct hp_command *cmd, int argc, char **argv)
{
	struct hp_process_scope scope = { 0 };
	struct hp_proc_opts opts = { 0 };
	uint64_t budget = DEFAULT_BUDGET_NS, start = hp_now_ns();
	const char *consistency = "stack";
	const struct hp_option options[] = {
		HP_SCOPE_OPTIONS(scope),
		{ "consistency", HP_OPT_STRING, &consistency, "HOW",
		  "stack (default): no thread may be in a target; entry: only not at its entry" },
		{ "budget", HP_OPT_DURATION, &budget, "TIME", "the deadline (default 30s)" },
		{ "dry-run", HP_OPT_FLAG, &opts.dry_run, NULL,
		  "say what would be done; nothing is stopped or written" },
		{ 0 }
	};
	struct hp_processes_report report = { .action = HP_ACTION_APPLY };
	struct hp_globals globals = { 0 };
	struct hp_process_journal journal = { 0 };
	__cleanup(hp_cleanup_hp_proc__close) struct hp_proc *proc = NULL;
	struct hp_error err = { 0 };
	const struct hp_operands wanted = HP_ONE_HOTFIX;
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	opts.entry_only = !strcmp(consistency, "entry");
	opts.deadline = start + budget;
	hp_interrupt_catch();
	if (!opts.entry_only && strcmp(consistency, "stack"))
		ret = hp_fail(&err, HP_E_USAGE, "--consistency takes stack or entry, not '%s'",
			      consistency);
	else
		ret = hp_process__open(&proc, &report, &scope, argv[first], &err);
	if (!ret && !report.count)
		ret = hp_fail(&err, HP_E_NO_PROCESS, "no process maps %s",
			      hp_hotfix__meta(report.hotfix)->target_path);
	if (!ret && !opts.dry_run)
		ret = hp_process_journal__begin(&journal, proc, HP_PHASE_LOADING, opts.deadline,
						&err);
	ret = ret ?: act(proc, &report, &scope, hp_proc__apply, &opts, &err);
	hp_process_journal__end(&journal, &report);
	report.total_ns = hp_now_ns() - start;
	return hp_process__finish(&globals, cmd->name, &report, ret, &err);
}

int hp_process__revert(const struct hp_command *cmd, int argc, char **argv)
{
	struct hp_process_scope scope = { 0 };
	struct hp_proc_opts opts = { 0 };
	uint64_t budget = DEFAULT_BUDGET_NS, start = hp_now_ns();
	const struct hp_option options[] = { HP_SCOPE_OPTIONS(scope),
					     { "budget", HP_OPT_DURATION, &budget, "TIME",
					       "the deadline (default 30s)" },
					     { 0 } };
	struct hp_processes_report report = { .action = HP_ACTION_REVERT };
	struct hp_globals globals = { 0 };
	struct hp_process_journal journal = { 0 };
	__cleanup(hp_cleanup_hp_proc__close) struct hp_proc *proc = NULL;
	struct hp_error err = { 0 };
	const struct hp_operands wanted = HP_ONE_HOTFIX;
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	opts.deadline = start + budget;
	hp_interrupt_catch();
	ret = hp_process__open(&proc, &report, &scope, argv[first], &err);
	ret = ret
		      ?: hp_process_journal__begin(&journal, proc, HP_PHASE_REVERTING,
						   opts.deadline, &err);
	ret = ret ?: act(proc, &report, &scope, hp_proc__revert, &opts, &err);
	hp_process_journal__end(&journal, &report);
	report.total_ns = hp_now_ns() - start;
	return hp_process__finish(&globals, cmd->name, &report, ret, &err);
}
