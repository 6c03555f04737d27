/* SPDX-License-Identifier: GPL-2.0 */
/* The targets as their file has them: read, checked and planned once for all processes that map it. */
#ifndef HP_ENGINES_PROC_BODIES_H
#define HP_ENGINES_PROC_BODIES_H

#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "hotfix/elf_hotfix.h"
#include "host/elf_file.h"

struct hp_body {
	uint8_t *code; /* all of the function */
	struct hp_arch_entry entry;
	uint8_t original
		[HP_ARCH_ENTRY_MAX]; /* its first bytes, and what follows where it is short */
};

struct hp_bodies;

int hp_bodies__open(struct hp_bodies **out, size_t forward_count);
void hp_bodies__close(struct hp_bodies *bodies);
HP_DEFINE_CLEANUP(struct hp_bodies *, hp_bodies__close)

/*
 * The targets of @meta in @elf, which stays open as long as @bodies: one for each forward attach. 0,
 * or a negative errno with @err filled: it is another build, or the code is not what it should be.
 */
int hp_bodies__get(struct hp_bodies *bodies, struct hp_elf *elf, const struct hp_hotfix_meta *meta,
		   const struct hp_body **out, struct hp_error *err);

#endif
