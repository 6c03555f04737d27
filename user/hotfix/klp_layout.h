/* SPDX-License-Identifier: GPL-2.0 */
/* Finding the patch in a livepatch module: struct klp_patch and what hangs on it, or kpatch's form. */
#ifndef HP_HOTFIX_KLP_LAYOUT_H
#define HP_HOTFIX_KLP_LAYOUT_H

#include "hotfix/klp_module.h"

/*
 * Fill form, replace, targets and callbacks of @mod from @mod->elf. -EMEDIUMTYPE: nothing here
 * enables a livepatch; -ENOTSUP: something does, in a way that cannot be read from the file.
 */
int hp_klp_layout__read(struct hp_klp_module *mod, struct hp_error *err);

/* Is @text a symbol's or module's name: printable, without blanks, shorter than @size? */
bool hp_klp_layout__is_name(const char *text, size_t size);

#endif
