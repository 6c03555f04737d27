// SPDX-License-Identifier: GPL-2.0
/* What an apply or a revert did: names and JSON. */
#include "report/apply.h"

#include <string.h>

#include "base/cleanup.h"
#include "report/json.h"
#include "report/parts.h"

static const char *const outcome_names[] = {
	[HP_OUTCOME_APPLIED] = "applied",
	[HP_OUTCOME_REVERTED] = "reverted",
	[HP_OUTCOME_ROLLED_BACK] = "rolled-back",
	[HP_OUTCOME_REFUSED] = "refused",
	[HP_OUTCOME_STUCK] = "stuck",
};

static const char *const phase_names[HP_PHASES] = {
	[HP_PHASE_CHECK] = "check",	      [HP_PHASE_ARM] = "arm",
	[HP_PHASE_BASELINE] = "baseline",     [HP_PHASE_LOAD] = "load",
	[HP_PHASE_TRANSITION] = "transition", [HP_PHASE_FIRST_CALL] = "first-call",
	[HP_PHASE_ALL_TASKS] = "all-tasks",   [HP_PHASE_UNLOAD] = "unload",
	[HP_PHASE_VERIFIED] = "verified",     [HP_PHASE_ROLLBACK] = "rollback",
};

void hp_apply_report__phase(struct hp_apply_report *report, enum hp_apply_phase phase,
			    uint64_t start_ns, uint64_t end_ns)
{
	report->phase[phase] = (struct hp_phase_time){
		.reached = true,
		.start_ns = start_ns > report->begin_ns ? start_ns - report->begin_ns : 0,
		.took_ns = end_ns > start_ns ? end_ns - start_ns : 0,
	};
}

size_t hp_apply_report__order(const struct hp_apply_report *report,
			      enum hp_apply_phase order[HP_PHASES])
{
	size_t count = 0;

	for (int i = 0; i < HP_PHASES; i++) {
		size_t at = count;

		if (!report->phase[i].reached)
			continue;
		for (; at && report->phase[order[at - 1]].start_ns > report->phase[i].start_ns;
		     at--)
			order[at] = order[at - 1];
		order[at] = i;
		count++;
	}
	return count;
}

void hp_apply_report__free(struct hp_apply_report *report)
{
	hp_progress_free(&report->progress);
	hp_verify_report__free(&report->verify);
	hp_measure_report__free(&report->measure);
}

static json_t *phases_json(const struct hp_apply_report *report)
{
	enum hp_apply_phase order[HP_PHASES];
	size_t count = hp_apply_report__order(report, order);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct hp_phase_time *phase = &report->phase[order[i]];

		hp_json_append(&array, json_pack("{s:s, s:I, s:I}", "phase", phase_names[order[i]],
						 "start_ns", (json_int_t)phase->start_ns, "took_ns",
						 (json_int_t)phase->took_ns));
	}
	return array;
}

static json_t *count_or_null(uint64_t count)
{
	return count == HP_COUNT_UNKNOWN ? json_null() : json_integer((json_int_t)count);
}

static json_t *restoration_json(const struct hp_restoration *r)
{
	if (!r->checked)
		return json_null();
	return json_pack("{s:b, s:b, s:o, s:b, s:o, s:o}", "restored", r->restored, "unloaded",
			 r->unloaded, "old_calls", count_or_null(r->old_calls), "old_calls_at_most",
			 r->at_most, "new_calls", count_or_null(r->new_calls), "reason",
			 hp_json_text_or_null(r->reason));
}

json_t *hp_apply_report__json(const struct hp_apply_report *report)
{
	const struct hp_progress *progress = &report->progress;
	json_t *reach = json_null(), *replaced = json_null();
	json_t *body;

	if (report->replaced[0])
		replaced = json_pack("{s:o, s:I}", "hotfix", hp_json_text(report->replaced),
				     "gap_ns", (json_int_t)report->gap_ns);
	if (progress->total)
		reach = json_pack("{s:I, s:I}", "switched", (json_int_t)progress->switched, "total",
				  (json_int_t)progress->total);
	body = json_pack(
		"{s:o, s:o, s:s, s:i, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
		"hotfix", hp_json_text_or_null(report->livepatch), "file",
		hp_json_text(report->file), "outcome", outcome_names[report->outcome], "status",
		(int)report->status, "error", hp_json_error(&report->error), "phases",
		phases_json(report), "total_ns", (json_int_t)report->total_ns, "used_ns",
		(json_int_t)report->used_ns, "budget_ns", (json_int_t)report->budget_ns, "reach",
		reach, "blockers", hp_json_blockers(progress), "replaced", replaced, "restoration",
		restoration_json(&report->restoration), "verification",
		report->verified ? hp_verify_report__body(&report->verify) : json_null(),
		"measurement",
		report->measured ? hp_measure_report__body(&report->measure) : json_null());
	return hp_json_envelope(report->verb, 1, body);
}
