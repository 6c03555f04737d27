// SPDX-License-Identifier: GPL-2.0
/* hotproof guard: add, set, list and remove guards. */
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
#include "verbs/session.h"
#include "verbs/verbs.h"

#define DEFAULT_BUDGET_NS (30 * HP_NSEC_PER_SEC)
#define NOT_GIVEN	  (-1.0)
#define NO_TIME		  UINT64_MAX

struct options {
	const char *function, *name, *value, *by, *cgroup, *exe;
	struct hp_strings uids, args;
	double percent;
	uint64_t expires_ns, budget_ns;
	bool observe_only, enforce, force, functions;
};

/* Which of the options an action takes; what it does not take must not be given. */
struct action {
	const char *name;
	bool changes; /* rules: takes the scope */
	int (*run)(const struct options *opts, const char *operand, struct hp_guard_report *report,
		   struct hp_error *err);
};

/* What was given, over what @rule says. */
static int set_rule(struct hp_guard_rule *rule, const struct options *opts, struct hp_error *err)
{
	int ret = 0;

	if (opts->value)
		ret = hp_guard_rule__set_value(rule, opts->value, err);
	if (!ret && opts->uids.count)
		ret = hp_guard_rule__set_uids(rule, opts->uids.items, opts->uids.count, err);
	if (!ret && opts->cgroup)
		ret = hp_guard_rule__set_cgroup(rule, opts->cgroup, err);
	if (!ret && opts->exe)
		ret = hp_guard_rule__set_exe(rule, opts->exe, err);
	if (opts->percent >= 0)
		hp_guard_rule__set_percent(rule, opts->percent);
	if (opts->expires_ns != NO_TIME)
		hp_guard_rule__set_expiry(rule, opts->expires_ns);
	return ret;
}

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

/* What was changed, and how long it took. */
static int report_change(struct hp_guard_report *report, const struct hp_engine_state *state,
			 const char *name, uint64_t start, struct hp_error *err)
{
	struct hp_guard_row *row = hp_guard_report_add(report);
	struct hp_error why = { 0 };
	int ret;

	report->changed = true;
	report->total_ns = hp_now_ns() - start;
	report->times = *hp_guard_engine__times(state);
	report->way_back_hits = hp_guard_engine__way_back_hits(state);
	if (!row)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = hp_guard_view__read(&row->view, name, &why);
	if (!ret)
		return 0;
	if (!report->way_back_hits) {
		*err = why;
		return ret;
	}
	/* With --force: it refuses us already what it takes to read it. */
	snprintf(row->view.name, sizeof(row->view.name), "%s", name);
	row->view.status = HP_GUARD_IS_ENFORCING;
	row->view.read_back.redirect = HP_REDIRECT_UNKNOWN;
	snprintf(row->view.read_back.reason, sizeof(row->view.read_back.reason), "%.150s",
		 why.message);
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
		.args = opts->args.items,
		.arg_count = opts->args.count,
		.args_given = true,
		.observe_only = opts->observe_only,
		.force = opts->force,
		.deadline = start + opts->budget_ns,
	};
	int ret;

	if (!g.hotfix.name || (opts->name && operand))
		return hp_fail(err, HP_E_USAGE, "guard add takes one --name");
	if (!opts->function || !opts->value)
		return hp_fail(err, HP_E_USAGE, "guard add needs --function and --return");
	hp_guard_rule__init(&g.rule);
	ret = kind_of(opts->by, &g.kind, err);
	ret = ret ?: set_rule(&g.rule, opts, err);
	ret = ret ?: session.engine->open(&session.state, err);
	ret = ret ?: session.engine->prepare(session.state, &g.hotfix, err);
	if (!ret && hp_interrupted())
		ret = hp_fail(err, HP_E_INTERRUPTED, "interrupted");
	ret = ret ?: session.engine->activate(session.state, &g.hotfix, err);
	return ret ?: report_change(report, session.state, g.hotfix.name, start, err);
}

