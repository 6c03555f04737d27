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
 * Say which hotfixes of BPF programs are whole, and remove what is left of those whose loader was killed
 * while it pinned or unpinned them. What another hotproof is at work on waits.
 */
int hp_program_recover(struct hp_recover_report *report, uint64_t deadline, struct hp_error *err);

#endif
