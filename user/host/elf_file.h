/* SPDX-License-Identifier: GPL-2.0 */
/* An ELF file of user space: its build-id, segments, symbols, and the bytes at link addresses. */
#ifndef HP_HOST_ELF_FILE_H
#define HP_HOST_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gelf.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "host/build_id.h"

struct hp_elf;

/* Open a 64-bit little-endian ELF file. 0 or a negative errno with @err filled. */
int hp_elf__open(struct hp_elf **out, const char *path, struct hp_error *err);
void hp_elf__close(struct hp_elf *elf);
HP_DEFINE_CLEANUP(struct hp_elf *, hp_elf__close)

const char *hp_elf__path(const struct hp_elf *elf);
const GElf_Ehdr *hp_elf__header(const struct hp_elf *elf);
Elf *hp_elf__handle(struct hp_elf *elf);
int hp_elf__fd(const struct hp_elf *elf);

/* NULL when the file has none. */
const struct hp_build_id *hp_elf__build_id(const struct hp_elf *elf);

/* Program headers. */
size_t hp_elf__segment_count(const struct hp_elf *elf);
const GElf_Phdr *hp_elf__segment(const struct hp_elf *elf, size_t i);

/* The section called @name, NULL when there is none. */
Elf_Scn *hp_elf__find_section(struct hp_elf *elf, const char *name, GElf_Shdr *shdr);

/*
 * @elf itself or its separate debug file, whichever has the section @name with contents; NULL when
 * neither has. Owned by @elf.
 */
struct hp_elf *hp_elf__with_section(struct hp_elf *elf, const char *name);

/* Is there anything at a link address when the file is loaded, be it zeroes? */
bool hp_elf__is_loaded(const struct hp_elf *elf, uint64_t address);

/* Read @len bytes of the file at a link address; -EFAULT when it does not hold all of them. */
int hp_elf__read(const struct hp_elf *elf, uint64_t address, void *buf, size_t len);

/* The file offset of a link address; -EFAULT when the file has no byte for it. */
int hp_elf__offset(const struct hp_elf *elf, uint64_t address, uint64_t *offset);

/*
 * Where the object is loaded, from one of its mappings: what is added to link addresses when the
 * page at file offset @offset is mapped at @start. -ENOENT when no segment lies there.
 */
int hp_elf__bias(const struct hp_elf *elf, uint64_t start, uint64_t offset, uint64_t *bias);

struct hp_elf_symbol {
	uint64_t address; /* link address */
	uint64_t size;
	uint8_t type; /* STT_* */
	bool weak;
	const char *source; /* where it was found: "dynsym", "symtab", "debug file" */
};

/*
 * The defined symbol @name: "name", "name@VERSION" or "file.c:name"; with ",N" behind it, the Nth of
 * that name by address, as livepatches count them. Looked for among the dynamic
 * symbols, then in .symtab, then in the separate debug file of the same build-id. -ENOENT when
 * there is none, -ENOTUNIQ when there are several at different addresses.
 */
int hp_elf__find_symbol(struct hp_elf *elf, const char *name, struct hp_elf_symbol *out);

/*
 * The dynamic symbol that a reference from another object would be bound to: @version NULL takes
 * the default one. -ENOENT when there is none.
 */
int hp_elf__find_dynamic(struct hp_elf *elf, const char *name, const char *version,
			 struct hp_elf_symbol *out);

/*
 * The first symbol of code, a function or a label, that is found from link address @from to before
 * @to, in any table of the file or its debug file; NULL when there is none. Owned by @elf.
 */
const char *hp_elf__symbol_between(struct hp_elf *elf, uint64_t from, uint64_t to);

/*
 * The function that holds @address, from any table of the file or its debug file: its name, owned by
 * @elf, and how far into it @address is. -ENOENT when none is known.
 */
int hp_elf__symbol_at(struct hp_elf *elf, uint64_t address, const char **name, uint64_t *offset);

#endif
