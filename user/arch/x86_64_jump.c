// SPDX-License-Identifier: GPL-2.0
/* x86-64: entries, jumps, and what the jumps of a function lead to. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "arch/arch.h"
#include "arch/text.h"

#define JUMP_BYTES 5 /* jmp rel32 */
#define CALL	   0xe8
#define JUMP	   0xe9
#define INT3	   0xcc

const uint16_t hp_arch_elf_machine = EM_X86_64;

static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

/*
 * True if @code begins with an instruction that only fills space between functions: nop, its long
 * forms (Intel SDM 2B, NOP: 0f 1f /0, with any number of 66 and 2e before it), int3.
 */
static bool is_padding(const uint8_t *code, size_t len, size_t *length)
{
	struct hp_insn insn;
	size_t at = 0;

	if (hp_text__decode(code, len, 0, &insn))
		return false;
	*length = insn.length;
	if (code[0] == INT3)
		return true;
	while (at < len && (code[at] == 0x66 || code[at] == 0x2e))
		at++;
	if (at < len && code[at] == 0x90)
		return true;
	return at + 1 < len && code[at] == 0x0f && code[at + 1] == 0x1f;
}

int hp_arch__plan_entry(const uint8_t *code, size_t len, uint64_t size, struct hp_arch_entry *out)
{
	size_t end, at, n;

	out->skip = len >= sizeof(endbr64) && !memcmp(code, endbr64, sizeof(endbr64))
			    ? sizeof(endbr64)
			    : 0;
	out->length = JUMP_BYTES;
	end = (size_t)out->skip + JUMP_BYTES;
	if (size >= end)
		return 0;
	for (at = size; at < end; at += n)
		if (at >= len || !is_padding(code + at, len - at, &n))
			return -ENOSPC;
	return 0;
}

int hp_arch__encode_jump(uint64_t from, uint64_t to, uint8_t *code)
{
	int64_t distance = (int64_t)(to - (from + JUMP_BYTES));
	int32_t rel = (int32_t)distance;

	if (rel != distance)
		return -ERANGE;
	code[0] = JUMP;
	memcpy(code + 1, &rel, sizeof(rel));
	return 0;
}

static bool decode(uint8_t opcode, const uint8_t *code, size_t len, uint64_t from, uint64_t *to)
{
	int32_t rel;

	if (len < JUMP_BYTES || code[0] != opcode)
		return false;
	memcpy(&rel, code + 1, sizeof(rel));
	*to = from + JUMP_BYTES + (uint64_t)(int64_t)rel;
	return true;
}

bool hp_arch__decode_jump(const uint8_t *code, size_t len, uint64_t from, uint64_t *to)
{
	return decode(JUMP, code, len, from, to);
}

size_t hp_arch__decode_call(const uint8_t *code, size_t len, uint64_t from, uint64_t *to)
{
	return decode(CALL, code, len, from, to) ? JUMP_BYTES : 0;
}

bool hp_arch__is_breakpoint(const uint8_t *code, size_t len)
{
	return len && code[0] == INT3;
}

/* True if control cannot go on behind the instruction, or need not come back: ret, jmp, hlt, ud2. */
static bool ends_flow(const uint8_t *code, const struct hp_insn *insn)
{
	size_t at = 0;

	if (insn->branch == HP_BRANCH_JUMP)
		return true;
	while (at < insn->length && (code[at] == 0xf2 || code[at] == 0xf3 || code[at] == 0x66 ||
				     code[at] == 0x3e || (code[at] & 0xf0) == 0x40))
		at++;
	if (at >= insn->length)
		return false;
	if (code[at] == 0xc3 || code[at] == 0xc2 || code[at] == 0xf4)
		return true;
	if (code[at] == 0x0f)
		return at + 1 < insn->length && code[at + 1] == 0x0b;
	/* ff /4: jmp r/m64 */
	return code[at] == 0xff && at + 1 < insn->length && ((code[at + 1] >> 3) & 7) == 4;
}

/* A place where code goes on behind the overwritten bytes, come from the branch at @from, or (@from == @offset) straight. */
static int add_exit(struct hp_arch_exits *out, const uint8_t *code, size_t len, uint64_t offset,
		    uint64_t from)
{
	for (size_t i = 0; i < out->count; i++)
		if (out->at[i].offset == offset)
			return 0;
	if (out->count == HP_ARCH_EXITS_MAX)
		return -E2BIG;
	out->at[out->count].offset = offset;
	out->at[out->count].depth_known =
		!hp_text__stack_depth(code, len, from, &out->at[out->count].depth);
	out->count++;
	return 0;
}

