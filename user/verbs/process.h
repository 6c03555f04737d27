/* SPDX-License-Identifier: GPL-2.0 */
/* The verbs for hotfixes of processes: what apply, revert, … do when their operand is one. */
#ifndef HP_VERBS_PROCESS_H
#define HP_VERBS_PROCESS_H

#include <stdbool.h>

#include "base/options.h"
#include "engines/proc/proc.h"
#include "report/processes.h"

/* True if an operand is a hotfix file for processes. */
bool hp_process__is_asked(int argc, char **argv);

int hp_process__inspect(const struct hp_command *cmd, int argc, char **argv);
int hp_process__apply(const struct hp_command *cmd, int argc, char **argv);
int hp_process__verify(const struct hp_command *cmd, int argc, char **argv);
int hp_process__status(const struct hp_command *cmd, int argc, char **argv);
int hp_process__revert(const struct hp_command *cmd, int argc, char **argv);

/* What they have in common. */
struct hp_process_scope {
	struct hp_strings pids;
	bool all; /* as without any --pid; may be said */
};

/* Open the one hotfix among the operands and fill the rows of @report with the processes in scope. */
int hp_process__open(struct hp_proc **out, struct hp_processes_report *report,
		     const struct hp_process_scope *scope, int argc, char **argv, int first,
		     struct hp_error *err);

/* Print @report; returns the exit status. */
int hp_process__report(const struct hp_globals *globals, struct hp_processes_report *report,
		       const char *verb);

#endif
