/* SPDX-License-Identifier: GPL-2.0 */
/* How often the BPF programs ran in a window whose functions are observed: the kernel's own count. */
#ifndef HP_PROOF_PROGRAM_RUNS_H
#define HP_PROOF_PROGRAM_RUNS_H

#include <stddef.h>
#include <stdint.h>

#include "hotfix/target.h"

/*
 * Have the kernel count (BPF_ENABLE_STATS) and note where it begins, in @runs[@count]. Returns what ends
 * it, or a negative errno: there is no such target, or it cannot be counted.
 */
int hp_program_runs__begin(const struct hp_target *targets, size_t count, uint64_t *runs);

/* What was counted since; HP_COUNT_UNKNOWN for what is no function of a program. @counting is closed. */
void hp_program_runs__end(int counting, const struct hp_target *targets, size_t count,
			  uint64_t *runs);

#endif
