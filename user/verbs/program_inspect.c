// SPDX-License-Identifier: GPL-2.0
/* hotproof inspect FIX.bpf.o, inspect --prog: a hotfix for a BPF program, and whose functions it fits. */
#include <errno.h>
#include <stdlib.h>

#include "engines/bpf/bpf.h"
#include "report/error.h"
#include "report/json.h"
#include "report/program.h"
#include "verbs/begin.h"
#include "verbs/program.h"
#include "verbs/session.h"

/* Each function of the program, and what keeps it from being replaced. */
static int read_functions(struct hp_program_report *report, struct hp_error *err)
{
	const struct hp_bpf_program *p = report->program;
	_cleanup_free_ struct hp_bpf_holder *holders = NULL;
	size_t count;
	int ret = hp_bpf_holders__list(&holders, &count, err);

	if (ret)
		return ret;
	report->rows = calloc(p->function_count + 1, sizeof(*report->rows));
	if (!report->rows)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < p->function_count; i++) {
		report->rows[i].function = &p->functions[i];
		hp_bpf_replaceable(p, &p->functions[i], holders, count, &report->rows[i].refusal);
	}
	return 0;
}

/* As apply would: up to the verifier, and nothing attached. */
static int try_out(struct hp_program_report *report, struct hp_bpf_object *object,
		   struct hp_error *err)
{
	__cleanup(hp_session_close) struct hp_session session = { .engine = &hp_bpf_engine };
	_cleanup_free_ struct hp_target *targets = NULL;
	struct hp_bpf_activation activation = { 0 };
	struct hp_hotfix hotfix = { .name = object->name, .path = object->path, .fd = -1 };
	int ret = session.engine->open(&session.state, err);

	if (ret)
		return ret;
	targets = hp_bpf_engine__targets(object, report->program);
	if (!targets)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	hotfix.targets = targets;
	hotfix.target_count = object->forward_count;
	hp_bpf_engine__take(session.state, object, report->program, &activation);
	session.engine->prepare(session.state, &hotfix, &report->refusal);
	return 0;
}

int hp_program__inspect(const struct hp_command *cmd, int argc, char **argv)
{
	__cleanup(hp_cleanup_hp_bpf_object__close) struct hp_bpf_object *object = NULL;
	__cleanup(hp_cleanup_hp_bpf_program__close) struct hp_bpf_program *program = NULL;
	const char *spec = NULL;
	bool require = false;
	const struct hp_option options[] = {
		{ "prog", HP_OPT_STRING, &spec, "PROGRAM",
		  "a running program: id:N, name:NAME, pin:PATH or tag:TAG" },
		{ "require-eligible", HP_OPT_FLAG, &require, NULL,
		  "exit as 'apply' would when the hotfix is not eligible here" },
		{ 0 },
	};
	struct hp_program_report report = { 0 };
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 0, 1, "one hotfix file at most" };
	int ret = 0, status,
	    first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	if (first < argc)
		ret = hp_bpf_object__open(&object, argv[first], &err);
	if (!ret && spec)
		ret = hp_bpf_program__find(&program, spec, &err);
	report.object = object;
	report.program = program;
	if (!ret && program)
		ret = read_functions(&report, &err);
	if (!ret && program && object)
		ret = try_out(&report, object, &err);
	if (!ret)
		ret = globals.json ? hp_json_print(hp_program_report__json(&report))
				   : hp_program_report__print(&report, stdout, globals.color);
	free(report.rows);
	if (ret)
		return hp_report_error(&globals, cmd->name, &err);
	return require && report.refusal.reason ? hp_reason_exit(report.refusal.reason)
						: HP_EXIT_OK;
}
