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
	free(report->guards);
	memset(report, 0, sizeof(*report));
}

json_t *hp_recover_report__json(const struct hp_recover_report *report)
{
	json_t *array = json_array(), *guards = json_array();

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
	for (size_t i = 0; i < report->guard_count; i++) {
		const struct hp_guard_recovery *g = &report->guards[i];

		hp_json_append(&guards,
			       json_pack("{s:s, s:s, s:s, s:b, s:o}", "guard", g->name, "action",
					 hp_recover_action_name(g->action), "reason", g->why,
					 "done", g->done, "error", hp_json_error(&g->err)));
	}
	return hp_json_envelope("recover", 1,
				json_pack("{s:b, s:o, s:o}", "dry_run", report->dry_run, "entries",
					  array, "guards", guards));
}

static void print_error(const struct hp_error *err, FILE *out)
{
	if (err->reason != HP_E_NONE)
		fprintf(out, "  %s (%s)\n  %s\n", err->message, hp_reason_code(err->reason),
			hp_reason_hint(err->reason));
}

/* Returns whether there was something to do. */
static bool print_guard(const struct hp_recover_report *report, const struct hp_guard_recovery *g,
			FILE *out)
{
	const char *outcome = "left alone";

	if (g->action == HP_RECOVER_UNDO)
		outcome = report->dry_run ? "would be removed"
			  : g->done	  ? "removed"
					  : "NOT removed";
	fprintf(out, "guard %s: %s: %s\n", g->name, outcome, g->why);
	print_error(&g->err, out);
	return g->action == HP_RECOVER_UNDO;
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
		print_error(&r->err, out);
	}
	for (size_t i = 0; i < report->guard_count; i++)
		acted += print_guard(report, &report->guards[i], out);
	if (!acted)
		fprintf(out, "Nothing to recover.\n");
	return ferror(out) ? -EIO : 0;
}
