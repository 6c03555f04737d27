// SPDX-License-Identifier: GPL-2.0
/* An earlier measurement read back: the same numbers, and nothing but a whole report. */
#include "report.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "observe/hist.h"
#include "report/json.h"
#include "report/measure.h"

static char path[] = "/tmp/hotproof-test.XXXXXX";

static int setup(void **state)
{
	static struct hp_measure_report report;
	struct hp_measure_function *f;
	struct hp_measure_side *side;
	struct hp_hist *hist;
	int fd;

	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	report = (struct hp_measure_report){ .function_count = 1 };
	f = report.functions = calloc(1, sizeof(*f));
	strcpy(f->symbol, "flags_show");
	strcpy(f->object, "vmlinux");
	f->sympos = 3;
	strcpy(f->side[HP_MEASURE_NEW].reason, "no livepatch replaces it");
	side = &f->side[HP_MEASURE_OLD];
	hist = hp_measure_side__start(side);
	strcpy(side->symbol, "flags_show");
	side->method = "kprobe+kretprobe";
	side->probe_cost = 120.25;
	side->window_ns = 5000000000;
	side->untimed = 7;
	side->misses = HP_COUNT_UNKNOWN; /* of a kprobe: null in JSON */
	for (uint64_t ns = 1; ns < 1ull << 40; ns = ns * 3 + 1)
		hp_hist__add(hist, ns);
	hp_measure_report__stamp(&report);
	*state = &report;
	return hist ? 0 : -1;
}

static int teardown(void **state)
{
	hp_measure_report__free(*state);
	unlink(path);
	return 0;
}

static void write_json(json_t *json)
{
	assert_non_null(json);
	assert_int_equal(json_dump_file(json, path, 0), 0);
	json_decref(json);
}

static void same_numbers(void **state)
{
	const struct hp_measure_report *report = *state;
	const struct hp_measure_side *wrote = &report->functions[0].side[HP_MEASURE_OLD], *read;
	struct hp_measure_report back;
	struct hp_measure_function *f;

	write_json(hp_measure_report__json(report));
	assert_int_equal(hp_measure_report__read(&back, path, NULL), 0);
	assert_string_equal(back.measured_at, report->measured_at);
	assert_string_equal(back.kernel_build_id, report->kernel_build_id);
	f = hp_measure_report__find(&back, "vmlinux", "flags_show", 3);
	assert_non_null(f);
	assert_null(hp_measure_report__find(&back, "vmlinux", "flags_show", 1));
	assert_null(hp_measure_report__find(&back, "loop", "flags_show", 3));
	read = &f->side[HP_MEASURE_OLD];
	assert_true(read->measured);
	assert_false(f->side[HP_MEASURE_NEW].measured);
	assert_memory_equal(read->hist, wrote->hist, sizeof(*read->hist));
	assert_string_equal(read->method, wrote->method);
	assert_true(read->probe_cost == wrote->probe_cost);
	assert_int_equal(read->window_ns, wrote->window_ns);
	assert_int_equal(read->untimed, 7);
	assert_true(read->misses == HP_COUNT_UNKNOWN);
	hp_measure_report__free(&back);
}

static void from_apply(void **state)
{
	struct hp_measure_report back;

	write_json(hp_json_envelope(
		"apply", 1, json_pack("{s:o}", "measurement", hp_measure_report__body(*state))));
	assert_int_equal(hp_measure_report__read(&back, path, NULL), 0);
	assert_true(back.functions[0].side[HP_MEASURE_OLD].measured);
	hp_measure_report__free(&back);
}

/* Of processes: with the file's build-id, and how the probes' cost varied. */
static void keeps_processes(void **state)
{
	struct hp_measure_report *report = *state, back;
	struct hp_measure_side *side = &report->functions[0].side[HP_MEASURE_OLD];

	strcpy(report->functions[0].object_id, "0123ab");
	side->method = hp_method_name(HP_METHOD_UPROBE_URETPROBE_STEPPED);
	side->processes = 3;
	side->probe_spread = 2500.5;
	write_json(hp_measure_report__json(report));
	assert_int_equal(hp_measure_report__read(&back, path, NULL), 0);
	assert_string_equal(back.functions[0].object_id, "0123ab");
	side = &back.functions[0].side[HP_MEASURE_OLD];
	assert_int_equal(side->processes, 3);
	assert_true(side->probe_spread == 2500.5);
	assert_string_equal(side->method, "uprobe+uretprobe, stepped");
	hp_measure_report__free(&back);
}

