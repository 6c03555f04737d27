/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Livepatches and modules as sysfs shows and switches them. @root is where sysfs is mounted (NULL:
 * /sys), so that tests can bring a tree of their own.
 */
#ifndef HP_KLP_SYSFS_H
#define HP_KLP_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* 1 or 0, or a negative errno: -ENOENT when there is no such livepatch. */
int hp_klp_sysfs__enabled(const char *root, const char *name);
int hp_klp_sysfs__transition(const char *root, const char *name);

/* Is a livepatch of this name registered, enabled or not? */
bool hp_klp_sysfs__exists(const char *root, const char *name);

/*
 * Start enabling or disabling; of a livepatch in transition, reverse it. Returns at once. 0 also
 * when it is as wanted already, or a negative errno with @err filled.
 */
int hp_klp_sysfs__set_enabled(const char *root, const char *name, bool enabled,
			      struct hp_error *err);

/* The module's reference count, or a negative errno: -ENOENT when it is not loaded. */
int hp_klp_sysfs__refcount(const char *root, const char *name);

/* Is the module loaded (and not only on its way in or out)? */
bool hp_klp_sysfs__module_live(const char *root, const char *name);
bool hp_klp_sysfs__module_exists(const char *root, const char *name);

/*
 * Which loading of the module this is: a number that no other loading of any module has until the
 * next boot. 0 when it is not loaded, or has no folder in sysfs.
 */
uint64_t hp_klp_sysfs__load(const char *root, const char *name);

/* The module's srcversion, or "" . */
void hp_klp_sysfs__srcversion(const char *root, const char *name, char *out, size_t size);

/* Has ftrace stopped itself after an error? 1, 0, or -1 when it cannot be told. */
int hp_klp_sysfs__ftrace_disabled(const char *proc);

#endif
