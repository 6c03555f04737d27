/* SPDX-License-Identifier: GPL-2.0 */
/* What inspect, apply, verify and revert do when their operand is a guard, and what guards' verbs share. */
#ifndef HP_VERBS_GUARD_H
#define HP_VERBS_GUARD_H

#include <stdbool.h>

#include "base/options.h"
#include "report/guard.h"
#include "report/recover.h"
#include "verbs/session.h"

/* True if an operand is the name of a guard that is pinned, whole or not. */
bool hp_guard__is_asked(int argc, char **argv);

/* True if an operand is a BPF object with a guard's code. */
bool hp_guard__is_applied(int argc, char **argv);

int hp_guard__inspect(const struct hp_command *cmd, int argc, char **argv);
int hp_guard__apply(const struct hp_command *cmd, int argc, char **argv);
int hp_guard__verify(const struct hp_command *cmd, int argc, char **argv);
int hp_guard__revert(const struct hp_command *cmd, int argc, char **argv);

/* Open the engine, make guard @g, and report that: the steps of guard add and of apply. @start: of the verb. */
int hp_guard_add(struct hp_session *session, const struct hp_guard_hotfix *g, uint64_t start,
		 struct hp_guard_report *report, struct hp_error *err);

/* What was changed on guard @name, and how long that took from @start on. */
int hp_guard_report_change(struct hp_guard_report *report, const struct hp_engine_state *state,
			   const char *name, uint64_t start, struct hp_error *err);

/* @row has a verdict now: what that means for the exit status. */
void hp_guard_report_proved(struct hp_guard_row *row, int *status);

/* Take guard @name away and read what it was into @report. Waits for the lock until @deadline. */
int hp_guard_take_away(const char *name, uint64_t deadline, struct hp_guard_report *report,
		       struct hp_error *err);

/* Room for one more row of @report, zeroed; NULL when out of memory. */
struct hp_guard_row *hp_guard_report_add(struct hp_guard_report *report);

/* All guards of this host into @report. */
int hp_guard_report_all(struct hp_guard_report *report, struct hp_error *err);

/* Find the names of the call sites of @report. */
void hp_guard_report_name_sites(struct hp_guard_report *report);

/* Remove what is left of guards whose loader died; with ->dry_run, only say so. */
int hp_guard_recover(struct hp_recover_report *report, uint64_t deadline, struct hp_error *err);

/* Print @report, or @err when @ret says so; frees the report. Returns an exit status. */
int hp_guard_finish(struct hp_guard_report *report, const struct hp_globals *globals,
		    const char *verb, int status, int ret, struct hp_error *err);

#endif
