/* SPDX-License-Identifier: GPL-2.0 */
/* What measure of kernel functions and of processes have in common. */
#ifndef HP_VERBS_MEASURE_PARTS_H
#define HP_VERBS_MEASURE_PARTS_H

#include "base/options.h"
#include "report/measure.h"

#define HP_MEASURE_WINDOW_NS (10ull * 1000000000)

/* Read the report of an earlier run, which must be of this kernel. */
int hp_earlier__read(const char *path, struct hp_measure_report *earlier, struct hp_error *err);

/* It has no times of the side that is needed: the error that says so. */
int hp_earlier__fail(const char *path, enum hp_measure_which side, const char *symbol,
		     struct hp_error *err);

/* Take the sides that @report lacks from @earlier, and compare. */
int hp_earlier__compare(struct hp_measure_report *report, struct hp_measure_report *earlier,
			const char *path, struct hp_error *err);

/* The end of the verb: the report, or the error @ret; frees the report. Returns the exit status. */
int hp_measure_finish(const struct hp_command *cmd, const struct hp_globals *globals,
		      struct hp_measure_report *report, int ret, struct hp_error *err);

#endif
