// SPDX-License-Identifier: GPL-2.0
/* Where a file has the address of what it uses by the name of an exported symbol of its own. */
#include "hotfix/slot.h"

#include <string.h>

#include "arch/arch.h"
#include "host/elf_relocs.h"

struct wanted {
	const char *name;
	uint64_t address;
	bool any_name;
	uint64_t slot;
};

static int look_at(void *arg, const GElf_Rela *rela, const GElf_Sym *symbol, const char *name)
{
	struct wanted *wanted = arg;

	if (!hp_arch__is_slot((uint32_t)GELF_R_TYPE(rela->r_info)) ||
	    symbol->st_shndx == SHN_UNDEF || symbol->st_value != wanted->address ||
	    (!wanted->any_name && strcmp(name, wanted->name)))
		return 0;
	wanted->slot = rela->r_offset;
	return 1;
}

uint64_t hp_slot__find(struct hp_elf *elf, const char *name, uint64_t address, bool any_name)
{
	struct wanted wanted = { .name = name, .address = address, .any_name = any_name };

	hp_elf__each_reloc(elf, look_at, &wanted);
	return wanted.slot;
}
