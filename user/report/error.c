// SPDX-License-Identifier: GPL-2.0
/* Error reports. */
#include "report/error.h"

#include <stdio.h>

#include "base/log.h"
#include "report/json.h"

#define NO_REASON "an error without a reason"

void hp_report_error_text(const struct hp_globals *globals, const char *verb,
			  const struct hp_error *err)
{
	enum hp_reason reason = err->reason ? err->reason : HP_E_INTERNAL;

	hp_progress_end();
	fprintf(stderr, "hotproof %s: %s (%s)\n", verb, err->reason ? err->message : NO_REASON,
		hp_reason_code(reason));
	if (err->detail[0] && globals->verbosity)
		fprintf(stderr, "%s\n", err->detail);
	fprintf(stderr, "  %s\n", hp_reason_hint(reason));
}

int hp_report_error(const struct hp_globals *globals, const char *verb, const struct hp_error *err)
{
	enum hp_reason reason = err->reason ? err->reason : HP_E_INTERNAL;
	const char *message = err->reason ? err->message : NO_REASON;
	enum hp_exit status = hp_reason_exit(reason);

	if (globals->json) {
		json_t *report = hp_json_report("error", 1);

		hp_progress_end();
		json_object_set_new(report, "verb", json_string(verb));
		json_object_set_new(report, "error",
				    json_pack("{s:s, s:o, s:s, s:i}", "code",
					      hp_reason_code(reason), "message",
					      hp_json_text(message), "hint", hp_reason_hint(reason),
					      "status", status));
		hp_json_print(report);
	}
	hp_report_error_text(globals, verb, err);
	return status;
}
