/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kernel module as an ELF file, read into memory once and checked throughout: places in its
 * sections, the pointers that relocations will put there, symbols, strings and .modinfo.
 *
 * The file is input from outside. Whatever its bytes are, each function here answers, or fails
 * with an errno; none reads outside the section that it was asked about.
 */
#ifndef HP_HOTFIX_MODULE_ELF_H
#define HP_HOTFIX_MODULE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libelf.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "hotfix/module_signature.h"

/* A place in a section; section 0 is no place. */
struct hp_place {
	size_t section;
	uint64_t offset;
};

struct hp_module_section {
	const char *name;	   /* "" when there is none */
	const unsigned char *data; /* NULL for SHT_NOBITS, which reads as zeros */
	uint64_t size;
	uint64_t flags; /* SHF_… */
	uint32_t type;	/* SHT_… */
};

struct hp_module_symbol {
	const char *name;
	struct hp_place place; /* section 0: undefined, absolute or reserved */
	uint64_t size;
	uint16_t shndx; /* as in the file: SHN_LIVEPATCH, say */
	unsigned char type;
	bool weak;
};

/* A relocation: @place will refer to @target + @addend, or to the undefined symbol @symbol. */
struct hp_module_reloc {
	struct hp_place place;
	struct hp_place target; /* the symbol's place, without the addend; may be none */
	int64_t addend;
	const char *symbol; /* its name, "" for section symbols */
	uint32_t type;
	bool livepatch; /* from a section .klp.rela.… : bound when the livepatch is enabled */
};

struct hp_module_elf {
	int fd;
	char *path;
	unsigned char *image; /* the whole file */
	size_t file_size;
	size_t elf_size; /* less than file_size by the appended signature */
	struct hp_module_signature signature;
	Elf *elf;

	struct hp_module_section *sections; /* [0] is the null section */
	size_t section_count;
	struct hp_module_symbol *symbols; /* [0] is the null symbol */
	size_t symbol_count;
	struct hp_module_reloc *relocs; /* in the order of their places */
	size_t reloc_count;
};

/*
 * Open and read @path: a relocatable ELF file for this machine. Returns 0 and a module owned by the
 * caller, or a negative errno with @err filled (HP_E_FILE_…). The names in it live as long as it.
 */
int hp_module_elf__open(struct hp_module_elf **out, const char *path, struct hp_error *err);
void hp_module_elf__close(struct hp_module_elf *m);
HP_DEFINE_CLEANUP(struct hp_module_elf *, hp_module_elf__close)

/* Is the file still, byte for byte, what was read? 0, or -ESTALE with @err HP_E_FILE_CHANGED. */
int hp_module_elf__unchanged(const struct hp_module_elf *m, struct hp_error *err);

/* The first section of that name; 0 when there is none. */
size_t hp_module_elf__section(const struct hp_module_elf *m, const char *name);

/* The value of "key=" in .modinfo, NULL when there is none. */
const char *hp_module_elf__modinfo(const struct hp_module_elf *m, const char *key);

/* The 64 bits at @place as the file has them, before relocation; -ERANGE outside of the section. */
int hp_module_elf__u64(const struct hp_module_elf *m, struct hp_place place, uint64_t *value);

/* The string at @place; NULL unless a NUL ends it inside the section. */
const char *hp_module_elf__string(const struct hp_module_elf *m, struct hp_place place);

/* The relocation at exactly @place, NULL when there is none. */
const struct hp_module_reloc *hp_module_elf__reloc(const struct hp_module_elf *m,
						   struct hp_place place);

/* The first relocation at or behind @place: an index, reloc_count when there is none. */
size_t hp_module_elf__reloc_from(const struct hp_module_elf *m, struct hp_place place);

/*
 * Where the pointer at @place will point to. -ENOENT: no relocation there, the pointer is what the
 * file has (NULL, in data). -ENOTSUP: it is not a plain pointer to a place in this module.
 */
int hp_module_elf__pointer(const struct hp_module_elf *m, struct hp_place place,
			   struct hp_place *target);

/*
 * What an instruction's operand at @reloc refers to, for the relocation types that load an address
 * or call; -ENOTSUP for other types and for symbols of other modules.
 */
int hp_module_elf__operand(const struct hp_module_elf *m, const struct hp_module_reloc *reloc,
			   struct hp_place *target);

/* The named symbol of @type (STT_FUNC, STT_OBJECT) that starts at @place; NULL when there is none. */
const struct hp_module_symbol *hp_module_elf__symbol_at(const struct hp_module_elf *m,
							struct hp_place place, unsigned char type);

#endif
