/* SPDX-License-Identifier: GPL-2.0 */
/* The verbs for hotfixes of processes: what apply, revert, … do when their operand is one. */
#ifndef HP_VERBS_PROCESS_H
#define HP_VERBS_PROCESS_H

#include <limits.h>
#include <stdbool.h>

#include "base/options.h"
#include "engines/proc/proc.h"
#include "proof/process_proof.h"
#include "report/processes.h"

/* True if an operand is a hotfix file for processes. */
bool hp_process__is_asked(int argc, char **argv);

int hp_process__inspect(const struct hp_command *cmd, int argc, char **argv);
int hp_process__apply(const struct hp_command *cmd, int argc, char **argv);
int hp_process__verify(const struct hp_command *cmd, int argc, char **argv);
int hp_process__measure(const struct hp_command *cmd, int argc, char **argv);
int hp_process__status(const struct hp_command *cmd, int argc, char **argv);
int hp_process__revert(const struct hp_command *cmd, int argc, char **argv);

/* What they have in common. */
struct hp_process_scope {
	struct hp_strings pids;
	const char *cgroup, *unit;
	bool all;	       /* as without any of them; may be said */
	char folder[PATH_MAX]; /* of the control group, once it is looked up; "" for none */
};

/* The options for it. */
#define HP_SCOPE_OPTIONS(scope)                                                 \
	{ "pid", HP_OPT_STRINGS, &(scope).pids, "N",                            \
	  "only this process; may be given more than once" },                   \
		{ "cgroup", HP_OPT_STRING, &(scope).cgroup, "PATH",             \
		  "only processes of this control group and those below it" },  \
		{ "unit", HP_OPT_STRING, &(scope).unit, "NAME",                 \
		  "only processes of this systemd unit" },                      \
	{                                                                       \
		"all", HP_OPT_FLAG, &(scope).all, NULL,                         \
			"every process that maps the target file (the default)" \
	}

/* True if processes that come later may be in scope too: they were not named one by one. */
bool hp_process_scope__is_open(const struct hp_process_scope *scope);

/* The processes in scope that map the hotfix's target now. */
int hp_process_scope__find(const struct hp_process_scope *scope, struct hp_proc *proc,
			   struct hp_processes *found, struct hp_error *err);

/* What each of them wants behind its options. */
#define HP_ONE_HOTFIX                   \
	{                               \
		1, 1, "one hotfix file" \
	}

/* Open the hotfix at @path and fill the rows of @report with the processes in scope. */
int hp_process__open(struct hp_proc **out, struct hp_processes_report *report,
		     struct hp_process_scope *scope, const char *path, struct hp_error *err);

/* Print @report, or @err when @ret says that it failed, and free it. Returns the exit status. */
int hp_process__finish(const struct hp_globals *globals, const char *verb,
		       struct hp_processes_report *report, int ret, const struct hp_error *err);

/* The same for a verification of several hotfixes, whose reports stay the caller's. */
int hp_process__finish_all(const struct hp_globals *globals, const char *verb,
			   struct hp_process_subject *subjects, size_t count, int ret,
			   const struct hp_error *err);

#endif
