/* SPDX-License-Identifier: GPL-2.0 */
/* Where a file has the address of what it uses by the name of an exported symbol of its own. */
#ifndef HP_HOTFIX_SLOT_H
#define HP_HOTFIX_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "host/elf_file.h"

/*
 * The link address of the slot (GOT) that the dynamic linker fills for what @elf exports as @name, at
 * link address @address. A variable may have several names, and one of them a slot: @any_name. 0 when
 * there is none: the file uses its own.
 */
uint64_t hp_slot__find(struct hp_elf *elf, const char *name, uint64_t address, bool any_name);

#endif
