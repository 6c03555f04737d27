// SPDX-License-Identifier: GPL-2.0
/* hotproof verify and revert of guards. */
#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "engines/loaded.h"
#include "verbs/begin.h"
#include "verbs/guard.h"

#define DEFAULT_WINDOW_NS (10 * HP_NSEC_PER_SEC)
#define DEFAULT_BUDGET_NS (30 * HP_NSEC_PER_SEC)

static bool is_guard(const char *name)
{
	struct hp_guard guard;

	if (hp_guard__open(&guard, name, NULL))
		return false;
	hp_guard__close(&guard);
	return true;
}

/* Another hotfix of that name, as far as it is seen. */
static bool is_other(const char *name)
{
	__cleanup(hp_session_close) struct hp_session session = { .engine = &hp_loaded_engine };
	_cleanup_free_ struct hp_target *targets = NULL;
	size_t count = 0;

	return !session.engine->open(&session.state, NULL) &&
	       !session.engine->discover(session.state, name, &targets, &count, NULL) && count;
}

/* What is no guard is absent, unless it is proved in another way. */
static int check_names(char **names, int count, struct hp_error *err)
{
	for (int i = 0; i < count; i++)
		if (!is_guard(names[i]) && is_other(names[i]))
			return hp_fail(err, HP_E_USAGE,
				       "%s is no guard: verify guards and others one by one",
				       names[i]);
	return 0;
}

/* One after the other: the window of a workload is one guard's. */
static int verify(struct hp_guard_report *report, char **names, int count,
		  const struct hp_guard_proof_opts *opts, int *status, struct hp_error *err)
{
	int ret;

	if (count != 1 && opts->exercise)
		return hp_fail(err, HP_E_USAGE, "with --exercise, one guard is wanted");
	ret = check_names(names, count, err);
	if (ret)
		return ret;
	for (int i = 0; i < count; i++) {
		struct hp_guard_row *row = hp_guard_report_add(report);

		if (!row)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		ret = hp_guard_proof__run(names[i], opts, &row->view, &row->window, &row->verdict,
					  err);
		if (ret)
			return ret;
		hp_guard_report_proved(row, status);
		if (row->window.interrupted)
			break;
	}
	return 0;
}

int hp_guard__verify(const struct hp_command *cmd, int argc, char **argv)
{
	struct hp_guard_proof_opts opts = { .for_ns = DEFAULT_WINDOW_NS };
	const struct hp_option options[] = {
		{ "for", HP_OPT_DURATION, &opts.for_ns, "TIME", "watch so long (default 10s)" },
		{ "exercise", HP_OPT_STRING, &opts.exercise, "CMD",
		  "run CMD in the window, which ends with it" },
		{ "min-calls", HP_OPT_UINT, &opts.min_calls, "N",
		  "a guard that turned fewer calls away is not live (1)" },
		{ 0 },
	};
	struct hp_guard_report report = { .action = "verify" };
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 0, -1, NULL };
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	hp_interrupt_catch();
	report.exercise = opts.exercise;
	status = HP_EXIT_OK;
	ret = verify(&report, argv + first, argc - first, &opts, &status, &err);
	return hp_guard_finish(&report, &globals, cmd->name, status, ret, &err);
}

int hp_guard__revert(const struct hp_command *cmd, int argc, char **argv)
{
	uint64_t budget = DEFAULT_BUDGET_NS;
	const struct hp_option options[] = {
		{ "budget", HP_OPT_DURATION, &budget, "TIME",
		  "wait so long for another hotproof that changes guards (30s)" },
		{ 0 },
	};
	struct hp_guard_report report = { .action = "revert" };
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 1, 1, "one guard" };
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	hp_interrupt_catch();
	report.budget_ns = budget;
	ret = hp_guard_take_away(argv[first], hp_now_ns() + budget, &report, &err);
	return hp_guard_finish(&report, &globals, cmd->name,
			       ret || report.detached ? HP_EXIT_OK : HP_EXIT_VERIFY, ret, &err);
}
