// SPDX-License-Identifier: GPL-2.0
/* The report of a verification: totals, text, JSON. */
#include "report.h"

#include "report/json.h"
#include "report/verify.h"

static void add_site(struct hp_verify_target *t, uint64_t address, enum hp_site_kind kind,
		     uint64_t redirected, uint64_t stale)
{
	struct hp_verify_site *site = hp_call_sites__add(&t->call_sites);

	*site = (struct hp_verify_site){
		.address = address,
		.symbol = kind == HP_SITE_UNKNOWN ? NULL : strdup("caller"),
		.offset = 0x12,
		.kind = kind,
		.found_static = kind != HP_SITE_UNKNOWN,
		.countable = kind == HP_SITE_CALL || kind == HP_SITE_UNKNOWN,
		.redirected = redirected,
		.stale = stale,
	};
}

static void fill_target(struct hp_verify_target *t)
{
	*t = (struct hp_verify_target){
		.target = { .hotfix = "fix_getpgid",
			    .object = "vmlinux",
			    .symbol = "do_getpgid",
			    .replacement = "new_getpgid",
			    .sympos = 2,
			    .old_addr = 0xffffffff81000000,
			    .new_addr = 0xffffffffc0000000,
			    .patched = true },
		.read_back = { .redirect = HP_REDIRECT_IN_PLACE },
		.calls = HP_COUNT_UNKNOWN,
		.redirected = 1000,
		.scoped = 900,
		.switched = 132,
		.total = 132,
		.call_sites = { .known = true, .by_pointer = true },
		.verdict = HP_VERDICT_LIVE,
		.reason = "1000 calls, all redirected",
	};
	t->point[HP_POINT_OLD_ENTRY] =
		(struct hp_verify_point){ .reason = "livepatched already: hazard 1" };
	t->point[HP_POINT_NEW_ENTRY] =
		(struct hp_verify_point){ .method = "fentry", .symbol = "new_getpgid" };
	t->point[HP_POINT_OLD_BODY] = (struct hp_verify_point){
		.method = "kprobe", .symbol = "do_getpgid", .offset = 5, .misses = 1
	};
	add_site(t, 0xffffffff81000100, HP_SITE_CALL, 600, 0);
	add_site(t, 0xffffffff81000200, HP_SITE_CALL, 0, 0);
	add_site(t, 0xffffffff81000300, HP_SITE_TAIL, 0, 0);
	add_site(t, 0xffffffff81000400, HP_SITE_UNKNOWN, 400, 0);
}

static int setup(void **state)
{
	static struct hp_verify_report report;

	report = (struct hp_verify_report){ .window_ns = 10000000000, .target_count = 2 };
	report.targets = calloc(2, sizeof(*report.targets));
	fill_target(&report.targets[0]);
	fill_target(&report.targets[1]);
	strcpy(report.targets[1].target.symbol, "do_other");
	report.exercise = (struct hp_exercise_result){ .command = "./work", .calls = 900 };
	*state = &report;
	return 0;
}

static int teardown(void **state)
{
	hp_verify_report__free(*state);
	return 0;
}

static char *print(const struct hp_verify_report *report, bool color, int verbosity)
{
	struct memory memory;

	open_memory(&memory);
	assert_int_equal(hp_verify_report__print(report, memory.stream, color, verbosity), 0);
	return take_text(&memory);
}

static void totals_of_call_sites(void **state)
{
	struct hp_verify_report *report = *state;
	struct hp_verify_target *t = &report->targets[0];
	struct hp_site_totals totals = hp_call_sites__totals(&t->call_sites);

	assert_int_equal(totals.known, 3);
	assert_int_equal(totals.countable, 2);
	assert_int_equal(totals.exercised, 1);
	assert_int_equal(totals.redirected, 1);
	assert_int_equal(totals.dynamic, 1);

	/* A site that was redirected and stale was exercised; redirected it is not. */
	t->call_sites.list[0].stale = 1;
	totals = hp_call_sites__totals(&t->call_sites);
	assert_int_equal(totals.exercised, 1);
	assert_int_equal(totals.redirected, 0);
}

