// SPDX-License-Identifier: GPL-2.0
/*
 * Bootstrap over histograms.
 *
 * A resample of n calls is a multinomial draw of the bucket counts. Drawing n calls takes too long
 * for n = 1e9, so each bucket is drawn on its own, from a Poisson distribution with its count as
 * the mean (the Poisson bootstrap). Independent Poisson counts, given their sum, are multinomial;
 * that their sum varies (by 1/sqrt(n), here at most 18 %) does not matter for the mean and the
 * median, which do not depend on the sum. A Poisson distribution of a mean of NORMAL_FROM or more
 * is drawn as a normal one of the same mean and variance: its skewness, 1/sqrt(mean), is under
 * 0.18 there, and only sums over many such draws are used. So a resample costs a draw for each
 * bucket in use, whatever the number of calls.
 *
 * What a histogram has lost, the places of calls within their buckets, is put back twice: in the
 * mean as a normal term with the variance of calls spread evenly over each bucket (the estimate
 * itself uses the exact sum), and in the median as an allowance, see resolution().
 */
#include "observe/bootstrap.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "observe/hist.h"

#define NORMAL_FROM 32

/* splitmix64 (Steele, Lea and Flood, 2014): one word of state, any seed is good. */
struct random {
	uint64_t state;
	double spare; /* the second normal of a pair */
	bool has_spare;
};

static uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* In (0, 1), never an end of it. */
static double random_uniform(struct random *r)
{
	return ((double)(random_next(r) >> 12) + 0.5) * 0x1p-52;
}

/* The polar method: pairs of normals from points in the unit circle. */
static double random_normal(struct random *r)
{
	double x, y, s;

	if (r->has_spare) {
		r->has_spare = false;
		return r->spare;
	}
	do {
		x = 2 * random_uniform(r) - 1;
		y = 2 * random_uniform(r) - 1;
		s = x * x + y * y;
	} while (s >= 1);
	s = sqrt(-2 * log(s) / s);
	r->spare = y * s;
	r->has_spare = true;
	return x * s;
}

/* A bucket in use, net of the probe's cost. */
struct cell {
	double count;
	double sd;    /* sqrt(count) */
	double floor; /* exp(-count), for counts under NORMAL_FROM */
	double lower;
	double upper;
	double middle;
	double spread; /* variance of a call within the bucket */
};

struct side {
	struct cell cells[HP_HIST_BUCKETS];
	uint32_t cell_count;
	double count; /* all calls */
	double drawn[HP_HIST_BUCKETS];
	double shift; /* from the mean of the middles to the exact mean */
};

static double draw(const struct cell *cell, struct random *r)
{
	double product;
	int n = 0;

	if (cell->count >= NORMAL_FROM)
		return fmax(cell->count + cell->sd * random_normal(r), 0);
	/* Arrivals in one unit of time, with exponential gaps. */
	for (product = random_uniform(r); product > cell->floor; n++)
		product *= random_uniform(r);
	return n;
}

/* The median when cell i holds counts[i] calls, @total in all. */
static double median_of(const struct side *side, const double *counts, double total)
{
	double below = 0;
	uint32_t i;

	for (i = 0; i + 1 < side->cell_count; i++) {
		if (below + counts[i] >= total / 2 && counts[i] > 0)
			break;
		below += counts[i];
	}
	if (counts[i] <= 0)
		return side->cells[i].middle;
	return side->cells[i].lower + (side->cells[i].upper - side->cells[i].lower) *
					      fmin(fmax(total / 2 - below, 0) / counts[i], 1);
}

static void side_init(struct side *side, const struct hp_bootstrap_side *from)
{
	const struct hp_hist *hist = from->hist;
	double middles = 0;

	side->count = 0;
	side->cell_count = 0;
	for (uint32_t i = 0; i < HP_HIST_BUCKETS; i++) {
		struct cell *cell = &side->cells[side->cell_count];
		double width;

		if (!hist->bucket[i])
			continue;
		cell->count = (double)hist->bucket[i];
		cell->sd = sqrt(cell->count);
		cell->floor = exp(-cell->count);
		cell->lower = fmax((double)HP_HIST_LOWER(i) - from->cost, 0);
		cell->upper = fmax((double)hp_hist__bucket_upper(hist, i) - from->cost, 0);
		cell->middle = (cell->lower + cell->upper) / 2;
		width = cell->upper - cell->lower;
		cell->spread = width * width / 12;
		side->count += cell->count;
		middles += cell->count * cell->middle;
		side->cell_count++;
	}
	side->shift = hp_hist__latency(hist, from->cost).mean - middles / side->count;
}

/* Calls per ns in the histogram's bucket @i. */
static double density(const struct hp_hist *hist, uint32_t i)
{
	return (double)hist->bucket[i] / (double)(1ull << HP_HIST_SHIFT(i));
}

