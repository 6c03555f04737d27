// SPDX-License-Identifier: GPL-2.0
/* Room for a hotfix in an address space. */
#include "engines/proc/room.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define PAGE	 4096ull
#define LOWEST	 0x10000ull	   /* vm.mmap_min_addr is rarely higher */
#define HIGHEST	 0x7fffffff0000ull /* 47 bits: user space without five-level tables */
#define HEADROOM (64ull << 20)	   /* left free behind the heap, and below what grows down */

/* What the hole [start, end) leaves after the room that its neighbours may want. */
static void leave_headroom(const struct hp_map *before, const struct hp_map *after, uint64_t *start,
			   uint64_t *end)
{
	if (before && !strcmp(before->path, "[heap]"))
		*start += HEADROOM;
	if (after && !strcmp(after->path, "[stack]"))
		*end = *end > HEADROOM ? *end - HEADROOM : 0;
}

int hp_room__find(const struct hp_maps *maps, uint64_t low, uint64_t high, uint64_t size,
		  uint64_t reach, uint64_t *address)
{
	uint64_t lowest = high > reach ? high - reach : 0;
	uint64_t highest = low + reach;
	bool found = false;

	lowest = lowest < LOWEST ? LOWEST : (lowest + PAGE - 1) & ~(PAGE - 1);
	highest = highest > HIGHEST ? HIGHEST : highest;
	/* Holes from the lowest up; the last one below the targets is the nearest of those. */
	for (size_t i = 0; i <= maps->count; i++) {
		const struct hp_map *before = i ? &maps->items[i - 1] : NULL;
		const struct hp_map *after = i < maps->count ? &maps->items[i] : NULL;
		uint64_t start = before ? before->end : LOWEST;
		uint64_t end = after ? after->start : HIGHEST;

		leave_headroom(before, after, &start, &end);
		start = start < lowest ? lowest : start;
		end = end > highest ? highest : end;
		if (start >= end || end - start < size)
			continue;
		if (end <= low) {
			*address = (end - size) & ~(PAGE - 1);
			found = true;
		} else if (!found) {
			*address = start;
			return 0;
		} else {
			break;
		}
	}
	return found ? 0 : -ENOSPC;
}
