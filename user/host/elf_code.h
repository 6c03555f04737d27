/* SPDX-License-Identifier: GPL-2.0 */
/* Instructions in the code of an ELF file, found by bytes that look like them. */
#ifndef HP_HOST_ELF_CODE_H
#define HP_HOST_ELF_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/elf_file.h"

/*
 * False when the function around @address says that no instruction ends at @next: what looked like
 * one, from @address to there, lies inside of others. @unknown where no symbol tells where the function begins.
 */
bool hp_elf_code__is_instruction(struct hp_elf *elf, uint64_t address, uint64_t next, bool unknown);

/*
 * Call @fn with the bytes of each segment that has all of @flags (PF_*), and its link address, until it
 * says other than 0: that is the result. Else 0, or a negative errno when a segment cannot be read.
 */
int hp_elf_code__each_segment(const struct hp_elf *elf, uint32_t flags,
			      int (*fn)(void *arg, const uint8_t *code, size_t len,
					uint64_t address),
			      void *arg);

#endif
