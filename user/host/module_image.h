/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The code and data of a loaded kernel module as the kernel has relocated it, made again from the
 * module's file and the addresses that sysfs gives for its sections.
 */
#ifndef HP_HOST_MODULE_IMAGE_H
#define HP_HOST_MODULE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "host/kallsyms.h"

struct hp_module_image;

struct hp_module_section {
	const char *name;
	uint64_t address; /* at run time */
	uint64_t size;
	bool exec;
	bool relocated; /* the file has relocations for it */
};

/*
 * Open the file @path of the module @module, loaded according to @sys_module (NULL: /sys/module).
 * -ESTALE when the file is of another build than what is loaded.
 */
int hp_module_image__open(struct hp_module_image **out, const char *path, const char *module,
			  const char *sys_module, struct hp_error *err);
void hp_module_image__close(struct hp_module_image *img);
HP_DEFINE_CLEANUP(struct hp_module_image *, hp_module_image__close)

const char *hp_module_image__name(const struct hp_module_image *img);

/* True when the module takes the symbol @name from the kernel or another module. */
bool hp_module_image__imports(const struct hp_module_image *img, const char *name);

/* The sections with contents that are in memory for as long as the module is. */
size_t hp_module_image__section_count(const struct hp_module_image *img);
const struct hp_module_section *hp_module_image__section(const struct hp_module_image *img,
							 size_t i);

/*
 * Read all of section @i into @buf, relocated; @ks resolves what is imported. What cannot be
 * resolved is made to point at nothing.
 */
int hp_module_image__read(const struct hp_module_image *img, const struct hp_kallsyms *ks, size_t i,
			  uint8_t *buf);

#endif
