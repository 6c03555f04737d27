/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is the new code slower than the old, and by how much? The difference of mean and median with a
 * confidence interval, by bootstrap over two histograms.
 *
 * The interval is about the variation from call to call. It takes the calls for independent and
 * knows nothing of a drift between the two measurements (another load, another CPU frequency).
 */
#ifndef HP_OBSERVE_BOOTSTRAP_H
#define HP_OBSERVE_BOOTSTRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "hotproof/patch_map.h"

#define HP_BOOTSTRAP_RESAMPLES 2000
#define HP_BOOTSTRAP_MIN_CALLS 30 /* on each side: below it, resampling says little */

struct hp_bootstrap_opts {
	double confidence; /* 0.95; 0 means that */
	uint64_t seed;	   /* the same seed gives the same interval */
};

/* One side: its histogram, and what the probe adds to each call, in ns. */
struct hp_bootstrap_side {
	const struct hp_hist *hist;
	double cost;
};

/* new - old, in ns. */
struct hp_difference {
	double estimate;
	double low;
	double high;
	bool significant; /* the interval leaves 0 out; if not, no difference can be shown */
};

struct hp_comparison {
	bool enough;	 /* false: too few calls, and only @fewest is set */
	uint64_t fewest; /* calls on the side that has fewer */
	double confidence;
	struct hp_difference mean;
	struct hp_difference median;
	/*
	 * How much of the median's interval, on each end, is there because a bucket does not
	 * say where in it the median lies. No number of calls makes it smaller.
	 */
	double median_resolution;
};

/* Returns 0 (see ->enough), -EINVAL for a confidence that is none, or -ENOMEM. */
int hp_bootstrap__compare(const struct hp_bootstrap_side *old_side,
			  const struct hp_bootstrap_side *new_side,
			  const struct hp_bootstrap_opts *opts, struct hp_comparison *out);

#endif
