// SPDX-License-Identifier: GPL-2.0
/*
 * The confidence intervals, by simulation: draw both sides from distributions whose mean and
 * median are known, and count how often the interval holds the true difference.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "observe/bootstrap.h"
#include "observe/hist.h"

#define RUNS 300

static double uniform(void)
{
	return ((double)random() + 0.5) / ((double)RAND_MAX + 1);
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * 3.14159265358979323846 * uniform());
}

/* Log-normal with this median: what latencies look like. */
struct distribution {
	double median;
	double sigma;
	double offset; /* added to each value: a fixed path in front */
};

static double true_mean(const struct distribution *d)
{
	return d->offset + d->median * exp(d->sigma * d->sigma / 2);
}

static void fill(struct hp_hist *hist, const struct distribution *d, int calls)
{
	*hist = (struct hp_hist){ 0 };
	for (int i = 0; i < calls; i++)
		hp_hist__add(hist,
			     (uint64_t)llround(d->offset + d->median * exp(d->sigma * normal())));
}

static void compare(const struct hp_hist *old_hist, const struct hp_hist *new_hist, uint64_t seed,
		    struct hp_comparison *out)
{
	struct hp_bootstrap_side old_side = { .hist = old_hist };
	struct hp_bootstrap_side new_side = { .hist = new_hist };
	struct hp_bootstrap_opts opts = { .seed = seed };

	assert_int_equal(hp_bootstrap__compare(&old_side, &new_side, &opts, out), 0);
}

/* Of RUNS runs: in how many each interval holds the truth, and calls the difference one. */
struct tally {
	int mean_covers;
	int median_covers;
	int mean_significant;
	int median_significant;
};

static struct tally simulate(const struct distribution *old_d, const struct distribution *new_d,
			     int old_calls, int new_calls)
{
	double mean = true_mean(new_d) - true_mean(old_d);
	double median = new_d->offset + new_d->median - old_d->offset - old_d->median;
	static struct hp_hist old_hist, new_hist;
	struct tally tally = { 0 };

	for (int run = 0; run < RUNS; run++) {
		struct hp_comparison c;

		fill(&old_hist, old_d, old_calls);
		fill(&new_hist, new_d, new_calls);
		compare(&old_hist, &new_hist, (uint64_t)run, &c);
		assert_true(c.enough);
		assert_true(c.mean.low <= c.mean.estimate && c.mean.estimate <= c.mean.high);
		assert_true(c.median.low <= c.median.estimate);
		assert_true(c.median.estimate <= c.median.high);
		tally.mean_covers += c.mean.low <= mean && mean <= c.mean.high;
		tally.median_covers += c.median.low <= median && median <= c.median.high;
		tally.mean_significant += c.mean.significant;
		tally.median_significant += c.median.significant;
	}
	printf("  of %d: mean covered %d, median covered %d; significant %d and %d\n", RUNS,
	       tally.mean_covers, tally.median_covers, tally.mean_significant,
	       tally.median_significant);
	return tally;
}

/* 90 to 99 %: an interval of 95 % that is neither too narrow nor far too wide. */
static void assert_covers(int covered)
{
	assert_in_range(covered, RUNS * 90 / 100, RUNS * 99 / 100);
}

static void coverage_of_shifted_distributions(void **state)
{
	static const struct distribution old_d = { .median = 5000, .sigma = 0.5 };
	static const struct distribution new_d = { .median = 5300, .sigma = 0.6 };
	struct tally tally;

	srandom(1);
	tally = simulate(&old_d, &new_d, 2000, 3000);
	assert_covers(tally.mean_covers);
	assert_covers(tally.median_covers);
}

static void coverage_with_few_calls(void **state)
{
	static const struct distribution old_d = { .median = 800, .sigma = 0.4 };
	static const struct distribution new_d = { .median = 900, .sigma = 0.4 };
	struct tally tally;

	srandom(2);
	tally = simulate(&old_d, &new_d, 60, 50);
	assert_covers(tally.mean_covers);
	assert_covers(tally.median_covers);
}

static void no_difference_is_not_found(void **state)
{
	static const struct distribution d = { .median = 12000, .sigma = 0.7 };
	struct tally tally;

	srandom(3);
	tally = simulate(&d, &d, 2000, 2000);
	assert_covers(tally.mean_covers);
	assert_covers(tally.median_covers);
	assert_int_equal(tally.mean_significant, RUNS - tally.mean_covers);
	assert_int_equal(tally.median_significant, RUNS - tally.median_covers);
}

/* Equal medians at different places of a bucket, sharp peaks: never a difference of medians. */
static void peaks_within_a_bucket(void **state)
{
	static const struct distribution old_d = { .median = 1, .sigma = 0.1, .offset = 1030 };
	static const struct distribution new_d = { .median = 1, .sigma = 0.1, .offset = 1080 };
	static struct hp_hist old_hist, new_hist;
	struct hp_comparison c;

	srandom(4);
	fill(&old_hist, &old_d, 5000);
	fill(&new_hist, &new_d, 5000);
	assert_int_equal(hp_hist_index(1031), hp_hist_index(1081));
	compare(&old_hist, &new_hist, 0, &c);
	assert_false(c.median.significant);
	assert_true(c.median.low <= 50 && 50 <= c.median.high);
	assert_true(c.median_resolution > 0);
	/* The sums are exact, so the mean sees what the buckets hide. */
	assert_true(c.mean.significant);
	assert_true(c.mean.low <= 50 && 50 <= c.mean.high);
}

