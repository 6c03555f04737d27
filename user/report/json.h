/* SPDX-License-Identifier: GPL-2.0 */
/* The one writer of JSON reports. */
#ifndef HP_REPORT_JSON_H
#define HP_REPORT_JSON_H

#include "base/json.h"

/*
 * Print @report on stdout, one document, indented, with a newline; drops the reference. 0 or -ENOMEM, also
 * for NULL. That stdout cannot be written is for main() to say, as of any report.
 */
int hp_json_print(json_t *report);

/* The exit status of a workload; null when it was stopped (negative). */
json_t *hp_json_exercise_status(int status);

#endif
