/* SPDX-License-Identifier: GPL-2.0 */
/* How a verb that fails says so: on stderr for people, as an error report on stdout in JSON mode. */
#ifndef HP_REPORT_ERROR_H
#define HP_REPORT_ERROR_H

#include "base/error.h"
#include "base/options.h"

/* On stderr, for people, whatever the mode: a log of a job has it too. */
void hp_report_error_text(const struct hp_globals *globals, const char *verb,
			  const struct hp_error *err);

/* Print @err for @verb; returns the exit status that its reason stands for. */
int hp_report_error(const struct hp_globals *globals, const char *verb, const struct hp_error *err);

#endif
