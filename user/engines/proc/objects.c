// SPDX-License-Identifier: GPL-2.0
/* The ELF files that processes map, each opened once for all of them. */
#include "engines/proc/objects.h"

#include <errno.h>
#include <stdlib.h>

struct object {
	uint64_t inode;
	uint32_t major, minor;
	struct hp_elf *elf;
};

struct hp_objects {
	struct object *items;
	size_t count;
};

int hp_objects__open(struct hp_objects **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void hp_objects__close(struct hp_objects *objects)
{
	for (size_t i = 0; i < objects->count; i++)
		hp_elf__close(objects->items[i].elf);
	free(objects->items);
	free(objects);
}

int hp_objects__get(struct hp_objects *objects, pid_t pid, const struct hp_map *map,
		    struct hp_elf **out, struct hp_error *err)
{
	struct object *grown;
	struct hp_elf *elf;
	char path[64];
	int ret;

	for (size_t i = 0; i < objects->count; i++) {
		const struct object *o = &objects->items[i];

		if (o->inode == map->inode && o->major == map->major && o->minor == map->minor) {
			*out = o->elf;
			return 0;
		}
	}
	ret = hp_elf__open(&elf, hp_map__file(map, pid, path), err);
	if (ret)
		return ret;
	grown = realloc(objects->items, (objects->count + 1) * sizeof(*grown));
	if (!grown) {
		hp_elf__close(elf);
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	objects->items = grown;
	grown[objects->count++] = (struct object){ map->inode, map->major, map->minor, elf };
	*out = elf;
	return 0;
}
