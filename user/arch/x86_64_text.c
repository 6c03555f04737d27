// SPDX-License-Identifier: GPL-2.0
/* Questions about the machine code of one function (x86-64), answered by decoding it. */
#include "arch/text.h"

#include <errno.h>
#include <string.h>

#include <Zydis/Zydis.h>

static enum hp_branch branch_kind(const ZydisDecodedInstruction *zi)
{
	switch (zi->meta.category) {
	case ZYDIS_CATEGORY_CALL:
		return HP_BRANCH_CALL;
	case ZYDIS_CATEGORY_UNCOND_BR:
		/* xabort and xend are filed here as well, but take no relative operand. */
		return zi->mnemonic == ZYDIS_MNEMONIC_XBEGIN ? HP_BRANCH_COND : HP_BRANCH_JUMP;
	default: /* jcc, loop, jrcxz; xbegin with some categories of Zydis */
		return HP_BRANCH_COND;
	}
}

int hp_text__decode(const uint8_t *code, size_t len, uint64_t address, struct hp_insn *insn)
{
	ZydisDecodedInstruction zi;
	ZydisDecoder decoder;
	ZyanStatus status;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	status = ZydisDecoderDecodeInstruction(&decoder, NULL, code, len, &zi);
	if (status == ZYDIS_STATUS_NO_MORE_DATA)
		return -ENODATA;
	if (!ZYAN_SUCCESS(status))
		return -EILSEQ;

	*insn = (struct hp_insn){ .length = zi.length };
	if (zi.raw.imm[0].is_relative) {
		insn->branch = branch_kind(&zi);
		insn->wide = zi.raw.imm[0].size == 32;
		insn->target = address + zi.length + (uint64_t)zi.raw.imm[0].value.s;
		return 0;
	}
	/* ModRM mod 0, rm 5 is [rip + disp32] in 64-bit mode. */
	if ((zi.attributes & ZYDIS_ATTRIB_HAS_MODRM) && zi.raw.modrm.mod == 0 &&
	    zi.raw.modrm.rm == 5 && zi.raw.disp.size == 32) {
		insn->has_reference = true;
		insn->reference = address + zi.length + (uint64_t)zi.raw.disp.value;
		insn->ref_offset = zi.raw.disp.offset;
		insn->reference_load = zi.mnemonic != ZYDIS_MNEMONIC_LEA;
	}
	/*
	 * Of an instruction with both (movq $f,p(%rip)), the immediate is the address. Immediates
	 * of 32 bits are sign-extended to one; operations on 32-bit registers never make one.
	 */
	if (zi.operand_width == 64 && zi.raw.imm[0].size >= 32) {
		uint64_t value = zi.raw.imm[0].value.u;

		insn->has_reference = true;
		insn->reference =
			zi.raw.imm[0].size == 64 ? value : (uint64_t)(int64_t)(int32_t)value;
		insn->ref_offset = zi.raw.imm[0].offset;
		insn->reference_load = false;
	}
	return 0;
}

int hp_text__find_branch(const uint8_t *code, size_t len, uint64_t address, uint64_t target,
			 uint64_t *offset)
{
	struct hp_insn insn;
	size_t at;
	int ret;

	for (at = 0; at < len; at += insn.length) {
		ret = hp_text__decode(code + at, len - at, address + at, &insn);
		if (ret)
			return -EILSEQ;
		if (insn.branch != HP_BRANCH_NONE && insn.target == target) {
			*offset = at;
			return 0;
		}
	}
	return -ENOENT;
}

size_t hp_text__branch_opcode(const uint8_t *displacement, size_t before)
{
	if (before >= 1 && (displacement[-1] == 0xe8 || displacement[-1] == 0xe9))
		return 1; /* call, jmp */
	if (before >= 2 && displacement[-2] == 0x0f && (displacement[-1] & 0xf0) == 0x80)
		return 2; /* jcc */
	return 0;
}

size_t hp_text__opcode_before(const uint8_t *displacement, size_t before)
{
	size_t branch = hp_text__branch_opcode(displacement, before);

	if (branch)
		return branch;
	if (before >= 3 && (displacement[-3] & 0xf0) == 0x40)
		return 3; /* a REX prefix, opcode, ModRM */
	return before >= 2 ? 2 : 0;
}

/*
 * Could any bytes of @code be a branch to offset @to? False is certain, true may be wrong: what
 * looks like a displacement can be part of anything.
 */
