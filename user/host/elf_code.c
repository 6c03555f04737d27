// SPDX-License-Identifier: GPL-2.0
/* Instructions in the code of an ELF file, found by bytes that look like them. */
#include "host/elf_code.h"

#include <errno.h>
#include <stdlib.h>

#include "arch/text.h"

bool hp_elf_code__is_instruction(struct hp_elf *elf, uint64_t address, uint64_t next, bool unknown)
{
	_cleanup_free_ uint8_t *code = NULL;
	uint64_t offset, start;
	struct hp_insn insn;
	const char *name;

	if (hp_elf__symbol_at(elf, address, &name, &offset))
		return unknown;
	start = address - offset;
	code = malloc(next - start);
	if (!code || hp_elf__read(elf, start, code, next - start))
		return unknown;
	for (uint64_t at = start; at < next; at += insn.length) {
		if (hp_text__decode(code + (at - start), next - at, at, &insn))
			return false;
		if (at + insn.length == next)
			return true;
	}
	return false;
}

int hp_elf_code__each_segment(const struct hp_elf *elf, uint32_t flags,
			      int (*fn)(void *arg, const uint8_t *code, size_t len,
					uint64_t address),
			      void *arg)
{
	int ret = 0;

	for (size_t i = 0; i < hp_elf__segment_count(elf) && !ret; i++) {
		const GElf_Phdr *segment = hp_elf__segment(elf, i);
		_cleanup_free_ uint8_t *code = NULL;

		if (segment->p_type != PT_LOAD || (segment->p_flags & flags) != flags)
			continue;
		code = malloc(segment->p_filesz + 1);
		if (!code)
			return -ENOMEM;
		ret = hp_elf__read(elf, segment->p_vaddr, code, segment->p_filesz);
		ret = ret ?: fn(arg, code, segment->p_filesz, segment->p_vaddr);
	}
	return ret;
}
