/* SPDX-License-Identifier: GPL-2.0 */
/* Where in one process the symbols of a hotfix are: reverse attaches bound. */
#ifndef HP_ENGINES_PROC_BIND_H
#define HP_ENGINES_PROC_BIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "engines/proc/objects.h"
#include "hotfix/image.h"
#include "host/maps.h"

struct hp_binding {
	uint64_t *values; /* by symbol of the image */
	bool *indirect;	  /* values[i] is a function that returns the value (IFUNC) */
	size_t count;
};

/* What binding needs to know about the process. */
struct hp_bind_place {
	pid_t pid;
	const struct hp_maps *maps;
	struct hp_elf *target; /* the target's object, and where it is: */
	uint64_t target_bias;
	uint64_t hotfix_bias;
};

/*
 * Bind all symbols of @image. Those of the target's object are where the metadata says, or, when they
 * are exported, what the target itself uses by that name; others are looked up as the dynamic linker
 * would: object by object in the order of its list, by version. -EBUSY while it is at work.
 */
int hp_binding__make(struct hp_binding *out, const struct hp_image *image,
		     const struct hp_bind_place *place, struct hp_objects *objects,
		     struct hp_error *err);
void hp_binding__free(struct hp_binding *binding);

#endif
