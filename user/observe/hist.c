// SPDX-License-Identifier: GPL-2.0
/* Numbers from histograms. */
#include "observe/hist.h"

#include <math.h>

void hp_hist__add(struct hp_hist *hist, uint64_t ns)
{
	hist->count++;
	hist->sum += ns;
	if (ns > hist->max)
		hist->max = ns;
	hist->bucket[hp_hist_index(ns)]++;
}

void hp_hist__merge(struct hp_hist *into, const struct hp_hist *from)
{
	into->count += from->count;
	into->sum += from->sum;
	if (from->max > into->max)
		into->max = from->max;
	for (uint32_t i = 0; i < HP_HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint64_t hp_hist__bucket_upper(const struct hp_hist *hist, uint32_t i)
{
	uint64_t upper = HP_HIST_UPPER(i);

	return hist->max >= HP_HIST_LOWER(i) && hist->max < upper ? hist->max : upper;
}

double hp_hist__percentile(const struct hp_hist *hist, double percent)
{
	double rank, below = 0;
	uint64_t total = 0;
	uint32_t last = 0;

	/* A histogram that is read while it is filled may hold a few calls more than its count. */
	for (uint32_t i = 0; i < HP_HIST_BUCKETS; i++)
		total += hist->bucket[i];
	if (!total)
		return 0;
	rank = percent / 100 * (double)total;
	for (uint32_t i = 0; i < HP_HIST_BUCKETS; i++) {
		double n = (double)hist->bucket[i];
		double lower = (double)HP_HIST_LOWER(i);

		if (n == 0)
			continue;
		/* 99.9 % of 1000 calls is the 999th: a rounding error must not make it the next. */
		if (below + n >= rank * (1 - 1e-12))
			return lower + ((double)hp_hist__bucket_upper(hist, i) - lower) *
					       fmin(fmax(rank - below, 0) / n, 1);
		below += n;
		last = i;
	}
	return (double)hp_hist__bucket_upper(hist, last);
}

/* Σ max(0, value - cost): the exact sum, mended for the calls that the cost would make negative. */
static double net_sum(const struct hp_hist *hist, double cost)
{
	double sum = (double)hist->sum - (double)hist->count * cost;

	for (uint32_t i = 0; i < HP_HIST_BUCKETS && (double)HP_HIST_LOWER(i) < cost; i++) {
		double upper = (double)hp_hist__bucket_upper(hist, i);
		double middle = ((double)HP_HIST_LOWER(i) + upper) / 2;

		if (middle < cost)
			sum += (double)hist->bucket[i] * (cost - middle);
	}
	return fmax(sum, 0);
}

struct hp_latency hp_hist__latency(const struct hp_hist *hist, double cost)
{
	if (!hist->count)
		return (struct hp_latency){ 0 };
	return (struct hp_latency){
		.mean = net_sum(hist, cost) / (double)hist->count,
		.p50 = fmax(hp_hist__percentile(hist, 50) - cost, 0),
		.p90 = fmax(hp_hist__percentile(hist, 90) - cost, 0),
		.p99 = fmax(hp_hist__percentile(hist, 99) - cost, 0),
		.p999 = fmax(hp_hist__percentile(hist, 99.9) - cost, 0),
		.max = fmax((double)hist->max - cost, 0),
	};
}
