// SPDX-License-Identifier: GPL-2.0
/* hotproof guard: add, set, list and remove guards. */
#include "verbs/begin.h"
#include "verbs/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "engines/guard/rule.h"
#include "engines/guard/way_back.h"
#include "host/features.h"
#include "report/error.h"
#include "verbs/guard_rule.h"
#include "verbs/session.h"
#include "verbs/verbs.h"

#define DEFAULT_BUDGET_NS (30 * HP_NSEC_PER_SEC)

struct options {
	struct hp_guard_rule_opts rule;
	const char *function, *name, *by;
	uint64_t budget_ns;
	bool functions;
};

/* Which of the options an action takes; what it does not take must not be given. */
struct action {
	const char *name;
	bool changes; /* rules: takes the scope */
	int (*run)(const struct options *opts, const char *operand, struct hp_guard_report *report,
		   struct hp_error *err);
};

static int kind_of(const char *by, enum hp_guard_kind *kind, struct hp_error *err)
{
	*kind = 0;
	if (!by)
		return 0;
	if (!strcmp(by, "fmod_ret"))
		*kind = HP_GUARD_FMOD_RET;
	else if (!strcmp(by, "lsm"))
		*kind = HP_GUARD_LSM;
	else
		return hp_fail(err, HP_E_USAGE, "--by takes fmod_ret or lsm, not '%s'", by);
	return 0;
}

static int add(const struct options *opts, const char *operand, struct hp_guard_report *report,
	       struct hp_error *err)
{
	__cleanup(hp_session_close) struct hp_session session = { .engine = &hp_guard_engine };
	uint64_t start = hp_now_ns();
	struct hp_guard_hotfix g = {
		.hotfix = { .name = opts->name ?: operand, .fd = -1 },
		.function = opts->function,
		.args = opts->rule.args.items,
		.arg_count = opts->rule.args.count,
		.args_given = true,
		.observe_only = opts->rule.observe_only,
		.force = opts->rule.force,
		.deadline = start + opts->budget_ns,
	};
	int ret;

	if (!g.hotfix.name || (opts->name && operand))
		return hp_fail(err, HP_E_USAGE, "guard add takes one --name");
	if (!opts->function || !opts->rule.value)
		return hp_fail(err, HP_E_USAGE, "guard add needs --function and --return");
	hp_guard_rule__init(&g.rule);
	ret = kind_of(opts->by, &g.kind, err);
	ret = ret ?: hp_guard_rule_opts__set(&opts->rule, &g.rule, err);
	return ret ?: hp_guard_add(&session, &g, start, report, err);
}

static int set(const struct options *opts, const char *operand, struct hp_guard_report *report,
	       struct hp_error *err)
{
	__cleanup(hp_session_close) struct hp_session session = { .engine = &hp_guard_engine };
	uint64_t start = hp_now_ns();
	struct hp_guard_hotfix g = {
		.hotfix = { .name = opts->name ?: operand, .fd = -1 },
		.args = opts->rule.args.items,
		.arg_count = opts->rule.args.count,
		.args_given = opts->rule.args.count > 0,
		.force = opts->rule.force,
		.deadline = start + opts->budget_ns,
	};
	int ret;

	if (!g.hotfix.name || (opts->name && operand))
		return hp_fail(err, HP_E_USAGE, "guard set takes the name of one guard");
	if (opts->function || opts->by)
		return hp_fail(err, HP_E_USAGE,
			       "a guard's function cannot be changed: add another");
	/* "any" as the only condition takes them all away. */
	if (g.arg_count == 1 && !strcmp(g.args[0], "any"))
		g.arg_count = 0;
	ret = session.engine->open(&session.state, err);
	ret = ret
		      ?: hp_guard_engine__begin_change(session.state, g.hotfix.name, g.deadline,
						       &g.rule, &g.observe_only, err);
	ret = ret ?: hp_guard_rule_opts__set(&opts->rule, &g.rule, err);
	if (opts->rule.observe_only || opts->rule.enforce)
		g.observe_only = opts->rule.observe_only;
	ret = ret ?: hp_guard_engine__change(session.state, &g, err);
	return ret ?: hp_guard_report_change(report, session.state, g.hotfix.name, start, err);
}

/* Whether a way works here at all, found by trying it. */
static void try_way(struct hp_features *features, enum hp_feature_id id, char *why, size_t size)
{
	const struct hp_finding *found = hp_features__get(features, id);

	if (found->state != HP_STATE_AVAILABLE)
		snprintf(why, size, "%s; %s", found->why, found->fix);
}

