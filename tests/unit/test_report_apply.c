// SPDX-License-Identifier: GPL-2.0
/* The reports of apply and revert: text and JSON. */
#include "report.h"

#include "observe/hist.h"
#include "report/apply.h"

#define MS 1000000ull

static void add_blocker(struct hp_progress *progress, int pid, const char *comm, const char *stack)
{
	struct hp_blocker *b = hp_progress_add(progress);

	assert_non_null(b);
	b->pid = b->tgid = pid;
	b->kthread = true;
	b->state = 'S';
	memcpy(b->comm, comm, strnlen(comm, sizeof(b->comm)));
	b->stack = stack ? strdup(stack) : NULL;
}

static int setup(void **state)
{
	static struct hp_apply_report report;

	report = (struct hp_apply_report){
		.verb = "apply",
		.livepatch = "fix_getpgid",
		.file = "./fix-getpgid.ko",
		.begin_ns = 5000 * MS,
		.outcome = HP_OUTCOME_APPLIED,
		.total_ns = 7300 * MS,
		.used_ns = 2300 * MS,
		.budget_ns = 30000 * MS,
	};
	*state = &report;
	return 0;
}

static int teardown(void **state)
{
	hp_apply_report__free(*state);
	return 0;
}

static char *print(const struct hp_apply_report *report, bool color, int verbosity)
{
	struct memory memory;

	open_memory(&memory);
	assert_int_equal(hp_apply_report__print(report, memory.stream, color, true, verbosity), 0);
	return take_text(&memory);
}

static void verification(struct hp_verify_report *verify)
{
	verify->targets = calloc(1, sizeof(*verify->targets));
	verify->target_count = 1;
	verify->targets[0].verdict = HP_VERDICT_LIVE;
	verify->targets[0].redirected = 10;
	strcpy(verify->targets[0].target.hotfix, "fix_getpgid");
	strcpy(verify->targets[0].target.object, "vmlinux");
	strcpy(verify->targets[0].target.symbol, "do_getpgid");
	strcpy(verify->targets[0].reason, "10 calls, all redirected");
	hp_verify_report__finish(verify);
}

static void measurement(struct hp_measure_report *measure)
{
	struct hp_measure_function *f = calloc(1, sizeof(*f));

	measure->functions = f;
	measure->function_count = 1;
	strcpy(f->symbol, "do_getpgid");
	for (int s = 0; s < HP_MEASURE_SIDES; s++) {
		struct hp_hist *hist = hp_measure_side__start(&f->side[s]);

		assert_non_null(hist);
		f->side[s].method = "fentry+fexit";
		for (uint64_t ns = 1000; ns < 1100; ns++)
			hp_hist__add(hist, ns);
	}
	hp_measure_report__stamp(measure);
	assert_int_equal(hp_measure_report__finish(measure, 1), 0);
}

static void applied(void **state)
{
	struct hp_apply_report *report = *state;
	_cleanup_free_ char *text = NULL;

	hp_apply_report__phase(report, HP_PHASE_CHECK, 5000 * MS, 5012 * MS);
	hp_apply_report__phase(report, HP_PHASE_LOAD, 10100 * MS, 10180 * MS);
	hp_apply_report__phase(report, HP_PHASE_FIRST_CALL, 10180 * MS, 10190 * MS);
	report->verified = report->measured = true;
	verification(&report->verify);
	measurement(&report->measure);
	text = print(report, false, 0);
	assert_contains(text, "PHASE                    BEGAN  TOOK\n"
			      "check                     0 ns 12 ms\n"
			      "load                    5.10 s 80 ms\n"
			      "  first redirected call 5.18 s 10 ms\n");
	assert_lacks(text, "baseline");
	assert_contains(text, "mean: no difference can be shown");
	assert_contains(text, "live: 1 of 1 target live");
	assert_contains(text, "\napplied: fix_getpgid (./fix-getpgid.ko), 2.30 s of the budget of "
			      "30 s used, 7.30 s in all\n");
	assert_valid("apply", hp_apply_report__json(report));
}

