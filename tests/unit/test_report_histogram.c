// SPDX-License-Identifier: GPL-2.0
/* Histograms in a terminal. */
#include "report.h"

#include "observe/hist.h"
#include "report/format.h"
#include "report/histogram.h"
#include "report/verify.h"

static char *print(const struct hp_hist *old_hist, const struct hp_hist *new_hist,
		   const struct hp_histogram_opts *opts)
{
	struct memory memory;

	open_memory(&memory);
	hp_histogram__print(memory.stream, old_hist, new_hist, opts);
	return take_text(&memory);
}

static void add(struct hp_hist *hist, uint64_t ns, int calls)
{
	for (int i = 0; i < calls; i++)
		hp_hist__add(hist, ns);
}

static void side_by_side(void **state)
{
	struct hp_histogram_opts opts = { .ascii = true, .width = 60 };
	struct hp_hist old_hist = { 0 }, new_hist = { 0 };
	_cleanup_free_ char *text = NULL;

	add(&old_hist, 100, 75);
	add(&old_hist, 108, 25);
	add(&new_hist, 108, 50);
	add(&new_hist, 116, 50);
	text = print(&old_hist, &new_hist, &opts);
	assert_string_equal(text, "                            old                 new\n"
				  "  100 ns to   104 ns 75.0 % ############        \n"
				  "  104 ns to   108 ns                            \n"
				  "  108 ns to   112 ns 25.0 % ####         50.0 % ########\n"
				  "  112 ns to   116 ns                            \n"
				  "  116 ns to   120 ns                     50.0 % ########\n");
}

static void blocks_and_colors(void **state)
{
	struct hp_histogram_opts opts = { .color = true, .width = 44 };
	_cleanup_free_ char *text = NULL;
	struct hp_hist hist = { 0 };

	add(&hist, 8, 320);
	add(&hist, 9, 10);
	text = print(NULL, &hist, &opts);
	assert_contains(text, "new\n");
	assert_lacks(text, "old");
	/* 16 columns for 320 calls: half a column for 10. */
	assert_contains(text, "97.0 % \033[32m████████████████\033[0m\n");
	assert_contains(text, " 3.0 % \033[32m▌\033[0m\n");
}

static size_t lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static void outliers_get_a_row_of_their_own(void **state)
{
	struct hp_histogram_opts opts = { .ascii = true };
	_cleanup_free_ char *text = NULL;
	struct hp_hist hist = { 0 };

	for (uint64_t ns = 1000; ns < 2000; ns++)
		add(&hist, ns, 100);
	add(&hist, 3, 1);
	add(&hist, 5000000000, 2);
	text = print(&hist, NULL, &opts);
	assert_contains(text, "less than     992 ns <0.1 % .\n");
	assert_contains(text, " 2.05 us and more    <0.1 % .\n");
	assert_contains(text, "  992 ns to  1.02 us  2.4 % #");
	assert_int_equal(lines(text), 1 + 1 + 17 + 1);
}

static void the_widest_range_fits_a_screen(void **state)
{
	struct hp_histogram_opts opts = { .ascii = true };
	_cleanup_free_ char *text = NULL;
	struct hp_hist hist = { 0 };

	for (uint32_t i = 0; i < HP_HIST_BUCKETS; i++)
		add(&hist, HP_HIST_LOWER(i), 1);
	text = print(&hist, NULL, &opts);
	assert_in_range(lines(text), 10, 23);
	assert_contains(text, "    0 ns to ");
	assert_contains(text, " and more");
}

static void nothing_for_no_calls(void **state)
{
	struct hp_histogram_opts opts = { 0 };
	_cleanup_free_ char *text = NULL;
	struct hp_hist hist = { 0 };

	text = print(&hist, NULL, &opts);
	assert_string_equal(text, "");
}

/* The locale of tests is "C" unless setlocale() is called, which no test does. */
static void the_locale_decides(void **state)
{
	assert_true(hp_histogram__needs_ascii());
}

static void times_for_people(void **state)
{
	assert_string_equal(hp_format__ns(0).s, "0 ns");
	assert_string_equal(hp_format__ns(7).s, "7 ns");
	assert_string_equal(hp_format__ns(7.25).s, "7.25 ns");
	assert_string_equal(hp_format__ns(999.4).s, "999 ns");
	assert_string_equal(hp_format__ns(999.5).s, "1.00 us");
	assert_string_equal(hp_format__ns(1000).s, "1 us");
	assert_string_equal(hp_format__ns(9996).s, "10.0 us");
	assert_string_equal(hp_format__ns(12345).s, "12.3 us");
	assert_string_equal(hp_format__ns(123456789).s, "123 ms");
	assert_string_equal(hp_format__ns(30e9).s, "30 s");
	assert_string_equal(hp_format__ns(86400e9).s, "86400 s");
	assert_string_equal(hp_format__ns_signed(5).s, "+5 ns");
	assert_string_equal(hp_format__ns_signed(-1500).s, "-1.50 us");
	assert_string_equal(hp_format__ns_signed(0).s, "0 ns");
	assert_string_equal(hp_format__count(HP_COUNT_UNKNOWN).s, "-");
	assert_string_equal(hp_format__count(18446744073709551614u).s, "18446744073709551614");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(side_by_side),
		cmocka_unit_test(blocks_and_colors),
		cmocka_unit_test(outliers_get_a_row_of_their_own),
		cmocka_unit_test(the_widest_range_fits_a_screen),
		cmocka_unit_test(nothing_for_no_calls),
		cmocka_unit_test(the_locale_decides),
		cmocka_unit_test(times_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
