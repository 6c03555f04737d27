// SPDX-License-Identifier: GPL-2.0
/* The end of a verb that changes the system: its status and its report. */
#include "verbs/change.h"

#include <stdio.h>

#include "base/clock.h"
#include "report/error.h"
#include "report/histogram.h"
#include "report/json.h"

static enum hp_exit status_of(const struct hp_apply_report *report)
{
	if (report->error.reason)
		return hp_reason_exit(report->error.reason);
	/* A workload that failed did not exercise what it was to exercise. */
	if (report->verified && report->verify.status == HP_EXIT_OK &&
	    report->verify.exercise.command && report->verify.exercise.status > 0)
		return HP_EXIT_VERIFY;
	if (report->verified)
		return report->verify.status;
	return report->restoration.restored ? HP_EXIT_OK : HP_EXIT_VERIFY;
}

static int print(const struct hp_apply_report *report, const struct hp_globals *globals)
{
	bool ascii = hp_histogram__needs_ascii();

	if (globals->json) {
		if (report->error.reason)
			hp_report_error_text(globals, report->verb, &report->error);
		return hp_json_print(hp_apply_report__json(report));
	}
	/* A refusal is an error like any other, and nothing else is to be told. */
	if (report->outcome == HP_OUTCOME_REFUSED) {
		hp_report_error(globals, report->verb, &report->error);
		return 0;
	}
	return hp_apply_report__print(report, stdout, globals->color, ascii, globals->verbosity);
}

int hp_change_finish(struct hp_apply_report *report, const struct hp_globals *globals)
{
	int status;

	report->total_ns = hp_now_ns() - report->begin_ns;
	report->status = status_of(report);
	status = report->status;
	if (print(report, globals))
		status = HP_EXIT_INTERNAL;
	hp_apply_report__free(report);
	return status;
}
