// SPDX-License-Identifier: GPL-2.0
/* hotproof status of a hotfix for processes: where it is applied, read from the processes. */
#include "base/clock.h"
#include "proof/process_proof.h"
#include "verbs/begin.h"
#include "verbs/process.h"

int hp_process__status(const struct hp_command *cmd, int argc, char **argv)
{
	struct hp_process_scope scope = { 0 };
	uint64_t start = hp_now_ns();
	const struct hp_option options[] = { HP_SCOPE_OPTIONS(scope), { 0 } };
	struct hp_processes_report report = { .action = HP_ACTION_STATUS };
	__cleanup(hp_cleanup_hp_proc__close) struct hp_proc *proc = NULL;
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = HP_ONE_HOTFIX;
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	ret = hp_process__open(&proc, &report, &scope, argv[first], &err);
	for (size_t i = 0; !ret && i < report.count; i++)
		ret = hp_process_row__look(proc, &report.rows[i], &err);
	report.total_ns = hp_now_ns() - start;
	return hp_process__finish(&globals, cmd->name, &report, ret, &err);
}
