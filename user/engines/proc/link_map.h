/* SPDX-License-Identifier: GPL-2.0 */
/* The objects that the dynamic linker has loaded in one process, in its order (gABI, "Shared Object Dependencies"). */
#ifndef HP_ENGINES_PROC_LINK_MAP_H
#define HP_ENGINES_PROC_LINK_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "engines/proc/objects.h"
#include "host/maps.h"

struct hp_link_map {
	struct hp_link_map_object {
		uint64_t bias;
		struct hp_elf *elf; /* owned by the objects that it was read with */
	} * items;
	size_t count;
};

/*
 * The list of process @pid, from its memory; none of a static program. Free it, also when this fails:
 * -ENOMEM, or -EBUSY while the dynamic linker is at work: what the process is about to use is not in the
 * list yet, and slots are empty.
 */
int hp_link_map__read(struct hp_link_map *list, pid_t pid, const struct hp_maps *maps,
		      struct hp_objects *objects);
void hp_link_map__free(struct hp_link_map *list);

/*
 * The address in the process that the first object with the exported symbol @name has it at, by version
 * (NULL: the default one). *indirect: what is there says where it is (IFUNC). -ENOENT when nobody has it.
 */
int hp_link_map__find(const struct hp_link_map *list, const char *name, const char *version,
		      uint64_t *value, bool *indirect);

#endif
