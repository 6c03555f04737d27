// SPDX-License-Identifier: GPL-2.0
/* hotproof apply X.bpf.o: a guard with code, applied and proved. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "engines/guard/rule.h"
#include "verbs/begin.h"
#include "verbs/guard.h"
#include "verbs/guard_rule.h"
#include "verbs/session.h"

#define DEFAULT_WINDOW_NS (10 * HP_NSEC_PER_SEC)
#define DEFAULT_BUDGET_NS (30 * HP_NSEC_PER_SEC)

struct options {
	struct hp_guard_rule_opts rule;
	struct hp_guard_proof_opts proof;
	uint64_t budget_ns;
};

bool hp_guard__is_applied(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (argv[i][0] != '-' && hp_guard_object__is_one(argv[i]))
			return true;
	return false;
}

static int add(const struct options *opts, const struct hp_guard_object *code,
	       struct hp_guard_report *report, struct hp_error *err)
{
	__cleanup(hp_session_close) struct hp_session session = { .engine = &hp_guard_engine };
	uint64_t start = hp_now_ns();
	struct hp_guard_hotfix g = {
		.hotfix = { .name = code->name, .path = code->path, .fd = -1 },
		.function = code->function,
		.kind = code->kind,
		.code = code,
		.args = opts->rule.args.items,
		.arg_count = opts->rule.args.count,
		.args_given = true,
		.observe_only = opts->rule.observe_only,
		.force = opts->rule.force,
		.deadline = start + opts->budget_ns,
	};

	hp_guard_rule__init(&g.rule);
	return hp_guard_rule_opts__set(&opts->rule, &g.rule, err)
		       ?: hp_guard_add(&session, &g, start, report, err);
}

/* It stays whatever the verdict is, as a livepatch does. */
static int prove(const struct options *opts, struct hp_guard_report *report, int *status,
		 struct hp_error *err)
{
	struct hp_guard_row *row = &report->rows[0];
	char name[HP_GUARD_NAME_MAX];
	int ret;

	snprintf(name, sizeof(name), "%s", row->view.name);
	report->exercise = opts->proof.exercise;
	ret = hp_guard_proof__run(name, &opts->proof, &row->view, &row->window, &row->verdict, err);
	if (ret)
		return ret;
	hp_guard_report_proved(row, status);
	return 0;
}

static int run(const struct options *opts, const char *path, struct hp_guard_report *report,
	       int *status, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_guard_object__close) struct hp_guard_object *code = NULL;
	int ret = hp_guard_object__open(&code, path, err);

	ret = ret ?: add(opts, code, report, err);
	/* A dry run turns nothing away: there is nothing to prove. */
	if (ret || opts->rule.observe_only)
		return ret;
	return prove(opts, report, status, err);
}

int hp_guard__apply(const struct hp_command *cmd, int argc, char **argv)
{
	struct options opts = {
		.rule = HP_GUARD_RULE_UNSET,
		.proof = { .for_ns = 0 },
		.budget_ns = DEFAULT_BUDGET_NS,
	};
	const struct hp_option options[] = {
		HP_GUARD_RULE_OPTIONS(opts.rule),
		{ "budget", HP_OPT_DURATION, &opts.budget_ns, "TIME",
		  "the time that the change may take, past which nothing is changed (30s)" },
		{ "for", HP_OPT_DURATION, &opts.proof.for_ns, "TIME",
		  "watch so long (at most 10s, until a call was turned away)" },
		{ "exercise", HP_OPT_STRING, &opts.proof.exercise, "CMD",
		  "run this workload while watching, which ends with it" },
		{ "min-calls", HP_OPT_UINT, &opts.proof.min_calls, "N",
		  "a guard that turned fewer calls away is not live (1)" },
		{ 0 },
	};
	struct hp_guard_report report = { .action = "apply" };
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 1, 1, "one BPF object" };
	int status, ret, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	hp_interrupt_catch();
	report.budget_ns = opts.budget_ns;
	if (!opts.proof.for_ns) {
		opts.proof.for_ns = DEFAULT_WINDOW_NS;
		opts.proof.until_live = true;
	}
	status = HP_EXIT_OK;
	ret = run(&opts, argv[first], &report, &status, &err);
	return hp_guard_finish(&report, &globals, cmd->name, status, ret, &err);
}
