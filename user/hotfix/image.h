/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What of a hotfix file comes into a process: its segments, its relocations and the symbols that
 * those name. Read once for all processes.
 */
#ifndef HP_HOTFIX_IMAGE_H
#define HP_HOTFIX_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "hotfix/elf_hotfix.h"

#define HP_PAGE		4096ull
#define HP_PAGE_DOWN(x) ((x) & ~(HP_PAGE - 1))
#define HP_PAGE_UP(x)	HP_PAGE_DOWN((x) + HP_PAGE - 1)

struct hp_image_segment {
	uint64_t address; /* link address */
	uint64_t offset;  /* in the file */
	uint64_t file_size, memory_size;
	int prot;	/* PROT_* */
	uint8_t *bytes; /* of a writable segment: memory_size bytes before relocation; else NULL */
};

struct hp_image_reloc {
	uint64_t address; /* link address of the 8 bytes to set */
	enum hp_arch_reloc kind;
	int64_t addend;
	size_t symbol; /* index into symbols, for HP_RELOC_SYMBOL */
};

struct hp_image_symbol {
	char *name;
	char *version;			  /* that an undefined symbol asks for, or NULL */
	bool defined;			  /* by the hotfix itself, at: */
	uint64_t address;		  /* link address */
	bool weak;			  /* may stay unbound */
	const struct hp_reverse *reverse; /* of an undefined symbol that is used */
};

struct hp_image {
	struct hp_image_segment *segments;
	size_t segment_count;
	struct hp_image_reloc *relocs;
	size_t reloc_count;
	struct hp_image_symbol *symbols; /* the dynamic symbols, by index */
	size_t symbol_count;
	uint64_t span; /* bytes of address space that it takes, whole pages from link address 0 */
	uint64_t relro_start, relro_end; /* read-only after relocation; whole pages */
};

/*
 * Read the image of @hotfix, which it then refers to. Refuses what would need the dynamic linker:
 * thread-local storage, constructors, text relocations, IFUNC symbols of its own.
 */
int hp_image__read(struct hp_image **out, const struct hp_hotfix *hotfix, struct hp_error *err);
void hp_image__free(struct hp_image *image);
HP_DEFINE_CLEANUP(struct hp_image *, hp_image__free)

/*
 * The bytes of writable segment @i as they must be when the image lies at @bias and its symbols
 * are at @values (one for each symbol). The caller frees them.
 */
uint8_t *hp_image__relocate(const struct hp_image *image, size_t i, uint64_t bias,
			    const uint64_t *values);

#endif