static int list_functions(const char *pattern, struct hp_guard_report *report, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_features__close) struct hp_features *features = NULL;
	__cleanup(hp_cleanup_hp_btf__close) struct hp_btf *btf = NULL;
	int ret = hp_features__open(&features, err);

	if (!ret && hp_btf__open(&btf))
		ret = hp_features__require(features, HP_FEATURE_BTF, err)
			      ?: hp_fail(err, HP_E_GUARD_LOAD, "the kernel's BTF cannot be read");
	ret = ret ?: hp_guard_candidates__find(&report->functions, btf, pattern, err);
	if (ret)
		return ret;
	report->listed = true;
	try_way(features, HP_FEATURE_FMOD_RET, report->no_fmod_ret, sizeof(report->no_fmod_ret));
	try_way(features, HP_FEATURE_LSM, report->no_lsm, sizeof(report->no_lsm));
	return 0;
}

static int list(const struct options *opts, const char *operand, struct hp_guard_report *report,
		struct hp_error *err)
{
	struct hp_guard_row *row;

	if (opts->functions)
		return list_functions(operand, report, err);
	if (!operand)
		return hp_guard_report_all(report, err);
	row = hp_guard_report_add(report);
	if (!row)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	return hp_guard_view__read(&row->view, operand, err);
}

static int remove_guard(const struct options *opts, const char *operand,
			struct hp_guard_report *report, struct hp_error *err)
{
	const char *name = opts->name ?: operand;

	if (!name || (opts->name && operand))
		return hp_fail(err, HP_E_USAGE, "guard remove takes the name of one guard");
	return hp_guard_take_away(name, hp_now_ns() + opts->budget_ns, report, err);
}

static const struct action actions[] = {
	{ "add", true, add },
	{ "set", true, set },
	{ "list", false, list },
	{ "remove", false, remove_guard },
};

static int choose(const struct action **out, const struct options *opts, const char *name,
		  struct hp_error *err)
{
	bool rule = opts->function || opts->by || hp_guard_rule_opts__given(&opts->rule);

	*out = NULL;
	for (size_t i = 0; name && i < sizeof(actions) / sizeof(actions[0]); i++)
		if (!strcmp(actions[i].name, name))
			*out = &actions[i];
	if (!*out)
		return hp_fail(err, HP_E_USAGE, "guard takes add, set, list or remove, not '%s'",
			       name ?: "");
	if (rule && !(*out)->changes)
		return hp_fail(err, HP_E_USAGE, "guard %s takes no option of a rule", name);
	if (opts->functions && (*out)->run != list)
		return hp_fail(err, HP_E_USAGE, "--functions is for guard list");
	return 0;
}

HP_VERB(guard)
{
	struct options opts = { .rule = HP_GUARD_RULE_UNSET, .budget_ns = DEFAULT_BUDGET_NS };
	const struct hp_option options[] = {
		{ "name", HP_OPT_ONE, &opts.name, "NAME", "the guard" },
		{ "function", HP_OPT_ONE, &opts.function, "F",
		  "take over the calls of this kernel function" },
		{ "by", HP_OPT_STRING, &opts.by, "WAY", "fmod_ret or lsm (the first that works)" },
		HP_GUARD_RULE_OPTIONS(opts.rule),
		{ "enforce", HP_OPT_FLAG, &opts.rule.enforce, NULL,
		  "turn them away (the default)" },
		{ "functions", HP_OPT_FLAG, &opts.functions, NULL,
		  "list what can be guarded, not the guards" },
		{ "budget", HP_OPT_DURATION, &opts.budget_ns, "TIME",
		  "the time that the change may take, past which nothing is changed (30s)" },
		{ 0 },
	};
	const struct action *action;
	struct hp_guard_report report = { 0 };
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 0, -1, NULL };
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	if (argc - first == 2 && !strcmp(argv[first], HP_WAY_BACK)) {
		if (!hp_way_back__walk(argv[first + 1], &err))
			return HP_EXIT_OK;
		fprintf(stderr, "%s\n", err.message);
		return hp_reason_exit(err.reason);
	}
	ret = choose(&action, &opts, argv[first], &err);
	if (!ret && argc - first > 2)
		ret = hp_fail(&err, HP_E_USAGE, "guard %s takes no operand '%s'", action->name,
			      argv[first + 2]);
	if (ret)
		return hp_report_error(&globals, cmd->name, &err);
	hp_interrupt_catch();
	report.action = action->name;
	report.budget_ns = opts.budget_ns;
	ret = action->run(&opts, argv[first + 1], &report, &err);
	return hp_guard_finish(&report, &globals, cmd->name, HP_EXIT_OK, ret, &err);
}
