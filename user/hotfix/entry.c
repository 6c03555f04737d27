// SPDX-License-Identifier: GPL-2.0
/* Whether other code comes into the bytes of a target that a jump will overwrite. */
#include "hotfix/entry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "arch/text.h"
#include "host/elf_code.h"

/* The bytes behind the first one of the jump: at that one the jump is just taken. */
struct inside {
	struct hp_elf *elf;
	const struct hp_forward *target;
	uint64_t from, to;
	uint64_t found; /* where one that comes into them is */
};

static bool is_inside(const struct inside *in, uint64_t address)
{
	return address >= in->from && address < in->to;
}

/* A branch at @address, of somebody else, into these bytes. */
static bool is_intruder(const struct inside *in, const uint8_t *code, size_t len, uint64_t address,
			bool wide)
{
	struct hp_insn insn;

	return address - in->target->address >= in->target->size &&
	       !hp_text__decode(code, len, address, &insn) && insn.branch != HP_BRANCH_NONE &&
	       insn.wide == wide && is_inside(in, insn.target) &&
	       /* Four bytes that fit are proof, and one is none. */
	       hp_elf_code__is_instruction(in->elf, address, address + insn.length, wide);
}

/* Branches of two bytes, from less than 128 bytes away. 1 when one is found. */
static int find_near(struct inside *in)
{
	uint64_t first = in->from > 130 ? in->from - 130 : 0;

	for (uint64_t at = first; at < in->to + 128; at++) {
		uint8_t code[2];

		in->found = at;
		if (!hp_elf__read(in->elf, at, code, sizeof(code)) &&
		    is_intruder(in, code, sizeof(code), at, false))
			return 1;
	}
	return 0;
}

/* Those of four bytes end with the distance. 1 when one is found. */
static int find_far(void *arg, const uint8_t *code, size_t len, uint64_t address)
{
	struct inside *in = arg;

	for (size_t at = 1; at + 4 <= len; at++) {
		int32_t distance;
		size_t opcode;

		memcpy(&distance, code + at, sizeof(distance));
		if (!is_inside(in, address + at + 4 + (uint64_t)(int64_t)distance))
			continue;
		opcode = hp_text__branch_opcode(code + at, at);
		in->found = address + at - opcode;
		if (opcode && is_intruder(in, code + at - opcode, opcode + 4, in->found, true))
			return 1;
	}
	return 0;
}

int hp_entry__check(struct hp_elf *elf, const struct hp_forward *target, struct hp_error *err)
{
	size_t len = target->size + HP_ARCH_ENTRY_MAX;
	_cleanup_free_ uint8_t *code = malloc(len);
	struct inside in = { .elf = elf, .target = target };
	struct hp_arch_entry entry;
	uint64_t offset;
	const char *name;
	int ret;

	if (!code)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	if (hp_elf__read(elf, target->address, code, len))
		len = target->size;
	if (hp_elf__read(elf, target->address, code, len) ||
	    hp_arch__plan_entry(code, len, target->size, &entry))
		return hp_fail(err, HP_E_TARGET_SHORT, "'%s' has no room for a jump",
			       target->target);
	in.from = target->address + entry.skip + 1;
	in.to = target->address + entry.skip + entry.length;
	name = hp_elf__symbol_between(elf, in.from, in.to);
	if (name)
		return hp_fail(err, HP_E_TARGET_ENTRY,
			       "'%s' stands within the first bytes of '%s', which become a jump",
			       name, target->target);
	ret = find_near(&in) ?: hp_elf_code__each_segment(elf, PF_X, find_far, &in);
	if (ret < 0)
		return hp_fail_errno(err, HP_E_ELF, ret,
				     "the code of the target file cannot be read");
	if (!ret)
		return 0;
	if (hp_elf__symbol_at(elf, in.found, &name, &offset))
		return hp_fail(err, HP_E_TARGET_ENTRY,
			       "code at 0x%" PRIx64
			       " goes into the first bytes of '%s', which become a jump",
			       in.found, target->target);
	return hp_fail(err, HP_E_TARGET_ENTRY,
		       "'%s'+0x%" PRIx64 " goes into the first bytes of '%s', which become a jump",
		       name, offset, target->target);
}
