/* SPDX-License-Identifier: GPL-2.0 */
/* From what a compiled hotfix asks for to attaches: looked up in the target file when it is built. */
#ifndef HP_HOTFIX_RESOLVE_H
#define HP_HOTFIX_RESOLVE_H

#include "base/error.h"
#include "hotfix/elf_hotfix.h"

/*
 * Read the attaches of the relocatable file @object, find their places in @target, and fill the
 * target_id, forward and reverse of @meta.
 */
int hp_resolve__run(struct hp_elf *object, struct hp_elf *target, struct hp_hotfix_meta *meta,
		    struct hp_error *err);

/*
 * Refuse a hotfix that an exception could pass through: the unwinder of the process does not know its
 * frames, and ends the process. So it is where the target's object throws or catches exceptions, and a
 * replacement calls anything.
 */
int hp_resolve__check_exceptions(struct hp_elf *object, struct hp_elf *target,
				 const struct hp_hotfix_meta *meta, struct hp_error *err);

#endif
