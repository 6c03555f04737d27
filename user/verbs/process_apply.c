// SPDX-License-Identifier: GPL-2.0
/* hotproof apply and revert of a hotfix for processes. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "report/error.h"
#include "verbs/process.h"

#define DEFAULT_BUDGET_NS (30 * HP_NSEC_PER_SEC)

typedef void act_fn(struct hp_proc *proc, struct hp_outcome_record *records, size_t count,
		    const struct hp_proc_opts *opts);

/* The engine works on a plain array of records; the rows of the report get them back. */
static int act(struct hp_proc *proc, struct hp_processes_report *report, act_fn *fn,
	       const struct hp_proc_opts *opts, struct hp_error *err)
{
	struct hp_outcome_record *records = calloc(report->count + 1, sizeof(*records));

	if (!records)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < report->count; i++)
		records[i] = report->rows[i].record;
	fn(proc, records, report->count, opts);
	for (size_t i = 0; i < report->count; i++)
		report->rows[i].record = records[i];
	free(records);
	return 0;
}

static int finish(const struct hp_globals *globals, const char *verb, struct hp_proc *proc,
		  struct hp_processes_report *report, int ret, struct hp_error *err)
{
	int status = ret ? hp_report_error(globals, verb, err)
			 : hp_process__report(globals, report, verb);

	hp_processes_report__free(report);
	if (proc)
		hp_proc__close(proc);
	return status;
}

int hp_process__apply(const struct hp_command *cmd, int argc, char **argv)
{
	struct hp_process_scope scope = { 0 };
	struct hp_proc_opts opts = { 0 };
	uint64_t budget = DEFAULT_BUDGET_NS, start = hp_now_ns();
	const char *consistency = "stack";
	const struct hp_option options[] = {
		{ "pid", HP_OPT_STRINGS, &scope.pids, "N",
		  "only this process; may be given more than once" },
		{ "all", HP_OPT_FLAG, &scope.all, NULL,
		  "every process that maps the target file (the default)" },
		{ "consistency", HP_OPT_STRING, &consistency, "HOW",
		  "stack (default): no thread may be in a target; entry: only not at its entry" },
		{ "budget", HP_OPT_DURATION, &budget, "TIME", "the deadline (default 30s)" },
		{ "dry-run", HP_OPT_FLAG, &opts.dry_run, NULL,
		  "say what would be done; nothing is stopped or written" },
		{ 0 }
	};
	struct hp_processes_report report = { .action = HP_ACTION_APPLY };
	struct hp_globals globals = { 0 };
	struct hp_proc *proc = NULL;
	struct hp_error err = { 0 };
	int first = hp_options_parse(cmd, options, &globals, argc, argv, &err), ret;

	if (first < 0)
		return hp_report_error(&globals, cmd->name, &err);
	if (globals.help)
		return HP_EXIT_OK;
	opts.entry_only = !strcmp(consistency, "entry");
	opts.deadline = start + budget;
	hp_interrupt_catch();
	if (!opts.entry_only && strcmp(consistency, "stack"))
		ret = hp_fail(&err, HP_E_USAGE, "--consistency takes stack or entry, not '%s'",
			      consistency);
	else
		ret = hp_process__open(&proc, &report, &scope, argc, argv, first, &err);
	if (!ret && !report.count)
		ret = hp_fail(&err, HP_E_NO_PROCESS, "no process maps %s",
			      hp_hotfix__meta(report.hotfix)->target_path);
	ret = ret ?: act(proc, &report, hp_proc__apply, &opts, &err);
	report.total_ns = hp_now_ns() - start;
	return finish(&globals, cmd->name, proc, &report, ret, &err);
}

int hp_process__revert(const struct hp_command *cmd, int argc, char **argv)
{
	struct hp_process_scope scope = { 0 };
	struct hp_proc_opts opts = { 0 };
	uint64_t budget = DEFAULT_BUDGET_NS, start = hp_now_ns();
	const struct hp_option options[] = {
		{ "pid", HP_OPT_STRINGS, &scope.pids, "N",
		  "only this process; may be given more than once" },
		{ "all", HP_OPT_FLAG, &scope.all, NULL,
		  "every process that maps the target file (the default)" },
		{ "budget", HP_OPT_DURATION, &budget, "TIME", "the deadline (default 30s)" },
		{ 0 }
	};
	struct hp_processes_report report = { .action = HP_ACTION_REVERT };
	struct hp_globals globals = { 0 };
	struct hp_proc *proc = NULL;
	struct hp_error err = { 0 };
	int first = hp_options_parse(cmd, options, &globals, argc, argv, &err), ret;

	if (first < 0)
		return hp_report_error(&globals, cmd->name, &err);
	if (globals.help)
		return HP_EXIT_OK;
	opts.deadline = start + budget;
	hp_interrupt_catch();
	ret = hp_process__open(&proc, &report, &scope, argc, argv, first, &err);
	ret = ret ?: act(proc, &report, hp_proc__revert, &opts, &err);
	report.total_ns = hp_now_ns() - start;
	return finish(&globals, cmd->name, proc, &report, ret, &err);
}
