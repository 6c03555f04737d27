/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Search of machine code for what refers to a set of addresses: direct branches and addresses
 * taken. A scan of the bytes finds the places that may be such; the function around each of them is
 * then decoded from its start, because the bytes of a branch can also lie inside an instruction.
 */
#ifndef HP_OBSERVE_CODE_SCAN_H
#define HP_OBSERVE_CODE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/text.h"
#include "base/cleanup.h"
#include "host/kallsyms.h"

/* Addresses to look for, sorted and unique, with a filter that rules most others out fast. */
struct hp_address_set {
	uint64_t *address;
	size_t count;
	uint32_t low, span; /* all have (uint32_t)(address - low) <= span */
	uint8_t *filter;    /* a bitmap over a hash of the lower half */
};

/* Takes a copy; duplicates become one. 0 or -ENOMEM. */
int hp_address_set__init(struct hp_address_set *set, const uint64_t *addresses, size_t count);
void hp_address_set__free(struct hp_address_set *set);
/* The index of @address in the set, or -1. */
long hp_address_set__find(const struct hp_address_set *set, uint64_t address);

/*
 * A stretch of code or data. Its addresses are those that it was linked for; @slide added to them
 * makes runtime addresses.
 */
struct hp_code {
	uint64_t address, size;
	uint64_t slide;
	int (*read)(const void *ctx, uint64_t address, void *buf, size_t len);
	const void *ctx;
};

/* Code or data in memory, as hp_code.ctx for hp_bytes__read(). */
struct hp_bytes {
	const uint8_t *bytes;
	uint64_t address, size;
};

int hp_bytes__read(const void *ctx, uint64_t address, void *buf, size_t len);

/* A reference that was found; addresses as in struct hp_code. */
struct hp_reference {
	size_t target;		   /* index in the set */
	uint64_t address, next;	   /* of the instruction, and of the one behind it */
	enum hp_branch branch;	   /* HP_BRANCH_NONE: the address is taken */
	bool confirmed;		   /* it lies on an instruction boundary */
	struct hp_symbol function; /* that holds it, at its runtime address; name NULL: none */
};

typedef int (*hp_reference_fn)(void *arg, const struct hp_reference *ref);

/*
 * Call @fn for every reference from @code to an address of @set, in order of address; a result
 * other than 0 ends the search and is returned.
 */
int hp_code__scan(const struct hp_code *code, const struct hp_address_set *set,
		  const struct hp_kallsyms *ks, hp_reference_fn fn, void *arg);

/* Call @fn(arg, index) for every aligned pointer in @data to an address of the set. */
int hp_data__scan(const struct hp_code *data, const struct hp_address_set *set,
		  int (*fn)(void *arg, size_t target, uint64_t address), void *arg);

/*
 * The branch or other instruction of @code that ends at @end, found by decoding the function
 * around it; -ENOENT when no instruction ends there.
 */
int hp_code__ending_at(const struct hp_code *code, const struct hp_kallsyms *ks, uint64_t end,
		       struct hp_insn *insn);

#endif
