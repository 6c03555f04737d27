// SPDX-License-Identifier: GPL-2.0
/* hotproof verify of a hotfix for processes. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "proof/process_proof.h"
#include "report/junit.h"
#include "verbs/begin.h"
#include "verbs/process.h"

#define DEFAULT_WINDOW_NS (10 * HP_NSEC_PER_SEC)

static int search_again(struct hp_proc *proc, struct hp_processes *found, void *arg,
			struct hp_error *err)
{
	return hp_process_scope__find(arg, proc, found, err);
}

/* A gate that reads nothing else must not take for success what ended otherwise. */
static int write_junit(const char *path, const struct hp_processes_report *report, int ret,
		       const struct hp_error *failed, struct hp_error *err)
{
	struct hp_verify_report flat = { 0 };
	struct hp_error why = { 0 };

	if (!ret && hp_processes_report__flatten(report, &flat))
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	if (!ret && report->interrupted)
		hp_fail(&why, HP_E_INTERRUPTED, "interrupted: this is what was seen until then");
	else if (!ret && report->unreadable)
		hp_fail(&why, HP_E_PROC_SEARCH, "%zu mappings may not be looked at",
			report->unreadable);
	else if (!ret && !flat.target_count)
		hp_fail(&why, HP_E_NO_PROCESS, "no process maps %s",
			hp_hotfix__meta(report->hotfix)->target_path);
	ret = hp_junit__write(&flat, ret ? failed : &why, path, err);
	free(flat.targets);
	return ret;
}

int hp_process__verify(const struct hp_command *cmd, int argc, char **argv)
{
	struct hp_process_scope scope = { 0 };
	struct hp_process_proof_opts opts = { .for_ns = DEFAULT_WINDOW_NS };
	uint64_t start = hp_now_ns();
	const char *junit = NULL;
	const struct hp_option options[] = {
		HP_SCOPE_OPTIONS(scope),
		{ "for", HP_OPT_DURATION, &opts.for_ns, "TIME",
		  "how long to observe (default 10s)" },
		{ "exercise", HP_OPT_STRING, &opts.exercise, "CMD",
		  "run CMD in the window, which ends with it" },
		{ "min-calls", HP_OPT_UINT, &opts.min_calls, "N",
		  "calls that each target needs in each process" },
		{ "min-coverage", HP_OPT_PERCENT, &opts.min_coverage, "PCT",
		  "call sites that it needs redirected there (0)" },
		{ "junit", HP_OPT_STRING, &junit, "FILE", "write a JUnit report too" },
		{ 0 }
	};
	struct hp_processes_report report = { .action = HP_ACTION_VERIFY };
	__cleanup(hp_cleanup_hp_proc__close) struct hp_proc *proc = NULL;
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = HP_ONE_HOTFIX;
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	hp_interrupt_catch();
	if (hp_process_scope__is_open(&scope))
		opts.search_again = search_again;
	opts.search_arg = &scope;
	ret = hp_process__open(&proc, &report, &scope, argv[first], &err);
	ret = ret ?: hp_process_proof__run(proc, &report, &opts, &err);
	report.total_ns = hp_now_ns() - start;
	/* What an earlier run wrote there must not stand for this one. */
	if (junit) {
		struct hp_error failed = err;

		ret = write_junit(junit, &report, ret, &failed, &err) ? -EIO : ret;
	}
	return hp_process__finish(&globals, cmd->name, &report, ret, &err);
}
