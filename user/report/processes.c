// SPDX-License-Identifier: GPL-2.0
/* The result of the proc engine's verbs: what it sums up to, and its JSON. */
#include "report/processes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/json.h"

static const char *const action_names[] = {
	[HP_ACTION_APPLY] = "apply",
	[HP_ACTION_REVERT] = "revert",
	[HP_ACTION_STATUS] = "status",
	[HP_ACTION_VERIFY] = "verify",
};

static const char *const state_names[] = {
	[HP_PROC_ABSENT] = "absent",
	[HP_PROC_APPLIED] = "applied",
	[HP_PROC_PARTIAL] = "partial",
	[HP_PROC_ALTERED] = "altered",
};

static void free_target(struct hp_process_target *target)
{
	free(target->callers.list);
	free(target->stale_callers.list);
	hp_call_sites__free(&target->call_sites);
}

void hp_processes_report__free(struct hp_processes_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		struct hp_process_target *targets = report->rows[i].targets;

		for (size_t t = 0; targets && t < hp_hotfix__meta(report->hotfix)->forward_count;
		     t++)
			free_target(&targets[t]);
		free(targets);
	}
	free(report->rows);
	memset(report, 0, sizeof(*report));
}

static int compare_pids(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int hp_processes_report__add(struct hp_processes_report *report, const struct hp_processes *found,
			     struct hp_error *err)
{
	struct hp_process_row *grown =
		realloc(report->rows, (report->count + found->count + 1) * sizeof(*grown));
	size_t known = report->count;
	_cleanup_free_ pid_t *pids = malloc((known + 1) * sizeof(*pids));

	if (grown)
		report->rows = grown;
	if (!grown || !pids)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < known; i++)
		pids[i] = grown[i].record.process.pid;
	qsort(pids, known, sizeof(*pids), compare_pids);
	for (size_t i = 0; i < found->count; i++) {
		const struct hp_process *p = &found->items[i];

		if (!bsearch(&p->pid, pids, known, sizeof(*pids), compare_pids))
			grown[report->count++] = (struct hp_process_row){ .record.process = *p };
	}
	report->unreadable = found->unreadable;
	return 0;
}

/* Of a process that ended meanwhile nothing can be proved any more, but what ran the old body did. */
static bool counts(const struct hp_process_row *row, const struct hp_process_target *t)
{
	return row->record.outcome != HP_OUTCOME_GONE || t->verdict == HP_VERDICT_STALE;
}

bool hp_processes_report__any(const struct hp_processes_report *report)
{
	size_t targets = hp_hotfix__meta(report->hotfix)->forward_count;

	for (size_t i = 0; i < report->count; i++) {
		const struct hp_process_row *row = &report->rows[i];

		if (!row->targets && row->record.outcome != HP_OUTCOME_GONE)
			return true;
		for (size_t t = 0; row->targets && t < targets; t++)
			if (counts(row, &row->targets[t]))
				return true;
	}
	return false;
}

static void finish_verify(struct hp_processes_report *report)
{
	size_t targets = hp_hotfix__meta(report->hotfix)->forward_count;

	report->verdict = HP_VERDICT_LIVE;
	for (size_t i = 0; i < report->count; i++) {
		const struct hp_process_row *row = &report->rows[i];

		if (!row->targets && row->record.outcome != HP_OUTCOME_GONE)
			report->verdict = hp_verdict__worst(report->verdict, HP_VERDICT_UNKNOWN);
		for (size_t t = 0; row->targets && t < targets; t++)
			if (counts(row, &row->targets[t]))
				report->verdict =
					hp_verdict__worst(report->verdict, row->targets[t].verdict);
	}
	if (!hp_processes_report__any(report))
		report->verdict = HP_VERDICT_ABSENT;
	/* Who runs there, and whether patched, nobody could see. */
	if (report->unreadable)
		report->verdict = hp_verdict__worst(report->verdict, HP_VERDICT_UNKNOWN);
	report->status = report->verdict == HP_VERDICT_LIVE ? HP_EXIT_OK : HP_EXIT_VERIFY;
	/* A workload that failed did not exercise what it was to exercise. */
	if (report->exercise.command && report->exercise.status > 0)
		report->status = HP_EXIT_VERIFY;
	/* What was seen until then is worth reading, but it is not what was asked for. */
	if (report->interrupted)
		report->status = hp_reason_exit(HP_E_INTERRUPTED);
}

