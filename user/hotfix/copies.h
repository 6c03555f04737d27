/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies of a target that a jump at its entry does not redirect: inlined into other functions, or
 * cloned by the compiler; and who calls it. Looked for when the hotfix is built: the build-id makes
 * what was found then true for every process.
 */
#ifndef HP_HOTFIX_COPIES_H
#define HP_HOTFIX_COPIES_H

#include "base/error.h"
#include "host/elf_file.h"
#include "hotfix/elf_hotfix.h"

/* Fill the remarks of @meta, whose forward attaches are known. 0 or a negative errno. */
int hp_copies__find(struct hp_elf *target, struct hp_hotfix_meta *meta, struct hp_error *err);

/* Add a remark; @text is copied. NULL when out of memory. */
struct hp_remark *hp_copies__add(struct hp_hotfix_meta *meta, enum hp_remark_kind kind,
				 const char *target, const char *text);

/*
 * The name in @target, "name", "file.c:name" or "name@VERSION": its length is returned, *@name is
 * where it begins, and *@file where the file's does, or NULL.
 */
size_t hp_copies__name(const char *target, const char **name, const char **file);

/* Those that are inlined, by DWARF. -ENODATA when there is none. */
int hp_copies__find_inlined(struct hp_elf *target, struct hp_hotfix_meta *meta);

#endif