static void worst_verdict_and_status(void **state)
{
	struct hp_verify_report *report = *state;
	struct hp_verify_report none = { 0 };
	_cleanup_free_ char *text = NULL;

	hp_verify_report__finish(report);
	assert_int_equal(report->verdict, HP_VERDICT_LIVE);
	assert_int_equal(report->status, HP_EXIT_OK);
	for (int verdict = 0; verdict < HP_VERDICT_LIVE; verdict++) {
		report->targets[1].verdict = (enum hp_verdict)verdict;
		hp_verify_report__finish(report);
		assert_int_equal(report->verdict, verdict);
		assert_int_equal(report->status, HP_EXIT_VERIFY);
	}
	hp_verify_report__finish(&none);
	assert_int_equal(none.verdict, HP_VERDICT_ABSENT);
	assert_int_equal(none.status, HP_EXIT_VERIFY);
	text = print(&none, false, 0);
	assert_string_equal(text, "absent: no livepatch is loaded\n");
}

static void text_of_live_targets(void **state)
{
	struct hp_verify_report *report = *state;
	_cleanup_free_ char *text = NULL;

	hp_verify_report__finish(report);
	text = print(report, false, 0);
	assert_string_equal(
		text,
		"LIVEPATCH   OBJECT  TARGET       CALLS REDIRECTED STALE   REACH SITES VERDICT\n"
		"fix_getpgid vmlinux do_getpgid,2     -       1000     0 132/132   1/2 live\n"
		"fix_getpgid vmlinux do_other,2       -       1000     0 132/132   1/2 live\n"
		"\n"
		"live: 2 of 2 targets live, observed for 10 s\n"
		"exercise './work': exit status 0, 900 calls\n");
}

static void text_tells_what_is_wrong(void **state)
{
	struct hp_verify_report *report = *state;
	struct hp_verify_target *t = &report->targets[1];
	_cleanup_free_ char *text = NULL;

	t->verdict = HP_VERDICT_STALE;
	t->stale = 7;
	strcpy(t->reason, "7 calls ran the old body, 1000 redirected");
	t->call_sites.list[0].stale = 7;
	hp_verify_report__finish(report);
	text = print(report, false, 0);
	assert_contains(text, "\nstale  fix_getpgid: vmlinux/do_other -> new_getpgid\n"
			      "    7 calls ran the old body, 1000 redirected\n"
			      "    all calls not seen: livepatched already: hazard 1\n"
			      "    redirected calls seen by fentry at new_getpgid\n"
			      "    stale calls seen by kprobe at do_getpgid+0x5, 1 missed\n");
	assert_contains(text, "0xffffffff81000100 caller+0x12  call, 600 redirected, 7 stale\n");
	assert_lacks(text, "misses unknown");
	assert_contains(text, "may be called through pointers");
	assert_contains(text, "\nstale: 1 of 2 targets live");
	assert_lacks(text, "live  fix_getpgid: vmlinux/do_getpgid");
	assert_lacks(text, "0xffffffff81000200");
	assert_lacks(text, "\033");
}

/* 6.1 does not count what a kprobe misses: no 0 may stand for that. */
static void misses_that_nobody_counts(void **state)
{
	struct hp_verify_report *report = *state;
	struct hp_verify_target *t = &report->targets[0];
	_cleanup_free_ char *text = NULL;
	json_t *json, *target, *point;

	t->point[HP_POINT_OLD_BODY].misses = t->misses = HP_COUNT_UNKNOWN;
	t->point[HP_POINT_OLD_BODY].at_most = true;
	hp_verify_report__finish(report);
	text = print(report, false, 1);
	assert_contains(text, "stale calls seen by kprobe at do_getpgid+0x5, an upper "
			      "bound: a loop may pass there, misses unknown\n");
	assert_lacks(text, "calls were missed");
	json = hp_verify_report__json(report);
	target = json_array_get(json_object_get(json, "targets"), 0);
	point = json_array_get(json_object_get(target, "points"), HP_POINT_OLD_BODY);
	assert_true(json_is_null(json_object_get(target, "misses")));
	assert_true(json_is_null(json_object_get(point, "misses")));
	target = json_array_get(json_object_get(json, "targets"), 1);
	point = json_array_get(json_object_get(target, "points"), HP_POINT_OLD_BODY);
	assert_int_equal(json_integer_value(json_object_get(target, "misses")), 0);
	assert_int_equal(json_integer_value(json_object_get(point, "misses")), 1);
	assert_valid("verify", json);
}

