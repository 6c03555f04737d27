/* SPDX-License-Identifier: GPL-2.0 */
/* The tables of text reports. */
#ifndef HP_REPORT_TABLE_H
#define HP_REPORT_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include <libsmartcols/libsmartcols.h>

#include "base/cleanup.h"

HP_DEFINE_CLEANUP(struct libscols_table *, scols_unref_table)

struct hp_column {
	const char *name;
	int flags; /* SCOLS_FL_… */
};

/*
 * A table without lines, printed to @out, as wide as a terminal at most. @columns ends with one without a
 * name. The caller's; NULL when there is no memory.
 */
struct libscols_table *hp_table__new(FILE *out, bool color, const struct hp_column *columns);

#endif
