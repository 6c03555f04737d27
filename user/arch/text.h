/* SPDX-License-Identifier: GPL-2.0 */
/* Questions about the machine code of one function (x86-64), answered by decoding it. */
#ifndef HP_ARCH_TEXT_H
#define HP_ARCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hp_branch {
	HP_BRANCH_NONE, /* no direct branch */
	HP_BRANCH_CALL, /* call rel32 */
	HP_BRANCH_JUMP, /* jmp rel8, rel32 */
	HP_BRANCH_COND, /* jcc, jrcxz, loop, xbegin */
};

/* An instruction, as far as hotproof cares. */
struct hp_insn {
	uint8_t length;
	enum hp_branch branch;
	bool wide;	     /* the branch has a 32-bit displacement */
	uint64_t target;     /* of a direct branch */
	bool has_reference;  /* it holds an address: rip-relative memory, or an immediate */
	uint64_t reference;  /* that address; an immediate is sign-extended */
	uint8_t ref_offset;  /* where in the instruction the bytes lie that make it up */
	bool reference_load; /* memory at the address is read or written, not its address taken */
};

/*
 * Decode the instruction at @code, which runs at @address. -EILSEQ when it is none, -ENODATA when
 * @len bytes do not hold all of it.
 */
int hp_text__decode(const uint8_t *code, size_t len, uint64_t address, struct hp_insn *insn);

/*
 * The offset of the first instruction in the function @code, which runs at @address, that branches
 * directly to @target. -ENOENT when there is none; -EILSEQ when part of the function is no code.
 */
int hp_text__find_branch(const uint8_t *code, size_t len, uint64_t address, uint64_t target,
			 uint64_t *offset);

/*
 * The offset of the first instruction behind the ftrace call site at a function's entry
 * (`[endbr64] nop5|call rel32`): a probe there sees the calls that ran this body, and not those
 * that ftrace led elsewhere. @code must be the whole function.
 *
 * 0 with @offset set; -EINVAL when there is no such site; -ELOOP when the function jumps back to
 * that very place, so that a probe there would count loops as calls; -EILSEQ when bytes that may
 * be such a jump are in a function part of which is no code, so that nobody knows (@offset is set
 * for both).
 *
 * A `call` that opens a function which ftrace does not know looks the same: ask ftrace first
 * (available_filter_functions).
 */
int hp_text__body_probe_offset(const uint8_t *code, size_t len, uint64_t *offset);

/*
 * How many bytes of opcode a direct branch has whose displacement of 32 bits is at @displacement, where the
 * @before bytes in front of it can be read; 0 when those are of no such branch. That they are is no proof: they
 * may be the end of another instruction.
 */
size_t hp_text__branch_opcode(const uint8_t *displacement, size_t before);

/*
 * The same of any instruction that ends with the displacement: a branch, one through memory, or one that
 * takes an address. 0 when there are too few bytes.
 */
size_t hp_text__opcode_before(const uint8_t *displacement, size_t before);

/* A place in a function. */
struct hp_text_place {
	uint64_t offset; /* from the function's first byte */
	uint64_t
		depth; /* bytes that the function has on the stack there, above its return address */
};

/*
 * The function's first direct branch, call or return, if whoever comes to offset @from comes to it
 * next, and nobody else does: straight-line code lies between, and no jump leads into it. @code must be the
 * whole function. -ENOENT when it has no such place, or it may have none later: a nop can become
 * a jump (static keys).
 */
int hp_text__first_branch(const uint8_t *code, size_t len, uint64_t from,
			  struct hp_text_place *out);

/*
 * How many bytes the function has on the stack, above its return address, at offset @at: *@depth.
 * Straight-line code from its start to there, else -ENOENT: nobody knows. @code holds at least that.
 */
int hp_text__stack_depth(const uint8_t *code, size_t len, uint64_t at, uint64_t *depth);

#endif
