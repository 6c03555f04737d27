/* SPDX-License-Identifier: GPL-2.0 */
/* The end of a verb that changes the system: its status and its report. */
#ifndef HP_VERBS_CHANGE_H
#define HP_VERBS_CHANGE_H

#include "base/options.h"
#include "report/apply.h"

/* Settle the report's total time and status, print it, and free what it owns. An exit status. */
int hp_change_finish(struct hp_apply_report *report, const struct hp_globals *globals);

#endif