static void rolled_back(void **state)
{
	struct hp_apply_report *report = *state;
	_cleanup_free_ char *text = NULL;

	report->outcome = HP_OUTCOME_ROLLED_BACK;
	report->status = HP_EXIT_BUDGET;
	hp_fail(&report->error, HP_E_BUDGET, "the transition took longer than 30 s");
	report->progress.switched = 131;
	report->progress.total = 132;
	add_blocker(&report->progress, 77, "stall", "schedule+0x5e/0xd0\nstall_target+0x1/0x2\n");
	add_blocker(&report->progress, 78, "sixteen-bytes-xx", NULL);
	report->restoration = (struct hp_restoration){
		.checked = true, .restored = true, .unloaded = true, .old_calls = 40, .new_calls = 0
	};
	text = print(report, false, 0);
	assert_contains(text, "131 of 132 tasks have switched\n"
			      "tasks that blocked the transition:\n"
			      "    77 stall, kernel thread, state S\n"
			      "        schedule+0x5e/0xd0\n"
			      "        stall_target+0x1/0x2\n"
			      "    78 sixteen-bytes-xx, kernel thread, state S\n"
			      "        kernel stack not readable\n");
	assert_contains(text, "the old code is back: calls of the old body 40, of the replacement "
			      "0; the hotfix is unloaded\n");
	assert_contains(text, "rolled back: fix_getpgid");
	assert_contains(text, "    the transition took longer than 30 s (HP_E_BUDGET)\n    raise ");
	assert_valid("apply", hp_apply_report__json(report));
}

static void many_blockers(void **state)
{
	struct hp_apply_report *report = *state;
	_cleanup_free_ char *all = NULL;
	_cleanup_free_ char *text = NULL;

	for (int pid = 100; pid < 125; pid++)
		add_blocker(&report->progress, pid, "worker", NULL);
	text = print(report, false, 0);
	assert_contains(text, "    109 worker");
	assert_lacks(text, "    110 worker");
	assert_contains(text, "    and 15 more (-v lists all)\n");
	all = print(report, false, 1);
	assert_contains(all, "    124 worker");
}

static void not_restored(void **state)
{
	struct hp_apply_report *report = *state;
	_cleanup_free_ char *text = NULL;

	report->verb = "revert";
	report->file = NULL;
	report->outcome = HP_OUTCOME_STUCK;
	report->status = HP_EXIT_BUDGET;
	report->restoration = (struct hp_restoration){
		.checked = true, .old_calls = HP_COUNT_UNKNOWN, .new_calls = 3, .reason = "no probe"
	};
	text = print(report, true, 0);
	assert_contains(text, "\033[31mNOT PROVED that the old code is back\033[0m: calls of the "
			      "old body -, of the replacement 3; the hotfix is still loaded; no "
			      "probe\n");
	assert_contains(text, "\033[31mstuck\033[0m: fix_getpgid, ");
	assert_valid("revert", hp_apply_report__json(report));
	/* An outcome of the other verb is not in the schema. */
	report->outcome = HP_OUTCOME_APPLIED;
	{
		json_t *json = hp_apply_report__json(report);

		assert_int_equal(validate("revert", json, true), 1);
		json_decref(json);
	}
}

static void json_of_phases(void **state)
{
	struct hp_apply_report *report = *state;
	json_int_t start, took;
	const char *phase, *line;
	json_t *json;

	/* A clock that was read in the wrong order is no negative time. */
	hp_apply_report__phase(report, HP_PHASE_ARM, 5010 * MS, 5050 * MS);
	hp_apply_report__phase(report, HP_PHASE_LOAD, 4000 * MS, 3000 * MS);
	add_blocker(&report->progress, 1, "init\xff", "one\n\ntwo");
	json = hp_apply_report__json(report);
	assert_int_equal(json_unpack(json, "{s:[{s:I, s:I}, {s:s, s:I, s:I}!], s:[{s:[o, s!]}]}",
				     "phases", "start_ns", &(json_int_t){ 0 }, "took_ns",
				     &(json_int_t){ 0 }, "phase", &phase, "start_ns", &start,
				     "took_ns", &took, "blockers", "stack", &(json_t *){ NULL },
				     &line),
			 0);
	assert_string_equal(phase, "arm");
	assert_int_equal(start, 10 * MS);
	assert_int_equal(took, 40 * MS);
	assert_string_equal(line, "two");
	assert_valid("apply", json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(applied, setup, teardown),
		cmocka_unit_test_setup_teardown(rolled_back, setup, teardown),
		cmocka_unit_test_setup_teardown(many_blockers, setup, teardown),
		cmocka_unit_test_setup_teardown(not_restored, setup, teardown),
		cmocka_unit_test_setup_teardown(json_of_phases, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
