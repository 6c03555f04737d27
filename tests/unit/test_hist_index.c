// SPDX-License-Identifier: GPL-2.0
/* The bucket formula that BPF programs and user space share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <hotproof/hist.h>

static void check_value(uint64_t ns)
{
	uint32_t i = hp_hist_index(ns);

	assert_in_range(i, 0, HP_HIST_BUCKETS - 1);
	assert_true(ns >= HP_HIST_LOWER(i));
	assert_true(ns <= HP_HIST_UPPER(i));
}

static void powers_of_two_and_neighbours(void **state)
{
	uint32_t last = 0;

	for (int bit = 0; bit < 64; bit++) {
		for (int off = -1; off <= 1; off++) {
			uint64_t ns = (1ull << bit) + (uint64_t)(int64_t)off;

			check_value(ns);
			assert_true(hp_hist_index(ns) >= last || bit <= 1);
			last = hp_hist_index(ns);
		}
	}
	check_value(UINT64_MAX);
}

static void random_values_are_ordered(void **state)
{
	srandom(1);
	for (int n = 0; n < 200000; n++) {
		uint64_t a = ((uint64_t)random() << 33) ^ ((uint64_t)random() << 2);
		uint64_t b = ((uint64_t)random() << 33) ^ ((uint64_t)random() << 2);

		a >>= random() % 64;
		b >>= random() % 64;
		check_value(a);
		assert_true((a <= b) ? hp_hist_index(a) <= hp_hist_index(b)
				     : hp_hist_index(a) >= hp_hist_index(b));
	}
}

/* The buckets follow one another without a gap or an overlap, each in its own index. */
static void buckets_tile_the_values(void **state)
{
	assert_int_equal(HP_HIST_LOWER(0), 0);
	for (uint32_t i = 0; i < HP_HIST_BUCKETS; i++) {
		assert_int_equal(hp_hist_index(HP_HIST_LOWER(i)), i);
		assert_int_equal(hp_hist_index(HP_HIST_UPPER(i)), i);
		if (i + 1 < HP_HIST_BUCKETS)
			assert_true(HP_HIST_UPPER(i) + 1 == HP_HIST_LOWER(i + 1));
	}
}

static void buckets_are_as_narrow_as_promised(void **state)
{
	for (uint32_t i = 1; i + 1 < HP_HIST_BUCKETS; i++) {
		uint64_t width = HP_HIST_UPPER(i) - HP_HIST_LOWER(i) + 1;

		if (i < HP_HIST_SUB)
			assert_int_equal(width, 1);
		else
			assert_true(width * HP_HIST_SUB <= HP_HIST_LOWER(i));
	}
}

static void last_bucket_takes_the_rest(void **state)
{
	assert_int_equal(hp_hist_index(HP_HIST_LIMIT - 1), HP_HIST_BUCKETS - 1);
	assert_int_equal(hp_hist_index(HP_HIST_LIMIT), HP_HIST_BUCKETS - 1);
	assert_int_equal(hp_hist_index(UINT64_MAX), HP_HIST_BUCKETS - 1);
	assert_true(HP_HIST_UPPER(HP_HIST_BUCKETS - 1) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(powers_of_two_and_neighbours),
		cmocka_unit_test(random_values_are_ordered),
		cmocka_unit_test(buckets_tile_the_values),
		cmocka_unit_test(buckets_are_as_narrow_as_promised),
		cmocka_unit_test(last_bucket_takes_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
