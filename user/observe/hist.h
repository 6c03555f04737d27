/* SPDX-License-Identifier: GPL-2.0 */
/* Reading the histograms that the observer's programs fill. */
#ifndef HP_OBSERVE_HIST_H
#define HP_OBSERVE_HIST_H

#include <stdint.h>

#include "hotproof/hist.h"
#include "hotproof/patch_map.h"

/* Count one value, as the BPF side does. */
void hp_hist__add(struct hp_hist *hist, uint64_t ns);

/* Add what @from counted (another CPU, another run) to @into. */
void hp_hist__merge(struct hp_hist *into, const struct hp_hist *from);

/*
 * The value that @percent of the calls do not exceed; 0 for an empty histogram. The calls of a
 * bucket are taken to be spread evenly over it. The true value lies in the same bucket, so the
 * error is less than 1/16 (6.25 %) of it; only for calls of HP_HIST_LIMIT ns (68 s) and more,
 * which share one bucket, is there no such bound.
 */
double hp_hist__percentile(const struct hp_hist *hist, double percent);

/* The largest value that can be in bucket @i of @hist: its upper end, or the exact maximum. */
uint64_t hp_hist__bucket_upper(const struct hp_hist *hist, uint32_t i);

/*
 * A distribution in a few numbers, in ns: raw as it was measured (the sum and the maximum are
 * exact), and net of what the probe itself adds to each call.
 */
struct hp_latency {
	double mean;
	double p50;
	double p90;
	double p99;
	double p999;
	double max;
};

/*
 * The numbers of @hist with @cost ns taken from each call, but nothing below 0. Taking a constant
 * away does not change the order of calls, so a percentile moves by that constant; the mean moves
 * by less when calls are clamped.
 */
struct hp_latency hp_hist__latency(const struct hp_hist *hist, double cost);

#endif