/* Follow the code through the overwritten bytes; *end is the first instruction behind them. */
static int leave_entry(const uint8_t *code, size_t len, size_t edge, struct hp_arch_exits *out,
		       size_t *end)
{
	uint64_t inside = 0; /* the last place within, that a branch leads to */
	size_t at = 0, last = 0;
	struct hp_insn insn;
	bool after_branch = false;
	int ret = 0;

	for (*end = 0; at < edge && at < len; at += insn.length) {
		bool ends, branch;

		if (hp_text__decode(code + at, len - at, at, &insn))
			return -EILSEQ;
		ends = ends_flow(code + at, &insn);
		branch = insn.branch == HP_BRANCH_COND || insn.branch == HP_BRANCH_JUMP;
		after_branch = insn.branch == HP_BRANCH_COND;
		last = at;
		if (branch && insn.target < edge)
			inside = insn.target > inside ? insn.target : inside;
		else if (branch && insn.target < len)
			ret = add_exit(out, code, len, insn.target, at);
		else if (branch || ends)
			out->complete = false; /* it ends there, or goes to another function */
		if (ret)
			return ret;
		if (!ends)
			continue;
		*end = at + insn.length;
		/* What is behind it, within, nobody followed. */
		out->complete &= inside <= at;
		return 0;
	}
	*end = at;
	/* A function shorter than the jump: it ends within. A call comes back, unless it does not. */
	if (at >= len) {
		out->complete = false;
		return 0;
	}
	return add_exit(out, code, len, at, after_branch ? last : at);
}

static bool is_exit(const struct hp_arch_exits *exits, uint64_t offset)
{
	for (size_t i = 0; i < exits->count; i++)
		if (exits->at[i].offset == offset)
			return true;
	return false;
}

int hp_arch__exits(const uint8_t *code, size_t len, const struct hp_arch_entry *entry,
		   struct hp_arch_exits *out)
{
	size_t at, end, edge = (size_t)entry->skip + entry->length;
	struct hp_insn insn;
	int ret;

	*out = (struct hp_arch_exits){ .complete = true };
	ret = leave_entry(code, len, edge, out, &end);
	/* Does the rest of the function come by there too? */
	for (at = end; !ret && at < len; at += insn.length) {
		if (hp_text__decode(code + at, len - at, at, &insn))
			return -EILSEQ;
		if (insn.branch != HP_BRANCH_NONE && insn.branch != HP_BRANCH_CALL)
			out->at_most |= insn.target < edge || is_exit(out, insn.target);
		else if (hp_arch__is_indirect_jump(code + at, len - at))
			out->at_most |= out->count > 1;
		if (!ends_flow(code + at, &insn))
			out->at_most |= is_exit(out, at + insn.length);
	}
	/* Whoever comes there otherwise may have more on the stack. */
	for (size_t i = 0; i < out->count && out->at_most; i++)
		out->at[i].depth_known = false;
	return ret;
}

int hp_arch__stack_depth(const uint8_t *code, size_t len, uint64_t at, uint64_t *depth)
{
	return hp_text__stack_depth(code, len, at, depth);
}

bool hp_arch__jumps_into_entry(const uint8_t *code, size_t len, const struct hp_arch_entry *entry)
{
	struct hp_insn insn;

	for (size_t at = 0; at < len; at += insn.length) {
		if (hp_text__decode(code + at, len - at, at, &insn))
			return true;
		if (insn.branch != HP_BRANCH_NONE && insn.branch != HP_BRANCH_CALL &&
		    insn.target > entry->skip &&
		    insn.target < (uint64_t)entry->skip + entry->length)
			return true;
	}
	return false;
}

bool hp_arch__calls_others(const uint8_t *code, size_t len)
{
	struct hp_insn insn;

	for (size_t at = 0; at < len; at += insn.length)
		if (hp_text__decode(code + at, len - at, at, &insn) ||
		    insn.branch == HP_BRANCH_CALL || hp_arch__is_indirect_call(code + at, len - at))
			return true;
	return false;
}

/* ff /2 is call r/m64, ff /4 is jmp r/m64, with prefixes (bnd, notrack, rex) in front. */
static bool is_indirect(const uint8_t *code, size_t len, uint8_t extension)
{
	size_t at = 0;

	while (at < len && (code[at] == 0xf2 || code[at] == 0x3e || (code[at] & 0xf0) == 0x40))
		at++;
	return at + 1 < len && code[at] == 0xff && ((code[at + 1] >> 3) & 7) == extension;
}

bool hp_arch__is_indirect_jump(const uint8_t *code, size_t len)
{
	return is_indirect(code, len, 4);
}

bool hp_arch__is_indirect_call(const uint8_t *code, size_t len)
{
	return is_indirect(code, len, 2);
}

enum hp_arch_reloc hp_arch__reloc(uint32_t type)
{
	switch (type) {
	case R_X86_64_NONE:
		return HP_RELOC_NONE;
	case R_X86_64_RELATIVE:
		return HP_RELOC_RELATIVE;
	case R_X86_64_64:
	case R_X86_64_GLOB_DAT:
	case R_X86_64_JUMP_SLOT:
		return HP_RELOC_SYMBOL;
	default:
		return HP_RELOC_UNSUPPORTED;
	}
}

bool hp_arch__is_slot(uint32_t type)
{
	return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
}
