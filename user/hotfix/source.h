/* SPDX-License-Identifier: GPL-2.0 */
/* What is wrong with a hotfix's source can be seen in its object file, and said in the author's words. */
#ifndef HP_HOTFIX_SOURCE_H
#define HP_HOTFIX_SOURCE_H

#include "host/elf_file.h"
#include "hotfix/elf_hotfix.h"

/* Can the linker make replacements of what HOTPROOF_REPLACE() names? Else -EINVAL with @err filled. */
int hp_source__check(struct hp_elf *object, const struct hp_hotfix_meta *meta,
		     struct hp_error *err);

/* Warn of replacements that call their own target: such a call comes to the replacement again. */
void hp_source__warn(struct hp_elf *object, const struct hp_hotfix_meta *meta);

#endif
