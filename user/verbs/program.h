/* SPDX-License-Identifier: GPL-2.0 */
/* The verbs for hotfixes of loaded BPF programs: what inspect and apply do when asked for one. */
#ifndef HP_VERBS_PROGRAM_H
#define HP_VERBS_PROGRAM_H

#include <stdbool.h>

#include "base/options.h"
#include "report/recover.h"

/* True if an operand is a BPF object file, or a program is named by --prog. */
bool hp_program__is_asked(int argc, char **argv);

int hp_program__inspect(const struct hp_command *cmd, int argc, char **argv);
int hp_program__apply(const struct hp_command *cmd, int argc, char **argv);

/*
 * Remove hotfixes of BPF programs whose loader was killed while it pinned them: some of their functions
 * would stay replaced, and others not. What another hotproof is at work on waits.
 */
int hp_program_recover(struct hp_recover_report *report, uint64_t deadline, struct hp_error *err);

#endif
