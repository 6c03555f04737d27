// SPDX-License-Identifier: GPL-2.0
/* The report of a measurement: status, text, JSON. */
#include "report.h"

#include "observe/hist.h"
#include "report/json.h"
#include "report/measure.h"

static struct hp_measure_side *start(struct hp_measure_function *f, enum hp_measure_which which,
				     const char *symbol, uint64_t ns, int calls)
{
	struct hp_measure_side *side = &f->side[which];
	struct hp_hist *hist = hp_measure_side__start(side);

	assert_non_null(hist);
	strcpy(side->symbol, symbol);
	side->method = "fentry+fexit";
	side->probe_cost = 120;
	side->window_ns = 5000000000;
	for (int i = 0; i < calls; i++)
		hp_hist__add(hist, ns + (uint64_t)i % 100);
	return side;
}

static int setup(void **state)
{
	static struct hp_measure_report report;
	struct hp_measure_function *f;

	report = (struct hp_measure_report){ .function_count = 1 };
	f = report.functions = calloc(1, sizeof(*report.functions));
	strcpy(f->symbol, "do_getpgid");
	strcpy(f->object, "vmlinux");
	strcpy(f->livepatch, "fix_getpgid");
	hp_measure_report__stamp(&report);
	*state = &report;
	return 0;
}

static int teardown(void **state)
{
	hp_measure_report__free(*state);
	return 0;
}

static char *print(const struct hp_measure_report *report, bool color)
{
	struct memory memory;

	open_memory(&memory);
	assert_int_equal(hp_measure_report__print(report, memory.stream, color, true), 0);
	return take_text(&memory);
}

static void both_sides(void **state)
{
	struct hp_measure_report *report = *state;
	_cleanup_free_ char *text = NULL;

	start(report->functions, HP_MEASURE_OLD, "do_getpgid", 1000, 400);
	start(report->functions, HP_MEASURE_NEW, "new_getpgid", 2000, 500);
	assert_int_equal(hp_measure_report__finish(report, 1), 0);
	assert_int_equal(report->status, HP_EXIT_OK);
	text = print(report, false);
	assert_contains(text, "do_getpgid of vmlinux, replaced by fix_getpgid\n"
			      "SIDE     CALLS    MEAN     P50     P90     P99   P99.9     MAX\n");
	assert_contains(text, "old, net   400  930 ns ");
	assert_contains(text, "old, raw   400 1.05 us ");
	assert_contains(text, "new, net   500 1.93 us ");
	assert_contains(text, "2.10 us\n");
	assert_contains(text, "old: do_getpgid timed by fentry+fexit for 5 s, net of the probe's "
			      "own 120 ns\n");
	assert_contains(text, "mean: new is slower by 1 us, +107.6 % (95 % interval +9");
	assert_contains(text, "median: new is slower by ");
	assert_lacks(text, "different ways");
	assert_contains(text, "raw times:\n");
	assert_lacks(text, "\033");
}

static void no_difference(void **state)
{
	struct hp_measure_report *report = *state;
	_cleanup_free_ char *text = NULL;

	start(report->functions, HP_MEASURE_OLD, "do_getpgid", 1000, 400);
	start(report->functions, HP_MEASURE_NEW, "new_getpgid", 1000, 400)->method = "kprobe";
	assert_int_equal(hp_measure_report__finish(report, 1), 0);
	text = print(report, true);
	assert_contains(text, "mean: no difference can be shown (95 % interval -");
	assert_contains(text, "median: no difference can be shown (95 % interval -");
	assert_contains(text, "timed in different ways");
	assert_contains(text, "\033[1mdo_getpgid\033[0m");
}

/* Of processes: how the probes' cost varies is part of the interval. */
static void probes_of_processes(void **state)
{
	struct hp_measure_report *report = *state;
	struct hp_measure_side *old = start(report->functions, HP_MEASURE_OLD, "f", 20000, 400);
	struct hp_measure_side *new = start(report->functions, HP_MEASURE_NEW, "g", 23000, 400);
	_cleanup_free_ char *text = NULL;

	old->processes = 1;
	new->processes = 3;
	old->method = new->method = hp_method_name(HP_METHOD_UPROBES);
	old->probe_spread = new->probe_spread = 2000;
	assert_int_equal(hp_measure_report__finish(report, 1), 0);
	assert_false(report->functions->comparison.mean.significant);
	text = print(report, false);
	assert_contains(text, "new: g timed by uprobes in 3 processes for 5 s, net of the probe's "
			      "own 120 ns, which varies by 2 us\n");
	assert_contains(text, "mean: no difference can be shown (95 % interval -1");
	assert_contains(text, "nanoseconds drown in that\n");
	free(text);
	new->probe_spread = 500;
	assert_int_equal(hp_measure_report__finish(report, 1), 0);
	assert_true(report->functions->comparison.mean.significant);
	assert_true(report->functions->comparison.mean.low < 501);
	text = print(report, false);
	assert_contains(text, "mean: new is slower by 3 us");
	assert_valid("measure", hp_measure_report__json(report));
}

