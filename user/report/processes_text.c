// SPDX-License-Identifier: GPL-2.0
/* The result of the proc engine's verbs for people: a line for each process. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "report/format.h"
#include "report/processes.h"
#include "report/table.h"

static int add_line(struct libscols_table *table, const char *const *cells, size_t count,
		    size_t colored, const char *color)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	int ret = line ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !ret; i++)
		ret = scols_line_set_data(line, i, cells[i]);
	if (!ret && color)
		ret = scols_cell_set_color(scols_line_get_cell(line, colored), color);
	return ret ? -ENOMEM : 0;
}

static const char *outcome_color(enum hp_outcome outcome)
{
	switch (outcome) {
	case HP_OUTCOME_FAILED:
	case HP_OUTCOME_LINGERING:
		return "red";
	case HP_OUTCOME_GONE:
	case HP_OUTCOME_NOT_APPLIED:
		return "yellow";
	default:
		return "green";
	}
}

static int add_outcome(struct libscols_table *table, const struct hp_outcome_record *r)
{
	char pid[16], why[700] = "";
	struct hp_text pause = { "-" };

	snprintf(pid, sizeof(pid), "%d", r->process.pid);
	if (r->attempts)
		pause = hp_format__ns((double)r->pause_ns);
	if (r->error.reason != HP_E_NONE)
		snprintf(why, sizeof(why), "%s: %s", hp_reason_code(r->error.reason),
			 r->error.message);
	else if (r->process.deleted)
		snprintf(why, sizeof(why), "its file was deleted: the package was upgraded");
	return add_line(table,
			(const char *const[]){ pid, r->process.comm, hp_outcome_name(r->outcome),
					       pause.s, why },
			5, 2, outcome_color(r->outcome));
}

static int add_targets(struct libscols_table *table, const struct hp_processes_report *report,
		       const struct hp_process_row *row)
{
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(report->hotfix);
	const struct hp_process *p = &row->record.process;
	bool verify = report->action == HP_ACTION_VERIFY;
	bool gone = row->record.outcome == HP_OUTCOME_GONE;
	char pid[16];
	int ret = 0;

	snprintf(pid, sizeof(pid), "%d", p->pid);
	if (!row->targets)
		return add_line(table,
				(const char *const[]){ pid, p->comm, "-", "-", "-", "unknown",
						       row->record.error.message },
				7, 5, "yellow");
	for (size_t i = 0; i < meta->forward_count && !ret; i++) {
		const struct hp_process_target *t = &row->targets[i];
		const char *verdict = t->read_back.redirect == HP_REDIRECT_IN_PLACE ? "applied"
				      : t->read_back.redirect == HP_REDIRECT_ABSENT ? "absent"
				      : t->read_back.redirect == HP_REDIRECT_SUPERSEDED
					      ? "superseded"
					      : "broken";

		ret = add_line(
			table,
			(const char *const[]){ pid, p->comm, meta->forward[i].target,
					       verify ? hp_format__count(t->redirected).s : "-",
					       verify ? hp_format__count(t->stale).s : "-",
					       verify ? hp_verdict__name(t->verdict) : verdict,
					       !verify ? t->read_back.reason
					       : gone  ? row->record.error.message
						       : t->reason },
			7, 5, verify ? hp_format__verdict_color(t->verdict) : NULL);
	}
	return ret;
}

static void print_callers(const struct hp_process_callers *callers, const char *what,
			  const char *target, pid_t pid, FILE *out)
{
	if (callers->count)
		fprintf(out, "%s of process %d was called%s from\n", target, pid, what);
	for (size_t i = 0; i < callers->count; i++) {
		const struct hp_process_caller *c = &callers->list[i];
		const struct hp_proc_where *w = &c->where;

		fprintf(out, "  %s+0x%" PRIx64, *w->object ? w->object : "memory of no file",
			w->address);
		if (*w->symbol)
			fprintf(out, " %s+0x%" PRIx64, w->symbol, w->offset);
		fprintf(out, ": %" PRIu64 " call%s\n", c->calls, c->calls == 1 ? "" : "s");
	}
}

static void print_sites(const struct hp_call_sites *sites, const char *target, pid_t pid, FILE *out)
{
	if (!sites->known && !sites->count && !sites->reason[0])
		return;
	fprintf(out, "%s of process %d:\n", target, pid);
	hp_call_sites__print(sites, out, "  ");
	for (size_t i = 0; i < sites->count; i++)
		hp_verify_site__print(&sites->list[i], out, "    ");
	if (sites->unlisted)
		fprintf(out, "    and %u more, never called\n", sites->unlisted);
}

static void print_details(const struct hp_processes_report *report, FILE *out)
{
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(report->hotfix);

	for (size_t r = 0; r < report->count; r++) {
		const struct hp_process_row *row = &report->rows[r];
		pid_t pid = row->record.process.pid;

		/* gdb knows what the dynamic linker knows, and no more. */
		if (report->action == HP_ACTION_STATUS && row->hotfix_file.inode)
			fprintf(out, "For gdb -p %d: add-symbol-file %s -o 0x%" PRIx64 "\n", pid,
				row->hotfix_file.path, row->hotfix_bias);
		for (size_t t = 0; row->targets && t < meta->forward_count; t++) {
			const struct hp_process_target *target = &row->targets[t];

			print_callers(&target->callers, "", meta->forward[t].target, pid, out);
			print_sites(&target->call_sites, meta->forward[t].target, pid, out);
			print_callers(&target->stale_callers, ", past the replacement,",
				      meta->forward[t].target, pid, out);
		}
	}
}

