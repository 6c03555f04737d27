/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The static call sites of functions in the code of one ELF file: of the functions' own file, or of
 * another one, which calls them by name through its procedure linkage table or a pointer.
 *
 * What is not seen: branches of two bytes in functions without a symbol, and code that is no part of the
 * file.
 */
#ifndef HP_OBSERVE_ELF_SITES_H
#define HP_OBSERVE_ELF_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "host/elf_file.h"
#include "observe/callsites.h"

/* A function that is looked for. */
struct hp_elf_function {
	uint64_t address; /* link address in its own file */
	char **names;	  /* that other files know it by; see hp_elf_function__init() */
	size_t name_count;
};

/* The function at @address of @own, with all of its dynamic symbols' names. 0 or -ENOMEM. */
int hp_elf_function__init(struct hp_elf_function *function, struct hp_elf *own, uint64_t address);
void hp_elf_function__free(struct hp_elf_function *function);

struct hp_elf_site {
	size_t function;	/* index */
	uint64_t address, next; /* of the instruction, and of the one behind it; link addresses */
	uint64_t slot; /* the pointer that it goes through, at this link address; 0: none */
	enum hp_site_kind kind;
};

struct hp_elf_sites {
	struct hp_elf_site *list; /* owned */
	size_t count;
	bool *address_taken; /* owned; one for each function */
};

/*
 * The sites in @elf, whose own functions these are when @is_own. 0, -ENOMEM, or another negative errno
 * when it could not be looked into.
 */
int hp_elf_sites__find(struct hp_elf_sites *out, struct hp_elf *elf, bool is_own,
		       const struct hp_elf_function *functions, size_t count);
void hp_elf_sites__free(struct hp_elf_sites *sites);

#endif
