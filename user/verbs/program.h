/* SPDX-License-Identifier: GPL-2.0 */
/* The verbs for hotfixes of loaded BPF programs: what inspect and apply do when asked for one. */
#ifndef HP_VERBS_PROGRAM_H
#define HP_VERBS_PROGRAM_H

#include <stdbool.h>

#include "base/options.h"

/* True if an operand is a BPF object file, or a program is named by --prog. */
bool hp_program__is_asked(int argc, char **argv);

int hp_program__inspect(const struct hp_command *cmd, int argc, char **argv);
int hp_program__apply(const struct hp_command *cmd, int argc, char **argv);

#endif