struct hp_process_total hp_processes_report__total(const struct hp_processes_report *const *reports,
						   size_t count)
{
	struct hp_process_total total = { HP_VERDICT_LIVE, HP_EXIT_OK };

	for (size_t i = 0; i < count; i++) {
		total.verdict = hp_verdict__worst(total.verdict, reports[i]->verdict);
		/* What was interrupted is another status than what was not proved. */
		if (reports[i]->status > total.status)
			total.status = reports[i]->status;
	}
	return total;
}

int hp_processes_report__flatten(const struct hp_processes_report *report,
				 struct hp_verify_report *out)
{
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(report->hotfix);
	size_t room = out->target_count + report->count * meta->forward_count + 1;
	struct hp_verify_target *grown = realloc(out->targets, room * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	memset(grown + out->target_count, 0, (room - out->target_count) * sizeof(*grown));
	out->targets = grown;
	out->window_ns = report->window_ns;
	out->exercise = report->exercise;
	for (size_t i = 0; i < report->count; i++) {
		const struct hp_process_row *row = &report->rows[i];

		for (size_t t = 0; t < meta->forward_count; t++) {
			const struct hp_process_target *from =
				row->targets ? &row->targets[t] : NULL;
			struct hp_verify_target *to = &out->targets[out->target_count];

			if (from ? !counts(row, from) : row->record.outcome == HP_OUTCOME_GONE)
				continue;
			out->target_count++;
			snprintf(to->target.hotfix, sizeof(to->target.hotfix), "%.46s", meta->id);
			snprintf(to->target.object, sizeof(to->target.object), "%.15s[%d]",
				 row->record.process.comm, row->record.process.pid);
			snprintf(to->target.symbol, sizeof(to->target.symbol), "%.120s",
				 meta->forward[t].target);
			to->misses = HP_COUNT_UNKNOWN;
			to->calls = to->redirected = to->stale = HP_COUNT_UNKNOWN;
			to->verdict = HP_VERDICT_UNKNOWN;
			snprintf(to->reason, sizeof(to->reason), "%.200s",
				 row->record.error.message);
			if (!from)
				continue;
			to->redirected = from->redirected;
			to->stale = from->stale;
			if (from->redirected != HP_COUNT_UNKNOWN && from->stale != HP_COUNT_UNKNOWN)
				to->calls = from->redirected + from->stale;
			to->call_sites = from->call_sites;
			to->verdict = from->verdict;
			snprintf(to->reason, sizeof(to->reason), "%s", from->reason);
		}
	}
	return 0;
}

void hp_processes_report__finish(struct hp_processes_report *report)
{
	report->status = HP_EXIT_OK;
	report->verdict = HP_VERDICT_UNKNOWN;
	if (report->action == HP_ACTION_VERIFY) {
		finish_verify(report);
		return;
	}
	for (size_t i = 0; i < report->count && report->status == HP_EXIT_OK; i++) {
		const struct hp_outcome_record *r = &report->rows[i].record;

		if (report->action != HP_ACTION_STATUS &&
		    (r->outcome == HP_OUTCOME_FAILED || r->outcome == HP_OUTCOME_LINGERING))
			report->status = hp_reason_exit(r->error.reason);
	}
	/* Not all that was asked for, if one of those is in scope. */
	if (report->action != HP_ACTION_STATUS && report->status == HP_EXIT_OK &&
	    report->unreadable)
		report->status = hp_reason_exit(HP_E_PROC_SEARCH);
}

static json_t *count(uint64_t value)
{
	return value == HP_COUNT_UNKNOWN ? json_null() : json_integer((json_int_t)value);
}

/* All calls, when both kinds were counted. */
static json_t *calls(const struct hp_process_target *t)
{
	if (t->redirected == HP_COUNT_UNKNOWN || t->stale == HP_COUNT_UNKNOWN)
		return json_null();
	return count(t->redirected + t->stale);
}

static json_t *callers_json(const struct hp_process_callers *callers)
{
	json_t *array = json_array();

	for (size_t i = 0; i < callers->count; i++) {
		const struct hp_process_caller *c = &callers->list[i];

		hp_json_append(&array, json_pack("{s:o,s:o,s:o,s:o,s:I}", "object",
						 hp_json_text_or_null(c->where.object), "address",
						 hp_json_address(c->where.address), "symbol",
						 hp_json_text_or_null(c->where.symbol), "offset",
						 *c->where.symbol
							 ? json_integer((json_int_t)c->where.offset)
							 : json_null(),
						 "calls", (json_int_t)c->calls));
	}
	return array;
}

static json_t *targets_json(const struct hp_processes_report *report,
			    const struct hp_process_row *row)
{
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(report->hotfix);
	json_t *array = json_array();

	for (size_t i = 0; row->targets && i < meta->forward_count; i++) {
		const struct hp_process_target *t = &row->targets[i];
		json_t *item = json_pack("{s:s,s:s,s:s}", "target", meta->forward[i].target,
					 "redirect", hp_redirect_name(t->read_back.redirect),
					 "read_back", t->read_back.reason);

		if (item && report->action == HP_ACTION_VERIFY &&
		    json_object_update_new(
			    item, json_pack("{s:o,s:o,s:o,s:b,s:s,s:s,s:o,s:o,s:o}", "calls",
					    calls(t), "redirected", count(t->redirected), "stale",
					    count(t->stale), "stale_at_most", t->stale_at_most,
					    "verdict", hp_verdict__name(t->verdict), "reason",
					    t->reason, "callers", callers_json(&t->callers),
					    "stale_callers", callers_json(&t->stale_callers),
					    "call_sites", hp_call_sites__json(&t->call_sites)))) {
			json_decref(item);
			item = NULL;
		}
		hp_json_append(&array, item);
	}
	return array;
}

static json_t *row_json(const struct hp_processes_report *report, const struct hp_process_row *row)
{
	const struct hp_outcome_record *r = &row->record;
	const struct hp_process *p = &r->process;
	bool acted = report->action == HP_ACTION_APPLY || report->action == HP_ACTION_REVERT;
	json_t *error = json_null();

	if (r->error.reason != HP_E_NONE)
		error = json_pack("{s:s,s:o}", "code", hp_reason_code(r->error.reason), "message",
				  hp_json_text(r->error.message));
	return json_pack("{s:i,s:o,s:o,s:o,s:o,s:b,s:o}", "pid", (int)p->pid, "comm",
			 hp_json_text(p->comm), acted ? "outcome" : "state",
			 acted ? json_string(hp_outcome_name(r->outcome))
			       : json_string(row->targets ? state_names[row->state] : "unknown"),
			 "error", error, "pause_ns",
			 acted && r->attempts ? json_integer((json_int_t)r->pause_ns) : json_null(),
			 "deleted", p->deleted, "targets", targets_json(report, row));
}

json_t *hp_processes_report__json(const struct hp_processes_report *report)
{
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(report->hotfix);
	char own[HP_BUILD_ID_TEXT_MAX], target[HP_BUILD_ID_TEXT_MAX];
	json_t *rows = json_array(), *warnings = json_array(), *exercise = json_null(), *body;

	for (size_t i = 0; i < report->count; i++)
		hp_json_append(&rows, row_json(report, &report->rows[i]));
	if (report->exercise.command)
		exercise = json_pack("{s:o,s:i}", "command", hp_json_text(report->exercise.command),
				     "status", report->exercise.status);
	hp_build_id__format(hp_elf__build_id(hp_hotfix__elf(report->hotfix)), own);
	hp_build_id__format(&meta->target_id, target);
	for (size_t i = 0; i < meta->remark_count; i++)
		if (hp_remark__is_warning(&meta->remarks[i]))
			hp_json_append(&warnings,
				       json_pack("{s:o,s:o}", "target",
						 hp_json_text_or_null(meta->remarks[i].target),
						 "text", hp_json_text(meta->remarks[i].text)));
	body = json_pack("{s:s,s:{s:s,s:I,s:s},s:{s:o,s:s},s:o,s:o,s:I,s:I,s:o,s:o,s:o,s:i}",
			 "action", action_names[report->action], "hotfix", "id", meta->id,
			 "sequence", (json_int_t)meta->sequence, "build_id", own, "target", "path",
			 hp_json_text(meta->target_path), "build_id", target, "warnings", warnings,
			 "processes", rows, "unreadable", (json_int_t)report->unreadable,
			 "total_ns", (json_int_t)report->total_ns, "window_ns", json_null(),
			 "exercise", exercise, "verdict",
			 report->action == HP_ACTION_VERIFY
				 ? json_string(hp_verdict__name(report->verdict))
				 : json_null(),
			 "status", (int)report->status);
	if (body && report->window_ns)
		json_object_set_new(body, "window_ns", json_integer((json_int_t)report->window_ns));
	return hp_json_envelope("processes", 1, body);
}

json_t *hp_processes_report__json_all(const struct hp_processes_report *const *reports,
				      size_t count)
{
	struct hp_process_total total = hp_processes_report__total(reports, count);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		hp_json_append(&array, hp_processes_report__json(reports[i]));
	return hp_json_envelope("hotfixes", 1,
				json_pack("{s:s,s:i,s:I,s:o}", "verdict",
					  hp_verdict__name(total.verdict), "status",
					  (int)total.status, "window_ns",
					  (json_int_t)reports[0]->window_ns, "hotfixes", array));
}
