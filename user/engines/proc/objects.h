/* SPDX-License-Identifier: GPL-2.0 */
/* The ELF files that processes map, each opened once for all of them. */
#ifndef HP_ENGINES_PROC_OBJECTS_H
#define HP_ENGINES_PROC_OBJECTS_H

#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "host/elf_file.h"
#include "host/maps.h"

struct hp_objects;

int hp_objects__open(struct hp_objects **out);
void hp_objects__close(struct hp_objects *objects);
HP_DEFINE_CLEANUP(struct hp_objects *, hp_objects__close)

/* The file behind @map of process @pid, owned by @objects. 0 or a negative errno with @err filled. */
int hp_objects__get(struct hp_objects *objects, pid_t pid, const struct hp_map *map,
		    struct hp_elf **out, struct hp_error *err);

#endif
