// SPDX-License-Identifier: GPL-2.0
/* Verdicts about guards: what the pins say, and the calls in a window; and who was refused, as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proof/guard_proof.h"
#include "report/guard.h"

static struct hp_guard_view enforcing(void)
{
	return (struct hp_guard_view){ .status = HP_GUARD_IS_ENFORCING,
				       .counted = true,
				       .read_back = { .redirect = HP_REDIRECT_IN_PLACE } };
}

static enum hp_verdict decide(struct hp_guard_view view, struct hp_guard_window window,
			      uint64_t min_calls)
{
	struct hp_guard_verdict out = { 0 };

	hp_guard_proof__decide(&view, &window, min_calls, &out);
	assert_true(out.reason[0]);
	return out.verdict;
}

static void only_a_refused_call_is_live(void **state)
{
	struct hp_guard_window w = { .calls = 5 };

	assert_int_equal(decide(enforcing(), w, 0), HP_VERDICT_UNEXERCISED);
	w.observed = 5;
	assert_int_equal(decide(enforcing(), w, 0), HP_VERDICT_UNEXERCISED);
	w.returned = 1;
	assert_int_equal(decide(enforcing(), w, 0), HP_VERDICT_LIVE);
	assert_int_equal(decide(enforcing(), w, 1), HP_VERDICT_LIVE);
	assert_int_equal(decide(enforcing(), w, 2), HP_VERDICT_UNEXERCISED);
}

static void observing_is_never_live(void **state)
{
	struct hp_guard_view view = enforcing();
	struct hp_guard_verdict out = { 0 };

	view.status = HP_GUARD_IS_OBSERVING;
	assert_int_equal(decide(view, (struct hp_guard_window){ .calls = 9, .observed = 9 }, 0),
			 HP_VERDICT_UNEXERCISED);
	/* Not even when it enforced for a part of the window; but that is said. */
	hp_guard_proof__decide(&view, &(struct hp_guard_window){ .calls = 9, .returned = 7 }, 0,
			       &out);
	assert_int_equal(out.verdict, HP_VERDICT_UNEXERCISED);
	assert_non_null(strstr(out.reason, "7 calls turned away before"));
}

static void calls_that_passed_unasked_are_not_hidden(void **state)
{
	struct hp_guard_window w = { .calls = 5, .returned = 5, .missed = 1 };

	assert_int_equal(decide(enforcing(), w, 0), HP_VERDICT_UNKNOWN);
	w = (struct hp_guard_window){ .calls = 5, .unread = 1 };
	assert_int_equal(decide(enforcing(), w, 0), HP_VERDICT_UNKNOWN);
}

static void the_pins_come_first(void **state)
{
	static const struct {
		enum hp_redirect redirect;
		enum hp_verdict verdict;
	} cases[] = { { HP_REDIRECT_ABSENT, HP_VERDICT_ABSENT },
		      { HP_REDIRECT_BROKEN, HP_VERDICT_BROKEN },
		      { HP_REDIRECT_UNKNOWN, HP_VERDICT_UNKNOWN } };
	struct hp_guard_view view = enforcing();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		view.read_back.redirect = cases[i].redirect;
		strcpy(view.read_back.reason, "so it is");
		assert_int_equal(decide(view, (struct hp_guard_window){ .calls = 1, .returned = 1 },
					0),
				 cases[i].verdict);
	}
	view = enforcing();
	view.counted = false;
	assert_int_equal(decide(view, (struct hp_guard_window){ 0 }, 0), HP_VERDICT_UNKNOWN);
}

/* The name of a process is its own choice, and who reads it has a terminal. */
static void names_of_processes_are_printed_as_text(void **state)
{
	struct hp_guard_row row = { .view = enforcing() };
	struct hp_guard_report report = { .action = "list", .rows = &row, .count = 1 };
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	strcpy(row.view.function, "f");
	strcpy(row.view.top[0].caller.comm, "a\n\x1b[2Jb");
	row.view.top_count = 1;
	assert_int_equal(hp_guard_report__print(&report, out, false, 1), 0);
	fclose(out);
	assert_non_null(strstr(text, " a??[2Jb, uid 0"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_refused_call_is_live),
		cmocka_unit_test(observing_is_never_live),
		cmocka_unit_test(calls_that_passed_unasked_are_not_hidden),
		cmocka_unit_test(the_pins_come_first),
		cmocka_unit_test(names_of_processes_are_printed_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
