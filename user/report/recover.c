// SPDX-License-Identifier: GPL-2.0
/* The report of recover. */
#include "report/recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/json.h"
#include "report/parts.h"
#include "report/status.h"

void hp_recover_report__free(struct hp_recover_report *report)
{
	free(report->entries);
	memset(report, 0, sizeof(*report));
}

json_t *hp_recover_report__json(const struct hp_recover_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->count; i++) {
		const struct hp_recovery *r = &report->entries[i];

		hp_json_append(&array,
			       json_pack("{s:o, s:s, s:s, s:o, s:s, s:i, s:s, s:s, s:b, s:o}",
					 "hotfix", hp_json_text(r->entry.hotfix), "engine",
					 r->entry.engine[0] ? r->entry.engine : "unknown", "phase",
					 hp_journal_phase__name(r->entry.phase), "file",
					 hp_json_text_or_null(r->entry.file), "time",
					 hp_time_text(r->entry.time).s, "pid", r->entry.pid,
					 "action", hp_recover_action_name(r->action), "reason",
					 r->why, "done", r->done, "error", hp_json_error(&r->err)));
	}
	return hp_json_envelope("recover", 1,
				json_pack("{s:b, s:o}", "dry_run", report->dry_run, "entries",
					  array));
}

static const char *outcome(const struct hp_recover_report *report, const struct hp_recovery *r)
{
	switch (r->action) {
	case HP_RECOVER_KEEP:
		return "left as it is";
	case HP_RECOVER_WAIT:
		return "left alone";
	case HP_RECOVER_FORGET:
		return report->dry_run ? "would be forgotten"
		       : r->done       ? "forgotten"
				       : "NOT forgotten";
	case HP_RECOVER_UNDO:
		if (!strcmp(r->entry.engine, "proc"))
			return report->dry_run ? "would be reverted in those"
			       : r->done       ? "reverted in those"
					       : "NOT reverted";
		return report->dry_run ? "would be reverted and unloaded"
		       : r->done       ? "reverted and unloaded"
				       : "NOT reverted";
	}
	return "";
}

int hp_recover_report__print(const struct hp_recover_report *report, FILE *out)
{
	size_t acted = 0;

	for (size_t i = 0; i < report->count; i++) {
		const struct hp_recovery *r = &report->entries[i];

		acted += r->action == HP_RECOVER_FORGET || r->action == HP_RECOVER_UNDO;
		fprintf(out, "%s: %s: %s\n", r->entry.hotfix, outcome(report, r), r->why);
		if (r->err.reason != HP_E_NONE)
			fprintf(out, "  %s (%s)\n  %s\n", r->err.message,
				hp_reason_code(r->err.reason), hp_reason_hint(r->err.reason));
	}
	if (!acted)
		fprintf(out, "Nothing to recover.\n");
	return ferror(out) ? -EIO : 0;
}