int hp_processes_report__print(const struct hp_processes_report *report, FILE *out, bool color)
{
	static const struct hp_column outcome_columns[] = { { "PID", 0 },     { "COMMAND", 0 },
							    { "OUTCOME", 0 }, { "PAUSE", 0 },
							    { "WHY", 0 },     { 0 } };
	static const struct hp_column target_columns[] = { { "PID", 0 },    { "COMMAND", 0 },
							   { "TARGET", 0 }, { "REDIRECTED", 0 },
							   { "STALE", 0 },  { "STATE", 0 },
							   { "WHY", 0 },    { 0 } };
	bool acted = report->action == HP_ACTION_APPLY || report->action == HP_ACTION_REVERT;
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(report->hotfix);
	__cleanup(hp_cleanup_scols_unref_table) struct libscols_table *table =
		hp_table__new(out, color, acted ? outcome_columns : target_columns);
	int ret = table ? 0 : -ENOMEM;

	fprintf(out, "%s (sequence %" PRIu64 ") for %s\n", meta->id, meta->sequence,
		meta->target_path);
	for (size_t i = 0; i < meta->remark_count && report->action != HP_ACTION_REVERT; i++)
		if (hp_remark__is_warning(&meta->remarks[i]))
			fprintf(out, "Warning: %s%s%s\n", meta->remarks[i].target,
				*meta->remarks[i].target ? ": " : "", meta->remarks[i].text);
	for (size_t i = 0; i < report->count && !ret; i++)
		ret = acted ? add_outcome(table, &report->rows[i].record)
			    : add_targets(table, report, &report->rows[i]);
	if (!ret && report->count)
		ret = scols_print_table(table) ? -EIO : 0;
	if (!report->count)
		fprintf(out, "No process%s runs code of that file.\n",
			report->unreadable ? " that could be looked at" : "");
	if (report->verbose)
		print_details(report, out);
	if (report->unreadable)
		fprintf(out, "%zu mapping%s could not be looked at.\n", report->unreadable,
			report->unreadable == 1 ? "" : "s");
	if (report->exercise.command && report->exercise.status > 0)
		fprintf(out, "The workload failed with status %d.\n", report->exercise.status);
	if (report->interrupted)
		fprintf(out, "Interrupted: this is what was seen until then.\n");
	if (report->action == HP_ACTION_VERIFY)
		fprintf(out, "Verdict: %s%s%s, observed for %s.\n",
			hp_format__color(hp_format__verdict_color(report->verdict), color),
			hp_verdict__name(report->verdict), hp_format__reset(color),
			hp_format__ns((double)report->window_ns).s);
	else
		fprintf(out, "%zu process%s in %s.\n", report->count,
			report->count == 1 ? "" : "es", hp_format__ns((double)report->total_ns).s);
	return ret;
}

int hp_processes_report__print_all(const struct hp_processes_report *const *reports, size_t count,
				   FILE *out, bool color)
{
	struct hp_process_total total = hp_processes_report__total(reports, count);
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++) {
		ret = hp_processes_report__print(reports[i], out, color);
		fputc('\n', out);
	}
	fprintf(out, "Verdict of %zu hotfixes: %s%s%s.\n", count,
		hp_format__color(hp_format__verdict_color(total.verdict), color),
		hp_verdict__name(total.verdict), hp_format__reset(color));
	return ret;
}
