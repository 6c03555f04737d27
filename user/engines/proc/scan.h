/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether a stopped thread is certainly outside of given functions, told from the words of its
 * stack: cheap, and often enough, while "not certain" means that the stack must be unwound.
 */
#ifndef HP_ENGINES_PROC_SCAN_H
#define HP_ENGINES_PROC_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engines/proc/stop.h"
#include "engines/proc/unwind.h"
#include "host/maps.h"

/* Where stacks end in a process. Its own thread's stack never moves; others' are told by registers. */
struct hp_scan {
	pid_t pid;
	uint64_t main_stack_end; /* 0: not known */
	/* Return addresses in here hide others: the kernel keeps those while a uretprobe waits. */
	struct hp_range hidden;
};

void hp_scan__prepare(struct hp_scan *scan, pid_t pid, const struct hp_maps *maps);

/* True if no frame of @thread, which is stopped, can be in any of @ranges. */
bool hp_scan__is_outside(const struct hp_scan *scan, const struct hp_thread *thread,
			 const struct hp_range *ranges, size_t count);

/* The rule itself: @words are what is on the stack, or in registers. */
bool hp_scan__words_are_outside(const struct hp_scan *scan, const uint64_t *words, size_t len,
				const struct hp_range *ranges, size_t count);

#endif
