/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which bucket of struct hp_hist a value belongs to, and which values a bucket holds: one formula
 * for the BPF programs that fill histograms and the user space that reads them.
 */
#ifndef HOTPROOF_HIST_H
#define HOTPROOF_HIST_H

#include <hotproof/patch_map.h>

#define HP_HIST_LIMIT (1ull << HP_HIST_MAX_BITS)

/*
 * Hides a value's range from the compiler, and so keeps what it would deduce away: a comparison
 * turned into a branch (each doubles the verifier's paths), or a bounds check that it can prove
 * and the verifier cannot.
 */
#define HP_HIST_OPAQUE(x) __asm__ volatile("" : "+r"(x))

/* 1 if @x (under 2^63) is not zero, without a branch. */
#define HP_HIST_NONZERO(x) ((0 - (x)) >> 63)

/*
 * The bucket of @ns, always under HP_HIST_BUCKETS. With h = log2(ns) - HP_HIST_SUB_BITS, at least
 * 0, ns >> h has HP_HIST_SUB_BITS + 1 bits (fewer only under HP_HIST_SUB, where h is 0), so
 * h * HP_HIST_SUB + (ns >> h) numbers the buckets without a gap. BPF has no instruction for log2:
 * it is searched by halves, unrolled, with shifts in place of branches.
 */
static inline __attribute__((always_inline)) __u32 hp_hist_index(__u64 ns)
{
	__u64 x, high, step, h, index;

	if (ns >= HP_HIST_LIMIT)
		return HP_HIST_BUCKETS - 1;
	x = ns >> HP_HIST_SUB_BITS; /* under 2^32 */

	high = x >> 16;
	HP_HIST_OPAQUE(high);
	step = HP_HIST_NONZERO(high) << 4;
	x >>= step;
	h = step;

	high = x >> 8;
	HP_HIST_OPAQUE(high);
	step = HP_HIST_NONZERO(high) << 3;
	x >>= step;
	h += step;

	high = x >> 4;
	HP_HIST_OPAQUE(high);
	step = HP_HIST_NONZERO(high) << 2;
	x >>= step;
	h += step;

	high = x >> 2;
	HP_HIST_OPAQUE(high);
	step = HP_HIST_NONZERO(high) << 1;
	x >>= step;
	h += step + (x >> 1); /* x is 0 to 3 here */

	index = (h << HP_HIST_SUB_BITS) + (ns >> h);
	HP_HIST_OPAQUE(index);
	if (index >= HP_HIST_BUCKETS)
		index = HP_HIST_BUCKETS - 1;
	return index;
}

/* By how many bits the values of bucket @i are shifted. */
#define HP_HIST_SHIFT(i) ((i) < HP_HIST_SUB ? 0 : (i) / HP_HIST_SUB - 1)

/* The smallest value of bucket @i. */
#define HP_HIST_LOWER(i)                \
	((i) < HP_HIST_SUB ? (__u64)(i) \
			   : (__u64)(HP_HIST_SUB + (i) % HP_HIST_SUB) << HP_HIST_SHIFT(i))

/* The largest value of bucket @i, itself in the bucket; the last one takes all that is left. */
#define HP_HIST_UPPER(i) \
	((i) >= HP_HIST_BUCKETS - 1 ? ~0ull : HP_HIST_LOWER(i) + (1ull << HP_HIST_SHIFT(i)) - 1)

#endif
