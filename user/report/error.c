// SPDX-License-Identifier: GPL-2.0
/* Error reports. */
#include "report/error.h"

#include <stdio.h>

#include "base/log.h"
#include "report/json.h"

int hp_report_error(const struct hp_globals *globals, const char *verb, const struct hp_error *err)
{
	enum hp_reason reason = err->reason ? err->reason : HP_E_INTERNAL;
	const char *message = err->reason ? err->message : "an error without a reason";
	const char *hint = hp_reason_hint(reason);
	enum hp_exit status = hp_reason_exit(reason);

	hp_progress_end();
	if (globals->json) {
		json_t *report = hp_json_report("error", 1);

		json_object_set_new(report, "verb", json_string(verb));
		json_object_set_new(report, "error",
				    json_pack("{s:s, s:s, s:s, s:i}", "code",
					      hp_reason_code(reason), "message", message, "hint",
					      hint, "status", status));
		hp_json_print(report);
	}
	fprintf(stderr, "hotproof %s: %s (%s)\n", verb, message, hp_reason_code(reason));
	if (err->detail[0] && globals->verbosity)
		fprintf(stderr, "%s\n", err->detail);
	fprintf(stderr, "  %s\n", hint);
	return status;
}