/*
 * How far the median can lie from where it was interpolated, below (*down) and above (*up).
 *
 * A straight line in place of a cumulative distribution is off by at most w² max|f'| / 8 over a
 * bucket of width w, which moves a quantile by w h / 8, where h = w |f'| / f is the relative change
 * of the density from one bucket to the next: with a smooth distribution, hardly anything. With
 * h over one half (a peak narrower than a bucket, say, as fixed paths of code have) the median may
 * lie anywhere in the bucket.
 */
static void resolution(const struct hp_bootstrap_side *from, double *down, double *up)
{
	const struct hp_hist *hist = from->hist;
	double raw = hp_hist__percentile(hist, 50);
	uint32_t i = hp_hist_index((uint64_t)raw);
	double lower = (double)HP_HIST_LOWER(i), upper = (double)hp_hist__bucket_upper(hist, i);
	double here = density(hist, i), change = 1;

	if (i > 0 && i + 1 < HP_HIST_BUCKETS && here > 0)
		change =
			fmax(fabs(density(hist, i - 1) - here), fabs(density(hist, i + 1) - here)) /
			here;
	if (change <= 0.5) {
		*down = *up = (upper - lower) * change / 8;
	} else {
		*down = raw - lower;
		*up = upper - raw;
	}
}

/* Mean and median of one resample. */
static void resample(struct side *side, struct random *r, double *mean, double *median)
{
	double total = 0, sum = 0, spread = 0;

	for (uint32_t i = 0; i < side->cell_count; i++) {
		const struct cell *cell = &side->cells[i];
		double n = draw(cell, r);

		side->drawn[i] = n;
		total += n;
		sum += n * cell->middle;
		spread += n * cell->spread;
	}
	if (total <= 0) { /* e^-30 of all resamples */
		*mean = *median = side->cells[0].middle;
		return;
	}
	*mean = (sum + sqrt(spread) * random_normal(r)) / total + side->shift;
	*median = median_of(side, side->drawn, total);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The interval between the two percentiles of the resamples that leave (1 - confidence) out. */
static void set_interval(struct hp_difference *d, double *resamples, double confidence)
{
	double out = (1 - confidence) / 2 * (HP_BOOTSTRAP_RESAMPLES - 1);
	size_t low = (size_t)floor(out);

	qsort(resamples, HP_BOOTSTRAP_RESAMPLES, sizeof(*resamples), compare_doubles);
	d->low = fmin(resamples[low], d->estimate);
	d->high = fmax(resamples[HP_BOOTSTRAP_RESAMPLES - 1 - low], d->estimate);
}

static void compare(struct side *old_side, struct side *new_side, double *means, double *medians,
		    uint64_t seed)
{
	struct random r = { .state = seed };

	for (int i = 0; i < HP_BOOTSTRAP_RESAMPLES; i++) {
		double old_mean, old_median, new_mean, new_median;

		resample(old_side, &r, &old_mean, &old_median);
		resample(new_side, &r, &new_mean, &new_median);
		means[i] = new_mean - old_mean;
		medians[i] = new_median - old_median;
	}
}

int hp_bootstrap__compare(const struct hp_bootstrap_side *old_side,
			  const struct hp_bootstrap_side *new_side,
			  const struct hp_bootstrap_opts *opts, struct hp_comparison *out)
{
	double confidence = opts && opts->confidence > 0 ? opts->confidence : 0.95;
	double old_down, old_up, new_down, new_up;
	_cleanup_free_ struct side *sides = NULL;
	_cleanup_free_ double *means = NULL;
	struct hp_latency old_net, new_net;
	double *medians;

	*out = (struct hp_comparison){ .confidence = confidence };
	if (confidence >= 1)
		return -EINVAL;
	out->fewest = old_side->hist->count < new_side->hist->count ? old_side->hist->count
								    : new_side->hist->count;
	if (out->fewest < HP_BOOTSTRAP_MIN_CALLS)
		return 0;
	sides = malloc(2 * sizeof(*sides));
	means = malloc(2 * HP_BOOTSTRAP_RESAMPLES * sizeof(*means));
	if (!sides || !means)
		return -ENOMEM;
	medians = means + HP_BOOTSTRAP_RESAMPLES;

	side_init(&sides[0], old_side);
	side_init(&sides[1], new_side);
	compare(&sides[0], &sides[1], means, medians, opts ? opts->seed : 0);

	old_net = hp_hist__latency(old_side->hist, old_side->cost);
	new_net = hp_hist__latency(new_side->hist, new_side->cost);
	out->mean.estimate = new_net.mean - old_net.mean;
	out->median.estimate = new_net.p50 - old_net.p50;
	set_interval(&out->mean, means, confidence);
	set_interval(&out->median, medians, confidence);

	resolution(old_side, &old_down, &old_up);
	resolution(new_side, &new_down, &new_up);
	out->median.low -= new_down + old_up;
	out->median.high += new_up + old_down;
	out->median_resolution = fmax(new_down + old_up, new_up + old_down);

	out->mean.significant = out->mean.low > 0 || out->mean.high < 0;
	out->median.significant = out->median.low > 0 || out->median.high < 0;
	out->enough = true;
	return 0;
}