static int set(const struct options *opts, const char *operand, struct hp_guard_report *report,
	       struct hp_error *err)
{
	__cleanup(hp_session_close) struct hp_session session = { .engine = &hp_guard_engine };
	uint64_t start = hp_now_ns();
	struct hp_guard_hotfix g = {
		.hotfix = { .name = opts->name ?: operand, .fd = -1 },
		.args = opts->args.items,
		.arg_count = opts->args.count,
		.args_given = opts->args.count > 0,
		.force = opts->force,
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
	ret = ret ?: set_rule(&g.rule, opts, err);
	if (opts->observe_only || opts->enforce)
		g.observe_only = opts->observe_only;
	ret = ret ?: hp_guard_engine__change(session.state, &g, err);
	return ret ?: report_change(report, session.state, g.hotfix.name, start, err);
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
	bool rule = opts->function || opts->value || opts->by || opts->cgroup || opts->exe ||
		    opts->uids.count || opts->args.count || opts->percent >= 0 ||
		    opts->expires_ns != NO_TIME || opts->observe_only || opts->enforce ||
		    opts->force;

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
	if (opts->observe_only && opts->enforce)
		return hp_fail(err, HP_E_USAGE, "--observe-only and --enforce exclude each other");
	return 0;
}

HP_VERB(guard)
{
	struct options opts = { .percent = NOT_GIVEN,
				.expires_ns = NO_TIME,
				.budget_ns = DEFAULT_BUDGET_NS };
	const struct hp_option options[] = {
		{ "name", HP_OPT_STRING, &opts.name, "NAME", "the guard" },
		{ "function", HP_OPT_STRING, &opts.function, "F",
		  "take over the calls of this kernel function" },
		{ "return", HP_OPT_STRING, &opts.value, "ERRNO",
		  "what callers in scope get, such as EPERM" },
		{ "by", HP_OPT_STRING, &opts.by, "WAY", "fmod_ret or lsm (the first that works)" },
		{ "uid", HP_OPT_STRINGS, &opts.uids, "USER",
		  "only calls of this user; may be given more than once" },
		{ "cgroup", HP_OPT_STRING, &opts.cgroup, "PATH",
		  "only of this cgroup and those in it" },
		{ "exe", HP_OPT_STRING, &opts.exe, "PATH", "only of processes that run this file" },
		{ "percent", HP_OPT_PERCENT, &opts.percent, "N",
		  "only of so many of the processes (100)" },
		{ "arg", HP_OPT_STRINGS, &opts.args, "'N OP VALUE'",
		  "only with such an argument; may be given more than once" },
		{ "expires", HP_OPT_DURATION, &opts.expires_ns, "TIME",
		  "end by itself after this time; 0s: never" },
		{ "observe-only", HP_OPT_FLAG, &opts.observe_only, NULL,
		  "let the calls pass, and count them" },
		{ "enforce", HP_OPT_FLAG, &opts.enforce, NULL, "turn them away (the default)" },
		{ "force", HP_OPT_FLAG, &opts.force, NULL,
		  "even if hotproof could not take it away again" },
		{ "functions", HP_OPT_FLAG, &opts.functions, NULL,
		  "list what can be guarded, not the guards" },
		{ "budget", HP_OPT_DURATION, &opts.budget_ns, "TIME",
		  "wait so long for another hotproof that changes guards (30s)" },
		{ 0 },
	};
	const struct action *action;
	struct hp_guard_report report = { 0 };
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	int first = hp_options_parse(cmd, options, &globals, argc, argv, &err), ret;

	if (first < 0)
		return hp_report_error(&globals, cmd->name, &err);
	if (globals.help)
		return HP_EXIT_OK;
	if (argc - first == 2 && !strcmp(argv[first], HP_WAY_BACK))
		return hp_way_back__walk(argv[first + 1], &err) ? HP_EXIT_INTERNAL : HP_EXIT_OK;
	ret = choose(&action, &opts, argv[first], &err);
	if (!ret && argc - first > 2)
		ret = hp_fail(&err, HP_E_USAGE, "guard %s takes no operand '%s'", action->name,
			      argv[first + 2]);
	if (ret)
		return hp_report_error(&globals, cmd->name, &err);
	hp_interrupt_catch();
	report.action = action->name;
	ret = action->run(&opts, argv[first + 1], &report, &err);
	return hp_guard_finish(&report, &globals, cmd->name, HP_EXIT_OK, ret, &err);
}