static void a_shift_is_detected(void **state)
{
	static const struct distribution old_d = { .median = 5000, .sigma = 0.5 };
	static const struct distribution slow = { .median = 6000, .sigma = 0.5 };
	static struct hp_hist old_hist, new_hist;
	struct hp_comparison c, back;

	srandom(5);
	fill(&old_hist, &old_d, 3000);
	fill(&new_hist, &slow, 3000);
	compare(&old_hist, &new_hist, 0, &c);
	assert_true(c.mean.significant && c.mean.low > 0);
	assert_true(c.median.significant && c.median.low > 0);
	compare(&new_hist, &old_hist, 0, &back);
	assert_true(back.mean.significant && back.mean.high < 0);
	assert_true(back.mean.estimate == -c.mean.estimate);
}

static void the_probe_is_taken_off(void **state)
{
	static const struct distribution d = { .median = 5000, .sigma = 0.3 };
	static struct hp_hist hist;
	struct hp_bootstrap_side old_side = { .hist = &hist, .cost = 100 };
	struct hp_bootstrap_side new_side = { .hist = &hist, .cost = 700 };
	struct hp_comparison c;

	srandom(6);
	fill(&hist, &d, 3000);
	assert_int_equal(hp_bootstrap__compare(&old_side, &new_side, NULL, &c), 0);
	assert_true(fabs(c.mean.estimate + 600) < 1);
	assert_true(fabs(c.median.estimate + 600) < 1e-6);
	assert_true(c.mean.significant);
}

static void seeds_decide(void **state)
{
	static const struct distribution d = { .median = 5000, .sigma = 0.5 };
	static struct hp_hist old_hist, new_hist;
	struct hp_comparison a, b, other;

	srandom(7);
	fill(&old_hist, &d, 500);
	fill(&new_hist, &d, 500);
	compare(&old_hist, &new_hist, 42, &a);
	compare(&old_hist, &new_hist, 42, &b);
	compare(&old_hist, &new_hist, 43, &other);
	assert_memory_equal(&a.mean, &b.mean, sizeof(a.mean));
	assert_memory_equal(&a.median, &b.median, sizeof(a.median));
	assert_true(a.mean.low != other.mean.low);
	assert_true(fabs(a.mean.low - other.mean.low) < 0.2 * (a.mean.high - a.mean.low));
}

static void too_few_calls(void **state)
{
	static struct hp_hist old_hist, new_hist;
	struct hp_bootstrap_opts silly = { .confidence = 1 };
	struct hp_bootstrap_side side = { .hist = &old_hist };
	struct hp_comparison c;

	old_hist = new_hist = (struct hp_hist){ 0 };
	for (int i = 0; i < HP_BOOTSTRAP_MIN_CALLS; i++)
		hp_hist__add(&old_hist, 100);
	compare(&old_hist, &new_hist, 0, &c);
	assert_false(c.enough);
	assert_int_equal(c.fewest, 0);
	for (int i = 0; i < HP_BOOTSTRAP_MIN_CALLS - 1; i++)
		hp_hist__add(&new_hist, 100);
	compare(&old_hist, &new_hist, 0, &c);
	assert_false(c.enough);
	assert_int_equal(c.fewest, HP_BOOTSTRAP_MIN_CALLS - 1);
	hp_hist__add(&new_hist, 100);
	compare(&old_hist, &new_hist, 0, &c);
	assert_true(c.enough);
	assert_false(c.mean.significant || c.median.significant);
	assert_int_equal(hp_bootstrap__compare(&side, &side, &silly, &c), -22);
}

/* CPU time of a comparison with all buckets in use, of so many calls each. */
static double compared_in_ms(uint64_t calls)
{
	static struct hp_hist old_hist, new_hist;
	struct timespec before, after;
	struct hp_comparison c;

	old_hist = (struct hp_hist){ 0 };
	for (uint32_t i = 0; i < HP_HIST_BUCKETS; i++) {
		old_hist.bucket[i] = calls;
		old_hist.count += calls;
		old_hist.sum += calls * HP_HIST_LOWER(i);
	}
	old_hist.max = HP_HIST_LIMIT;
	new_hist = old_hist;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	compare(&old_hist, &new_hist, 0, &c);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_true(c.enough);
	assert_true(c.mean.low < c.mean.high);
	return (double)(after.tv_sec - before.tv_sec) * 1e3 +
	       (double)(after.tv_nsec - before.tv_nsec) / 1e6;
}

/* A thousand million calls: the time must not depend on the calls, on a slow machine neither. */
static void fast_whatever_the_count(void **state)
{
	double few = compared_in_ms(2000), many = compared_in_ms(2000000);

	printf("  %.1f ms of CPU time, %.1f ms with a thousandth of the calls\n", many, few);
	assert_true(many < 10 * few);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(coverage_of_shifted_distributions),
		cmocka_unit_test(coverage_with_few_calls),
		cmocka_unit_test(no_difference_is_not_found),
		cmocka_unit_test(peaks_within_a_bucket),
		cmocka_unit_test(a_shift_is_detected),
		cmocka_unit_test(the_probe_is_taken_off),
		cmocka_unit_test(seeds_decide),
		cmocka_unit_test(too_few_calls),
		cmocka_unit_test(fast_whatever_the_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
