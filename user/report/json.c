// SPDX-License-Identifier: GPL-2.0
/* The one writer of JSON reports. */
#include "report/json.h"

#include <errno.h>
#include <stdio.h>

int hp_json_print(json_t *report)
{
	int ret = json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));

	json_decref(report);
	putchar('\n');
	fflush(stdout);
	return ret && !ferror(stdout) ? -ENOMEM : 0;
}

json_t *hp_json_exercise_status(int status)
{
	return status < 0 ? json_null() : json_integer(status);
}