static bool may_branch_to(const uint8_t *code, size_t len, size_t to)
{
	for (size_t i = 1; i < len; i++) {
		uint8_t op = code[i - 1];
		int32_t wide;

		/* jcc, jmp rel8; loop, jrcxz */
		if (((op & 0xf0) == 0x70 || op == 0xeb || (op & 0xfc) == 0xe0) &&
		    (int64_t)(i + 1) + (int8_t)code[i] == (int64_t)to)
			return true;
		if (i + sizeof(wide) > len)
			continue;
		memcpy(&wide, code + i, sizeof(wide));
		if ((int64_t)(i + sizeof(wide)) + wide == (int64_t)to)
			return true;
	}
	return false;
}

int hp_text__body_probe_offset(const uint8_t *code, size_t len, uint64_t *offset)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	/* The 5-byte nop of ftrace (x86_nops[5], arch/x86/kernel/alternative.c). */
	static const uint8_t nop5[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	uint64_t from;
	size_t at = 0;
	int ret;

	if (len >= sizeof(endbr64) && memcmp(code, endbr64, sizeof(endbr64)) == 0)
		at = sizeof(endbr64);
	if (len - at <= sizeof(nop5))
		return -EINVAL;
	if (code[at] != 0xe8 && memcmp(code + at, nop5, sizeof(nop5)) != 0)
		return -EINVAL;
	at += sizeof(nop5);
	*offset = at;

	/*
	 * Only direct jumps can be seen. Kernels with retpolines are built without jump tables
	 * (-fno-jump-tables, arch/x86/Makefile), so there are no others within a function.
	 */
	if (!may_branch_to(code, len, at))
		return 0;
	ret = hp_text__find_branch(code, len, 0, at, &from);
	if (ret == -ENOENT)
		return 0;
	return ret ? ret : -ELOOP;
}

/* May the instruction be passed on the way, and what does it put on the stack? */
static bool passes(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *operands,
		   uint64_t *depth)
{
	switch (zi->meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_NOP:     /* of a static key or call, perhaps, */
	case ZYDIS_CATEGORY_WIDENOP: /* or stac: what follows has fixups */
	case ZYDIS_CATEGORY_SMAP:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_SYSTEM:
	case ZYDIS_CATEGORY_UNCOND_BR:
		return false;
	default:
		break;
	}
	if (zi->mnemonic == ZYDIS_MNEMONIC_UD2) /* WARN() and BUG() */
		return false;
	if (zi->mnemonic == ZYDIS_MNEMONIC_PUSH) {
		*depth += zi->operand_width / 8;
		return true;
	}
	if (zi->mnemonic == ZYDIS_MNEMONIC_POP && *depth &&
	    operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    operands[0].reg.value != ZYDIS_REGISTER_RSP) {
		*depth -= zi->operand_width / 8;
		return true;
	}
	if (zi->mnemonic == ZYDIS_MNEMONIC_SUB && operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    operands[0].reg.value == ZYDIS_REGISTER_RSP &&
	    operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[1].imm.value.s >= 0) {
		*depth += operands[1].imm.value.u;
		return true;
	}
	for (size_t i = 0; i < zi->operand_count; i++)
		if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
						     operands[i].reg.value) == ZYDIS_REGISTER_RSP)
			return false;
	return true;
}

int hp_text__first_branch(const uint8_t *code, size_t len, uint64_t from, struct hp_text_place *out)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	struct hp_text_place at = { .offset = from };
	ZydisDecodedInstruction zi;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (; at.offset < len; at.offset += zi.length) {
		if (at.offset != from && may_branch_to(code, len, at.offset))
			return -ENOENT;
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code + at.offset,
							 len - at.offset, &zi, operands)))
			return -ENOENT;
		if (zi.raw.imm[0].is_relative || zi.mnemonic == ZYDIS_MNEMONIC_RET) {
			*out = at;
			return 0;
		}
		if (!passes(&zi, operands, &at.depth))
			return -ENOENT;
	}
	return -ENOENT;
}

int hp_text__stack_depth(const uint8_t *code, size_t len, uint64_t at, uint64_t *depth)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction zi;
	ZydisDecoder decoder;
	uint64_t offset = 0;

	*depth = 0;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (; offset < at; offset += zi.length) {
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code + offset, len - offset, &zi,
							 operands)))
			return -ENOENT;
		/* Nothing turns a nop into a jump here, as static keys of the kernel do. */
		if (zi.meta.category != ZYDIS_CATEGORY_NOP &&
		    zi.meta.category != ZYDIS_CATEGORY_WIDENOP && !passes(&zi, operands, depth))
			return -ENOENT;
	}
	return offset == at ? 0 : -ENOENT;
}
