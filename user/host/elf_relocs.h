/* SPDX-License-Identifier: GPL-2.0 */
/* The relocations that the dynamic linker makes in an ELF file. */
#ifndef HP_HOST_ELF_RELOCS_H
#define HP_HOST_ELF_RELOCS_H

#include "host/elf_file.h"

/*
 * Call @fn with each, and the dynamic symbol that it names (@name is "" when it names none), until it says
 * other than 0: that is the result.
 */
int hp_elf__each_reloc(struct hp_elf *elf,
		       int (*fn)(void *arg, const GElf_Rela *rela, const GElf_Sym *symbol,
				 const char *name),
		       void *arg);

#endif
