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
	free(report->programs);
	memset(report, 0, sizeof(*report));
}

static json_t *pins_json(const struct hp_pin_recovery *pins, size_t count, const char *what)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct hp_pin_recovery *p = &pins[i];

		hp_json_append(&array,
			       json_pack("{s:s, s:s, s:s, s:b, s:o}", what, p->name, "action",
					 hp_recover_action_name(p->action), "reason", p->why,
					 "done", p->done, "error", hp_json_error(&p->err)));
	}
	return array;
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
	return hp_json_envelope(
		"recover", 1,
		json_pack("{s:b, s:o, s:o, s:o}", "dry_run", report->dry_run, "entries", array,
			  "guards", pins_json(report->guards, report->guard_count, "guard"),
			  "programs",
			  pins_json(report->programs, report->program_count, "hotfix")));
}

static void print_error(const struct hp_error *err, FILE *out)
{
	if (err->reason != HP_E_NONE)
		fprintf(out, "  %s (%s)\n  %s\n", err->message, hp_reason_code(err->reason),
			hp_reason_hint(err->reason));
}

/* Returns how many there were with something to do. */
static size_t print_pins(const struct hp_recover_report *report, const struct hp_pin_recovery *pins,
			 size_t count, const char *what, FILE *out)
{
	size_t acted = 0;

	for (size_t i = 0; i < count; i++) {
		const struct hp_pin_recovery *p = &pins[i];
		const char *outcome = "left alone";

		if (p->action == HP_RECOVER_UNDO)
			outcome = report->dry_run ? "would be removed"
				  : p->done	  ? "removed"
						  : "NOT removed";
		fprintf(out, "%s %s: %s: %s\n", what, p->name, outcome, p->why);
		print_error(&p->err, out);
		acted += p->action == HP_RECOVER_UNDO;
	}
	return acted;
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
	acted += print_pins(report, report->guards, report->guard_count, "guard", out);
	acted += print_pins(report, report->programs, report->program_count, "hotfix", out);
	if (!acted)
		fprintf(out, "Nothing to recover.\n");
	return 0;
}
