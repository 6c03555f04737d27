/* SPDX-License-Identifier: GPL-2.0 */
/* Whether other code comes into the bytes of a target that a jump will overwrite. */
#ifndef HP_HOTFIX_ENTRY_H
#define HP_HOTFIX_ENTRY_H

#include "base/error.h"
#include "hotfix/elf_hotfix.h"

/*
 * Refuse a target where a second symbol stands within those bytes (a label of hand-written code; the
 * next function, where padding was taken for free), or code of @elf that is not the target's branches there: it
 * would come into the middle of the jump. Branches of the target itself are for an apply, which knows
 * whether somebody is in it.
 */
int hp_entry__check(struct hp_elf *elf, const struct hp_forward *target, struct hp_error *err);

#endif
