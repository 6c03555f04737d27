// SPDX-License-Identifier: GPL-2.0
/* The tables of text reports. */
#include "report/table.h"

#include <unistd.h>

struct libscols_table *hp_table__new(FILE *out, bool color, const struct hp_column *columns)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	scols_table_set_stream(table, out);
	scols_table_enable_colors(table, color);
	if (!isatty(fileno(out)))
		scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	for (; columns->name; columns++)
		if (!scols_table_new_column(table, columns->name, 0, columns->flags)) {
			scols_unref_table(table);
			return NULL;
		}
	return table;
}
