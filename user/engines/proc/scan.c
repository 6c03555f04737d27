// SPDX-License-Identifier: GPL-2.0
/*
 * Whether a stopped thread is certainly outside of given functions.
 *
 * A function that has called another one and waits for its return has left the address behind the
 * call in a word of the stack that it ran on, or its callee holds it in a register (vfork() in
 * glibc). So where no word says so, nobody waits. That is certain only if all words are looked at:
 *
 *  - A thread's own stack reaches from its stack pointer to its thread control block, which C
 *    libraries lay on top of it; that of the first thread to the end of [stack]. Elsewhere, as on
 *    a coroutine's stack or a segment of a split one, nobody knows where the end is.
 *  - A signal handler may run on a stack of its own, and what it interrupted is on another. The
 *    frame that the kernel writes for it lies between its stack pointer and the end, and is known.
 *  - Where a uretprobe waits for a return, the kernel has put the address of its own page ([uprobes],
 *    kernel/events/uprobes.c) in the place of the return address.
 *
 * What lies about on a stack, left by calls that have returned, only makes this less certain.
 *
 * What waits on a stack that no thread runs on, of a coroutine that was left for another one, is not
 * found: no more than by unwinding.
 */
#include "engines/proc/scan.h"

#include <string.h>

#include "engines/proc/memory.h"

/* Further from its end than this, a stack pointer is on no stack of that end, or the stack is huge. */
#define MAX_BYTES (256 * 1024)

/* Where processes end, but for those that ask for more than 47 bits of addresses. */
#define TOP (1ull << 47)

void hp_scan__prepare(struct hp_scan *scan, pid_t pid, const struct hp_maps *maps)
{
	const struct hp_map *probes = NULL;
	uint64_t highest = 0;

	*scan = (struct hp_scan){ .pid = pid };
	for (size_t i = 0; i < maps->count; i++) {
		const struct hp_map *map = &maps->items[i];

		if (!strcmp(map->path, "[stack]"))
			scan->main_stack_end = map->end;
		if (!strcmp(map->path, "[uprobes]"))
			probes = map;
		else if (map->end <= TOP && map->end > highest)
			highest = map->end;
	}
	/* As high as possible is where it comes to be mapped, if it was not yet. */
	scan->hidden.start = probes ? probes->start : highest;
	scan->hidden.end = probes ? probes->end : TOP;
}

bool hp_scan__words_are_outside(const struct hp_scan *scan, const uint64_t *words, size_t len,
				const struct hp_range *ranges, size_t count)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (size_t i = 0; i < count; i++) {
		low = ranges[i].start < low ? ranges[i].start : low;
		high = ranges[i].end > high ? ranges[i].end : high;
	}
	for (size_t at = 0; at < len; at++) {
		if (hp_arch__is_signal_frame(words[at]) ||
		    (words[at] >= scan->hidden.start && words[at] < scan->hidden.end))
			return false;
		if (words[at] < low || words[at] > high)
			continue;
		/*
		 * A call may be the last instruction: the address behind it is the end. None is
		 * before the first one: that address is a pointer to the function.
		 */
		for (size_t i = 0; i < count; i++)
			if (words[at] > ranges[i].start && words[at] <= ranges[i].end)
				return false;
	}
	return true;
}

bool hp_scan__is_outside(const struct hp_scan *scan, const struct hp_thread *thread,
			 const struct hp_range *ranges, size_t count)
{
	uint64_t sp = hp_arch__sp(&thread->regs), ip = hp_arch__ip(&thread->regs);
	uint64_t end = thread->tid == scan->pid ? scan->main_stack_end
						: hp_arch__thread_pointer(&thread->regs);
	const uint64_t *registers;
	size_t len = hp_arch__words(&thread->regs, &registers);
	_cleanup_free_ uint64_t *words = NULL;

	for (size_t i = 0; i < count; i++)
		if (ip >= ranges[i].start && ip < ranges[i].end)
			return false;
	end &= ~7ull;
	if (sp % sizeof(*words) || sp >= end || end - sp > MAX_BYTES ||
	    !hp_scan__words_are_outside(scan, registers, len, ranges, count))
		return false;
	words = malloc(end - sp);
	/* A hole on the way: not one stack. */
	return words && !hp_memory__read(scan->pid, sp, words, end - sp) &&
	       hp_scan__words_are_outside(scan, words, (end - sp) / sizeof(*words), ranges, count);
}
