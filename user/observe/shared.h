/* SPDX-License-Identifier: GPL-2.0 */
/* Memory that BPF programs and this process both have: an array map of one value, mapped. */
#ifndef HP_OBSERVE_SHARED_H
#define HP_OBSERVE_SHARED_H

#include <stddef.h>

struct hp_shared {
	void *value; /* NULL: none */
	size_t size;
	int fd;
};

#define HP_SHARED_NONE ((struct hp_shared){ .fd = -1 })

/* @size bytes of zeros, owned by the caller. 0 or a negative errno, and then it is HP_SHARED_NONE. */
int hp_shared__create(struct hp_shared *shared, const char *name, size_t size);
void hp_shared__free(struct hp_shared *shared);

#endif