static void too_few_calls(void **state)
{
	struct hp_measure_report *report = *state;
	_cleanup_free_ char *text = NULL;

	start(report->functions, HP_MEASURE_OLD, "do_getpgid", 1000, 400);
	start(report->functions, HP_MEASURE_NEW, "new_getpgid", 1000, 7)->untimed = 3;
	assert_int_equal(hp_measure_report__finish(report, 1), 0);
	text = print(report, false);
	assert_contains(text, "difference: not enough calls: 7 (30 are needed)\n");
	assert_contains(text, "own 120 ns; 3 calls could not be timed\n");
	free(text);
	report->functions->side[HP_MEASURE_NEW].misses = HP_COUNT_UNKNOWN;
	text = print(report, false);
	assert_contains(text, "3 calls could not be timed; misses unknown\n");
	assert_valid("measure", hp_measure_report__json(report));
}

static void one_side_only(void **state)
{
	struct hp_measure_report *report = *state;
	_cleanup_free_ char *text = NULL;

	strcpy(report->functions->side[HP_MEASURE_OLD].reason, "livepatched already");
	start(report->functions, HP_MEASURE_NEW, "new_getpgid", 1000, 40);
	assert_int_equal(hp_measure_report__finish(report, 1), 0);
	assert_int_equal(report->status, HP_EXIT_OK);
	text = print(report, false);
	assert_contains(text, "old: not measured: livepatched already\n");
	assert_lacks(text, "difference");
	assert_lacks(text, "old, net");
	assert_valid("measure", hp_measure_report__json(report));
}

static void nothing_measured(void **state)
{
	struct hp_measure_report *report = *state;
	struct hp_measure_report none = { 0 };
	_cleanup_free_ char *text = NULL;

	start(report->functions, HP_MEASURE_NEW, "new_getpgid", 1000, 0);
	assert_int_equal(hp_measure_report__finish(report, 1), 0);
	assert_int_equal(report->status, HP_EXIT_VERIFY);
	text = print(report, false);
	assert_contains(text, "own 120 ns; no call came\n");
	assert_lacks(text, "raw times");
	assert_lacks(text, "CALLS");
	assert_valid("measure", hp_measure_report__json(report));
	assert_int_equal(hp_measure_report__finish(&none, 1), 0);
	assert_int_equal(none.status, HP_EXIT_VERIFY);
}

static void json_holds_the_numbers(void **state)
{
	struct hp_measure_report *report = *state;
	json_int_t from, to, calls, bucket_calls = 0;
	json_t *json, *histogram, *bucket;
	double raw_mean, net_mean, cost, low;
	const char *method;
	size_t i;

	start(report->functions, HP_MEASURE_OLD, "do_getpgid", 1000, 400);
	start(report->functions, HP_MEASURE_NEW, "new_getpgid", 2000, 500);
	report->exercise.command = "true";
	assert_int_equal(hp_measure_report__finish(report, 1), 0);
	json = hp_measure_report__json(report);
	assert_int_equal(
		json_unpack(json, "{s:[{s:{s:{s:f}, s:{s:f}, s:f, s:s, s:I, s:o}, s:{s:{s:f}}}]}",
			    "functions", "old", "raw", "mean_ns", &raw_mean, "net", "mean_ns",
			    &net_mean, "probe_cost_ns", &cost, "method", &method, "calls", &calls,
			    "histogram", &histogram, "comparison", "mean", "low_ns", &low),
		0);
	assert_true(raw_mean > 1049.4 && raw_mean < 1049.6);
	assert_true(raw_mean - net_mean == cost);
	assert_true(low > 900 && low < 1000);
	assert_string_equal(method, "fentry+fexit");
	assert_int_equal(calls, 400);
	json_array_foreach(histogram, i, bucket)
	{
		json_int_t n;

		assert_int_equal(json_unpack(bucket, "{s:I, s:I, s:I}", "from_ns", &from, "to_ns",
					     &to, "calls", &n),
				 0);
		assert_true(from >= 960 && to <= 1099 && from <= to);
		bucket_calls += n;
	}
	assert_int_equal(bucket_calls, 400);
	assert_valid("measure", json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_sides, setup, teardown),
		cmocka_unit_test_setup_teardown(no_difference, setup, teardown),
		cmocka_unit_test_setup_teardown(probes_of_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(too_few_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(one_side_only, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_measured, setup, teardown),
		cmocka_unit_test_setup_teardown(json_holds_the_numbers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
