/* SPDX-License-Identifier: GPL-2.0 */
/* Room for a hotfix in an address space: a hole that jumps from the targets reach. */
#ifndef HP_ENGINES_PROC_ROOM_H
#define HP_ENGINES_PROC_ROOM_H

#include <stdint.h>

#include "host/maps.h"

/*
 * A free, page-aligned hole of @size bytes, all of it within @reach of all of [low, high). Below
 * the targets if it can be had: the heap grows upwards behind programs. -ENOSPC when there is none.
 */
int hp_room__find(const struct hp_maps *maps, uint64_t low, uint64_t high, uint64_t size,
		  uint64_t reach, uint64_t *address);

#endif