static void verbose_text_lists_all(void **state)
{
	struct hp_verify_report *report = *state;
	_cleanup_free_ char *text = NULL;

	hp_verify_report__finish(report);
	text = print(report, true, 1);
	assert_contains(text, "\033[32mlive\033[0m  fix_getpgid: vmlinux/do_getpgid");
	assert_contains(text, "0xffffffff81000200 caller+0x12  call, never called\n");
	assert_contains(text, "0xffffffff81000300 caller+0x12  jump, its calls cannot be told "
			      "apart\n");
	assert_contains(text, "0xffffffff81000400 by pointer or unknown, seen at run time only, "
			      "400 redirected, 0 stale\n");
}

static void long_lists_are_cut(void **state)
{
	struct hp_verify_report *report = *state;
	struct hp_verify_target *t = &report->targets[0];
	_cleanup_free_ char *text = NULL;

	for (unsigned int i = 0; i < 30; i++)
		add_site(t, 0xffffffff82000000 + i, HP_SITE_CALL, 0, 1);
	t->verdict = HP_VERDICT_STALE;
	hp_verify_report__finish(report);
	text = print(report, false, 0);
	assert_contains(text, "0xffffffff82000009 ");
	assert_lacks(text, "0xffffffff8200000a ");
	assert_contains(text, "      and 20 more (-v lists all)\n");
}

/* A livepatch that was named and is not loaded: nothing is known but its name. */
static void a_livepatch_without_targets(void **state)
{
	struct hp_verify_report *report = *state;
	struct hp_verify_target *t = &report->targets[1];
	_cleanup_free_ char *text = NULL;

	strcpy(t->target.hotfix, "missing");
	*t->target.object = *t->target.symbol = *t->target.replacement = '\0';
	t->verdict = HP_VERDICT_ABSENT;
	strcpy(t->reason, "not applied");
	hp_verify_report__finish(report);
	text = print(report, false, 0);
	assert_contains(text, "\nabsent  missing\n    not applied\n\nabsent: 1 of 2");
	assert_valid("verify", hp_verify_report__json(report));
}

static void json_is_as_published(void **state)
{
	struct hp_verify_report *report = *state;
	struct hp_verify_target *t = &report->targets[1];

	hp_verify_report__finish(report);
	assert_valid("verify", hp_verify_report__json(report));

	/* Everything that may be missing is missing. */
	*t->target.replacement = '\0';
	t->target.old_addr = t->target.new_addr = 0;
	t->total = t->switched = 0;
	t->call_sites.known = false;
	t->redirected = t->stale = t->scoped = HP_COUNT_UNKNOWN;
	t->verdict = HP_VERDICT_UNKNOWN;
	report->exercise = (struct hp_exercise_result){ 0 };
	hp_verify_report__finish(report);
	assert_valid("verify", hp_verify_report__json(report));
}

static void json_says_what_was_counted(void **state)
{
	struct hp_verify_report *report = *state;
	const char *schema, *verdict, *address;
	json_int_t redirected, known;
	json_t *json, *calls;

	hp_verify_report__finish(report);
	report->exercise.command = "printf '\xff'";
	json = hp_verify_report__json(report);
	assert_int_equal(json_unpack(json, "{s:s, s:s, s:[{s:o, s:I, s:s, s:{s:I}}, o]}", "schema",
				     &schema, "verdict", &verdict, "targets", "calls", &calls,
				     "redirected", &redirected, "old_address", &address,
				     "call_sites", "known", &known, &(json_t *){ NULL }),
			 0);
	assert_string_equal(schema, "hotproof.verify");
	assert_string_equal(verdict, "live");
	assert_string_equal(address, "0xffffffff81000000");
	assert_true(json_is_null(calls));
	assert_int_equal(redirected, 1000);
	assert_int_equal(known, 3);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json, "exercise"), "command")),
		"printf '\xef\xbf\xbd'");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(totals_of_call_sites, setup, teardown),
		cmocka_unit_test_setup_teardown(worst_verdict_and_status, setup, teardown),
		cmocka_unit_test_setup_teardown(text_of_live_targets, setup, teardown),
		cmocka_unit_test_setup_teardown(text_tells_what_is_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(misses_that_nobody_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(verbose_text_lists_all, setup, teardown),
		cmocka_unit_test_setup_teardown(long_lists_are_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(a_livepatch_without_targets, setup, teardown),
		cmocka_unit_test_setup_teardown(json_is_as_published, setup, teardown),
		cmocka_unit_test_setup_teardown(json_says_what_was_counted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