/* The missing side moves, with its source; it is not handed on to a third run. */
static void completes_once(void **state)
{
	struct hp_measure_report *earlier = *state, now = { .function_count = 1 }, third;
	struct hp_measure_side *side;

	now.functions = calloc(1, sizeof(*now.functions));
	assert_non_null(now.functions);
	strcpy(now.functions[0].symbol, "flags_show");
	strcpy(now.functions[0].object, "vmlinux");
	now.functions[0].sympos = 3;
	side = &now.functions[0].side[HP_MEASURE_NEW];
	assert_non_null(hp_measure_side__start(side));
	strcpy(side->symbol, "new_flags_show");
	side->method = "kprobe+kretprobe";
	hp_measure_report__stamp(&now);
	hp_measure_report__complete(&now, earlier, "before.json");
	assert_int_equal(hp_measure_report__finish(&now, 1), 0);
	/* Calls of the earlier run are none of this one. */
	assert_int_equal(now.status, HP_EXIT_VERIFY);
	side = &now.functions[0].side[HP_MEASURE_OLD];
	assert_true(side->measured);
	assert_string_equal(side->earlier, "before.json");
	assert_string_equal(side->earlier_at, earlier->measured_at);
	assert_false(earlier->functions[0].side[HP_MEASURE_OLD].measured);

	write_json(hp_measure_report__json(&now));
	assert_int_equal(hp_measure_report__read(&third, path, NULL), 0);
	assert_false(third.functions[0].side[HP_MEASURE_OLD].measured);
	assert_true(third.functions[0].side[HP_MEASURE_NEW].measured);
	hp_measure_report__free(&third);
	hp_measure_report__free(&now);
}

static void set(json_t *json, const char *key, json_t *value)
{
	assert_int_equal(json_object_set_new(json, key, value), 0);
}

static void refuses(void **state)
{
	for (int i = 0; i < 9; i++) {
		json_t *json = hp_measure_report__json(*state);
		json_t *f = json_array_get(json_object_get(json, "functions"), 0);
		json_t *old = json_object_get(f, "old");
		json_t *buckets = json_object_get(old, "histogram");
		json_t *bucket = json_array_get(buckets, 5);
		struct hp_measure_report back;
		struct hp_error err = { 0 };

		switch (i) {
		case 0: /* another kind of report */
			set(json, "schema", json_string("hotproof.verify"));
			break;
		case 1: /* a bucket that the observer has not */
			set(bucket, "from_ns",
			    json_integer(json_integer_value(json_object_get(bucket, "from_ns")) +
					 1));
			break;
		case 2: /* more calls than there are */
			set(old, "calls", json_integer(10000));
			break;
		case 3:
			set(old, "method", json_string("guess"));
			break;
		case 4: /* a bucket twice */
			assert_int_equal(json_array_append(buckets, bucket), 0);
			break;
		case 5:
			set(bucket, "calls", json_integer(-1));
			break;
		case 6:
			set(json_object_get(old, "raw"), "mean_ns", json_real(-1));
			break;
		case 7:
			assert_int_equal(json_object_del(f, "sympos"), 0);
			break;
		case 8:
			set(json, "measured_at", json_null());
			break;
		}
		write_json(json);
		assert_int_equal(hp_measure_report__read(&back, path, &err), -EBADMSG);
		assert_int_equal(err.reason, HP_E_EARLIER);
		assert_null(back.functions);
	}
}

static void refuses_no_json(void **state)
{
	struct hp_measure_report back;
	struct hp_error err = { 0 };

	assert_int_equal(hp_measure_report__read(&back, path, &err), -EBADMSG); /* empty */
	assert_int_equal(err.reason, HP_E_EARLIER);
	unlink(path);
	err = (struct hp_error){ 0 };
	assert_int_equal(hp_measure_report__read(&back, path, &err), -EBADMSG);
	assert_non_null(strstr(err.message, "No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(same_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(from_apply, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(completes_once, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_no_json, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
