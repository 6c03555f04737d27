// SPDX-License-Identifier: GPL-2.0
/* The relocations that the dynamic linker makes in an ELF file. */
#include "host/elf_relocs.h"

int hp_elf__each_reloc(struct hp_elf *elf,
		       int (*fn)(void *arg, const GElf_Rela *rela, const GElf_Sym *symbol,
				 const char *name),
		       void *arg)
{
	GElf_Shdr dynsym, shdr;
	Elf_Scn *table = hp_elf__find_section(elf, ".dynsym", &dynsym), *scn = NULL;
	Elf_Data *symbols = table ? elf_getdata(table, NULL) : NULL;
	int ret = 0;

	while (!ret && (scn = elf_nextscn(hp_elf__handle(elf), scn))) {
		Elf_Data *data;
		GElf_Rela rela;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_RELA ||
		    !(shdr.sh_flags & SHF_ALLOC))
			continue;
		data = elf_getdata(scn, NULL);
		for (int i = 0; data && !ret && gelf_getrela(data, i, &rela); i++) {
			GElf_Sym symbol = { 0 };
			const char *name = NULL;

			if (symbols && gelf_getsym(symbols, (int)GELF_R_SYM(rela.r_info), &symbol))
				name = elf_strptr(hp_elf__handle(elf), dynsym.sh_link,
						  symbol.st_name);
			ret = fn(arg, &rela, &symbol, name ?: "");
		}
	}
	return ret;
}
