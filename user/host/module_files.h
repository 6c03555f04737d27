/* SPDX-License-Identifier: GPL-2.0 */
/* Where the file of each installed kernel module is, from depmod's list. */
#ifndef HP_HOST_MODULE_FILES_H
#define HP_HOST_MODULE_FILES_H

#include <stddef.h>

#include "base/cleanup.h"

struct hp_module_files;

/* Read @dir/modules.dep; @dir NULL: /lib/modules/ and the running release. 0 or negative errno. */
int hp_module_files__open(struct hp_module_files **out, const char *dir);
void hp_module_files__close(struct hp_module_files *files);
HP_DEFINE_CLEANUP(struct hp_module_files *, hp_module_files__close)

/*
 * The path of the file of @module, whose name is spelled as in /proc/modules. -ENOENT when there
 * is none.
 */
int hp_module_files__find(const struct hp_module_files *files, const char *module, char *path,
			  size_t size);

#endif
