// SPDX-License-Identifier: GPL-2.0
/* x86-64: what probes of processes (uprobes) need to know about the code that they stand in. */
#include <errno.h>
#include <string.h>

#include "arch/arch.h"
#include "arch/text.h"

/*
 * branch_setup_xol_ops() and push_setup_xol_ops(), arch/x86/kernel/uprobes.c, Linux 6.1: direct jumps
 * and calls, nop, push of a register.
 */
bool hp_arch__probe_is_emulated(const uint8_t *code, size_t len)
{
	if (!len)
		return false;
	switch (code[0]) {
	case 0x90:
	case 0xe8:
	case 0xe9:
	case 0xeb:
	case 0x50 ... 0x57:
	case 0x70 ... 0x7f:
		return true;
	case 0x41:
		return len > 1 && code[1] >= 0x50 && code[1] <= 0x57;
	case 0x0f:
		return len > 1 && code[1] >= 0x80 && code[1] <= 0x8f;
	default:
		return false;
	}
}

static bool is_return(const uint8_t *code, size_t len)
{
	size_t at = len > 1 && (code[0] == 0xf2 || code[0] == 0xf3) ? 1 : 0;

	return code[at] == 0xc3 || code[at] == 0xc2;
}

int hp_arch__returns(const uint8_t *code, size_t len, uint64_t *offsets, size_t max)
{
	struct hp_insn insn;
	size_t count = 0;

	for (size_t at = 0; at < len; at += insn.length) {
		if (hp_text__decode(code + at, len - at, at, &insn))
			return -EILSEQ;
		/* Through a table, within the function or not: nobody knows. */
		if (hp_arch__is_indirect_jump(code + at, insn.length))
			return -EXDEV;
		if (insn.branch != HP_BRANCH_NONE && insn.branch != HP_BRANCH_CALL &&
		    insn.target >= len)
			return -EXDEV;
		if (!is_return(code + at, insn.length))
			continue;
		if (count == max)
			return -E2BIG;
		offsets[count++] = at;
	}
	return count ? (int)count : -EXDEV;
}

/* As short as they can be, and alone in their cache line. */
__asm__(".pushsection .text\n"
	".p2align 6\n"
	".globl hp_arch_empty_emulated\n"
	".type hp_arch_empty_emulated,@function\n"
	"hp_arch_empty_emulated:\n\tpush %rax\n\tpop %rax\n\tret\n"
	".size hp_arch_empty_emulated, . - hp_arch_empty_emulated\n"
	".p2align 6\n"
	".globl hp_arch_empty_stepped\n"
	".type hp_arch_empty_stepped,@function\n"
	"hp_arch_empty_stepped:\n\txor %eax, %eax\n\tret\n"
	".size hp_arch_empty_stepped, . - hp_arch_empty_stepped\n"
	".p2align 6\n"
	".popsection");
