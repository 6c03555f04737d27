// SPDX-License-Identifier: GPL-2.0
/* What a call in a process goes to, read from the process. */
#include "proof/process_tails.h"

#include "arch/arch.h"
#include "arch/text.h"
#include "engines/proc/memory.h"

/* A call through a pointer is the longest that there is, with a prefix; a stub is an endbr64 and a jump through one. */
#define CALL_MIN 5
#define CALL_MAX 7
#define STUB_MAX 12

static uint64_t pointer_at(pid_t pid, uint64_t address)
{
	uint64_t value;

	return hp_memory__read(pid, address, &value, sizeof(value)) ? 0 : value;
}

/* Behind a stub of the linkage table: what its pointer leads to; else @address itself. */
static uint64_t behind_stub(pid_t pid, uint64_t address)
{
	uint8_t code[STUB_MAX];
	struct hp_arch_entry entry;
	struct hp_insn insn;

	if (hp_memory__read(pid, address, code, sizeof(code)) ||
	    hp_arch__plan_entry(code, sizeof(code), sizeof(code), &entry) ||
	    hp_text__decode(code + entry.skip, sizeof(code) - entry.skip, address + entry.skip,
			    &insn) ||
	    !hp_arch__is_indirect_jump(code + entry.skip, insn.length) || !insn.reference_load)
		return address;
	return pointer_at(pid, insn.reference);
}

uint64_t hp_process_call__target(pid_t pid, uint64_t next)
{
	uint8_t code[CALL_MAX];
	struct hp_insn insn;

	if (hp_memory__read(pid, next - sizeof(code), code, sizeof(code)))
		return 0;
	for (size_t length = CALL_MIN; length <= CALL_MAX; length++) {
		const uint8_t *call = code + sizeof(code) - length;

		if (hp_text__decode(call, length, next - length, &insn) || insn.length != length)
			continue;
		if (insn.branch == HP_BRANCH_CALL)
			return behind_stub(pid, insn.target);
		if (hp_arch__is_indirect_call(call, length) && insn.reference_load)
			return pointer_at(pid, insn.reference);
	}
	return 0;
}
