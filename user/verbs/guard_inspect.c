// SPDX-License-Identifier: GPL-2.0
/* hotproof inspect X.bpf.o: a guard with code, and whether this kernel takes it. */
#include "engines/guard/cond.h"
#include "engines/guard/load.h"
#include "engines/guard/rule.h"
#include "report/error.h"
#include "report/guard_object.h"
#include "report/json.h"
#include "verbs/begin.h"
#include "verbs/guard.h"
#include "verbs/session.h"

/* As apply would, up to the verifier; nothing is attached. */
static void try_out(struct hp_guard_object_report *report)
{
	__cleanup(hp_session_close) struct hp_session session = { .engine = &hp_guard_engine };
	const struct hp_guard_object *object = report->object;
	struct hp_guard_hotfix g = {
		.hotfix = { .name = object->name, .path = object->path, .fd = -1 },
		.function = object->function,
		.kind = object->kind,
		.code = object,
	};
	struct hp_btf *btf;
	int id;

	if (session.engine->open(&session.state, &report->refusal))
		return;
	hp_guard_rule__init(&g.rule);
	hp_guard_engine__try(session.state, &g, &report->refusal);
	btf = hp_guard_engine__btf(session.state);
	id = btf ? hp_guard_attach_id(btf, object->function, object->kind) : -1;
	if (id >= 0 && hp_btf__vmlinux(btf))
		hp_guard_cond__describe(hp_btf__vmlinux(btf), (uint32_t)id, report->prototype,
					sizeof(report->prototype));
}

int hp_guard__inspect(const struct hp_command *cmd, int argc, char **argv)
{
	__cleanup(hp_cleanup_hp_guard_object__close) struct hp_guard_object *object = NULL;
	bool require = false;
	const struct hp_option options[] = {
		{ "require-eligible", HP_OPT_FLAG, &require, NULL,
		  "exit as 'apply' would when the guard is not eligible here" },
		{ 0 },
	};
	struct hp_guard_object_report report = { 0 };
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 1, 1, "one BPF object" };
	int status, ret, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	ret = hp_guard_object__open(&object, argv[first], &err);
	if (!ret) {
		report.object = object;
		try_out(&report);
		ret = globals.json ? hp_json_print(hp_guard_object_report__json(&report))
				   : hp_guard_object_report__print(&report, stdout);
	}
	if (ret)
		return hp_report_error(&globals, cmd->name, &err);
	return require && report.refusal.reason ? hp_reason_exit(report.refusal.reason)
						: HP_EXIT_OK;
}
