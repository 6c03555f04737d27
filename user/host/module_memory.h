/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The code of a loaded kernel module as it is in memory: for modules whose file is not known, such
 * as those that were loaded by path. Data is not read: without the file nothing says what of it is
 * a pointer.
 */
#ifndef HP_HOST_MODULE_MEMORY_H
#define HP_HOST_MODULE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct hp_module_memory;

/* One section of code, up to the next section: padding may follow. */
struct hp_module_text {
	uint64_t address;
	uint64_t size;
	uint8_t *bytes;
};

/*
 * Read the code of @module, loaded according to @sys_module (NULL: /sys/module), from @kcore (NULL:
 * /proc/kcore). Returns 0 and an object owned by the caller, or a negative errno with @err filled.
 */
int hp_module_memory__open(struct hp_module_memory **out, const char *module,
			   const char *sys_module, const char *kcore, struct hp_error *err);
void hp_module_memory__close(struct hp_module_memory *memory);
HP_DEFINE_CLEANUP(struct hp_module_memory *, hp_module_memory__close)

const char *hp_module_memory__name(const struct hp_module_memory *memory);
size_t hp_module_memory__count(const struct hp_module_memory *memory);
const struct hp_module_text *hp_module_memory__text(const struct hp_module_memory *memory,
						    size_t i);

#endif
