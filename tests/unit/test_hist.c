// SPDX-License-Identifier: GPL-2.0
/* Numbers from histograms, against the same numbers from the values themselves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "observe/hist.h"

#define VALUES 20000

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Values over six decades, sorted, and their histogram. */
static void make(uint64_t *values, struct hp_hist *hist)
{
	*hist = (struct hp_hist){ 0 };
	srandom(7);
	for (int i = 0; i < VALUES; i++)
		values[i] = (uint64_t)exp2((double)random() / RAND_MAX * 20 + 3);
	for (int i = 0; i < VALUES; i++)
		hp_hist__add(hist, values[i]);
	qsort(values, VALUES, sizeof(*values), compare);
}

static void percentiles_within_the_bound(void **state)
{
	static uint64_t values[VALUES];
	struct hp_hist hist;

	make(values, &hist);
	for (int tenths = 1; tenths < 1000; tenths++) {
		double p = tenths / 10.0;
		double exact = (double)values[(size_t)ceil(p / 100 * VALUES - 1e-6) - 1];
		double read = hp_hist__percentile(&hist, p);

		if (fabs(read - exact) > exact / 16)
			fail_msg("p%.1f: %f, not %f", p, read, exact);
	}
}

static void sum_max_and_count_are_exact(void **state)
{
	static uint64_t values[VALUES];
	struct hp_latency raw;
	struct hp_hist hist;
	double sum = 0;

	make(values, &hist);
	for (int i = 0; i < VALUES; i++)
		sum += (double)values[i];
	raw = hp_hist__latency(&hist, 0);
	assert_int_equal(hist.count, VALUES);
	assert_true(fabs(raw.mean - sum / VALUES) < 1e-6 * raw.mean);
	assert_true(raw.max == (double)values[VALUES - 1]);
	assert_true(hp_hist__percentile(&hist, 100) == raw.max);
	assert_true(raw.p50 <= raw.p90 && raw.p90 <= raw.p99 && raw.p99 <= raw.p999);
	assert_true(raw.p999 <= raw.max);
}

static void net_of_the_probe(void **state)
{
	static uint64_t values[VALUES];
	const double cost = 2000; /* clamps about 40 % of the calls */
	struct hp_latency raw, net;
	struct hp_hist hist;
	double sum = 0;

	make(values, &hist);
	for (int i = 0; i < VALUES; i++)
		sum += fmax((double)values[i] - cost, 0);
	raw = hp_hist__latency(&hist, 0);
	net = hp_hist__latency(&hist, cost);
	assert_true(fabs(net.mean - sum / VALUES) < 0.001 * net.mean);
	assert_true(net.mean > raw.mean - cost);
	assert_true(fabs(net.p90 - (raw.p90 - cost)) < 1e-6);
	assert_true(net.max == raw.max - cost);
	assert_true(hp_hist__latency(&hist, 1e12).mean == 0);
	assert_true(hp_hist__latency(&hist, 1e12).p50 == 0);
}

static void small_values_are_exact(void **state)
{
	struct hp_hist hist = { 0 };

	for (uint64_t ns = 1; ns <= 9; ns++)
		hp_hist__add(&hist, ns);
	assert_true(hp_hist__percentile(&hist, 50) == 5);
	assert_true(hp_hist__percentile(&hist, 0) == 1);
	assert_true(hp_hist__percentile(&hist, 100) == 9);
}

static void one_value_and_none(void **state)
{
	struct hp_hist hist = { 0 };

	assert_true(hp_hist__percentile(&hist, 50) == 0);
	assert_true(hp_hist__latency(&hist, 5).mean == 0);
	hp_hist__add(&hist, 1000);
	assert_true(hp_hist__percentile(&hist, 100) == 1000);
	assert_true(hp_hist__latency(&hist, 0).mean == 1000);
	assert_true(hp_hist__latency(&hist, 10).max == 990);
}

static void longest_calls(void **state)
{
	struct hp_hist hist = { 0 };

	hp_hist__add(&hist, 5 * HP_HIST_LIMIT);
	hp_hist__add(&hist, 3 * HP_HIST_LIMIT);
	assert_int_equal(hist.bucket[HP_HIST_BUCKETS - 1], 2);
	assert_true(hp_hist__percentile(&hist, 100) == 5.0 * HP_HIST_LIMIT);
	assert_true(hp_hist__percentile(&hist, 99) <= 5.0 * HP_HIST_LIMIT);
}

static void merged_is_as_counted_in_one(void **state)
{
	static uint64_t values[VALUES];
	struct hp_hist whole, cpu[3] = { 0 }, merged = { 0 };

	make(values, &whole);
	for (int i = 0; i < VALUES; i++)
		hp_hist__add(&cpu[i % 3], values[i]);
	for (int i = 0; i < 3; i++)
		hp_hist__merge(&merged, &cpu[i]);
	assert_memory_equal(&merged, &whole, sizeof(whole));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_within_the_bound),
		cmocka_unit_test(sum_max_and_count_are_exact),
		cmocka_unit_test(net_of_the_probe),
		cmocka_unit_test(small_values_are_exact),
		cmocka_unit_test(one_value_and_none),
		cmocka_unit_test(longest_calls),
		cmocka_unit_test(merged_is_as_counted_in_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
