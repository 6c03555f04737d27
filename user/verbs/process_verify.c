// SPDX-License-Identifier: GPL-2.0
/* hotproof verify of a hotfix for processes. */
#include "base/clock.h"
#include "base/interrupt.h"
#include "proof/process_proof.h"
#include "verbs/begin.h"
#include "verbs/process.h"

#define DEFAULT_WINDOW_NS (10 * HP_NSEC_PER_SEC)

static int search_again(struct hp_proc *proc, struct hp_processes *found, void *arg,
			struct hp_error *err)
{
	return hp_process_scope__find(arg, proc, found, err);
}

int hp_process__verify(const struct hp_command *cmd, int argc, char **argv)
{
	struct hp_process_scope scope = { 0 };
	struct hp_process_proof_opts opts = { .for_ns = DEFAULT_WINDOW_NS };
	uint64_t start = hp_now_ns();
	const struct hp_option options[] = { HP_SCOPE_OPTIONS(scope),
					     { "for", HP_OPT_DURATION, &opts.for_ns, "TIME",
					       "how long to observe (default 10s)" },
					     { "exercise", HP_OPT_STRING, &opts.exercise, "CMD",
					       "run CMD in the window, which ends with it" },
					     { "min-calls", HP_OPT_UINT, &opts.min_calls, "N",
					       "calls that each target needs in each process" },
					     { 0 } };
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
	return hp_process__finish(&globals, cmd->name, &report, ret, &err);
}
