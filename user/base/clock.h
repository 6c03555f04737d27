/* SPDX-License-Identifier: GPL-2.0 */
/* Monotonic time, the clock that bpf_ktime_get_ns() reads too. */
#ifndef HP_BASE_CLOCK_H
#define HP_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define HP_NSEC_PER_SEC	 1000000000ull
#define HP_NSEC_PER_MSEC 1000000ull

/* Nanoseconds of CLOCK_MONOTONIC. */
static inline uint64_t hp_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * HP_NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

#endif
