// SPDX-License-Identifier: GPL-2.0
/* What an apply or a revert did, for people. */
#include "report/apply.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/task_name.h"
#include "report/format.h"
#include "report/table.h"

#define MAX_BLOCKERS 10 /* listed without -v */

static const char *const outcome_words[] = {
	[HP_OUTCOME_APPLIED] = "applied",
	[HP_OUTCOME_REVERTED] = "reverted",
	[HP_OUTCOME_ROLLED_BACK] = "rolled back",
	[HP_OUTCOME_REFUSED] = "refused, nothing was changed",
	[HP_OUTCOME_STUCK] = "stuck",
};

static const char *const phase_words[HP_PHASES] = {
	[HP_PHASE_CHECK] = "check",	      [HP_PHASE_ARM] = "arm",
	[HP_PHASE_BASELINE] = "baseline",     [HP_PHASE_LOAD] = "load",
	[HP_PHASE_TRANSITION] = "transition", [HP_PHASE_FIRST_CALL] = "  first redirected call",
	[HP_PHASE_ALL_TASKS] = "  all tasks", [HP_PHASE_UNLOAD] = "unload",
	[HP_PHASE_VERIFIED] = "verified",     [HP_PHASE_ROLLBACK] = "rollback",
};

static int print_phases(const struct hp_apply_report *report, FILE *out)
{
	static const struct hp_column columns[] = {
		{ "PHASE", 0 }, { "BEGAN", SCOLS_FL_RIGHT }, { "TOOK", SCOLS_FL_RIGHT }, { 0 }
	};
	__cleanup(hp_cleanup_scols_unref_table) struct libscols_table *table =
		hp_table__new(out, false, columns);
	enum hp_apply_phase order[HP_PHASES];
	size_t count = hp_apply_report__order(report, order);

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct hp_phase_time *phase = &report->phase[order[i]];
		struct libscols_line *line = scols_table_new_line(table, NULL);

		if (!line || scols_line_set_data(line, 0, phase_words[order[i]]) ||
		    scols_line_set_data(line, 1, hp_format__ns((double)phase->start_ns).s) ||
		    scols_line_set_data(line, 2, hp_format__ns((double)phase->took_ns).s))
			return -ENOMEM;
	}
	return count && scols_print_table(table) ? -EIO : 0;
}

static void print_outcome(const struct hp_apply_report *report, FILE *out, bool color)
{
	bool good = report->outcome == HP_OUTCOME_APPLIED || report->outcome == HP_OUTCOME_REVERTED;
	const char *shade = good ? "green" : report->outcome == HP_OUTCOME_STUCK ? "red" : "yellow";

	fprintf(out, "%s%s%s: %s", hp_format__color(shade, color), outcome_words[report->outcome],
		hp_format__reset(color), report->livepatch[0] ? report->livepatch : "?");
	if (report->file)
		fprintf(out, " (%s)", report->file);
	fprintf(out, ", %s of the budget of %s used, %s in all\n",
		hp_format__ns((double)report->used_ns).s,
		hp_format__ns((double)report->budget_ns).s,
		hp_format__ns((double)report->total_ns).s);
	if (report->error.reason == HP_E_NONE)
		return;
	fprintf(out, "    %s (%s)\n    %s\n", report->error.message,
		hp_reason_code(report->error.reason), hp_reason_hint(report->error.reason));
}

/* Each line of @stack, indented. */
static void print_stack(const char *stack, FILE *out)
{
	while (*stack) {
		int length = (int)strcspn(stack, "\n");

		if (length)
			fprintf(out, "        %.*s\n", length, stack);
		stack += length + (stack[length] == '\n');
	}
}

static void print_blockers(const struct hp_progress *progress, FILE *out, bool all)
{
	size_t shown = progress->blocker_count;

	if (progress->total && progress->switched < progress->total)
		fprintf(out, "%u of %u tasks have switched\n", progress->switched, progress->total);
	if (!shown)
		return;
	if (!all && shown > MAX_BLOCKERS)
		shown = MAX_BLOCKERS;
	fprintf(out, "tasks that blocked the transition:\n");
	for (size_t i = 0; i < shown; i++) {
		const struct hp_blocker *b = &progress->blockers[i];

		fprintf(out, "    %d %s, %s, state %c\n", b->pid, hp_task_name(b->comm).s,
			b->kthread ? "kernel thread" : "task", b->state ? b->state : '?');
		if (b->stack)
			print_stack(b->stack, out);
		else
			fprintf(out, "        kernel stack not readable\n");
	}
	if (shown < progress->blocker_count)
		fprintf(out, "    and %zu more (-v lists all)\n", progress->blocker_count - shown);
}

static void print_restoration(const struct hp_restoration *r, FILE *out, bool color)
{
	if (!r->checked)
		return;
	fprintf(out, "%s%s%s", hp_format__color(r->restored ? "green" : "red", color),
		!r->restored	 ? "NOT PROVED that the old code is back"
		: r->taken_by[0] ? "it is gone"
				 : "the old code is back",
		hp_format__reset(color));
	fprintf(out, ": calls of the old body %s%s, of the replacement %s; the hotfix is %s",
		r->at_most ? "at most " : "", hp_format__count(r->old_calls).s,
		hp_format__count(r->new_calls).s, r->unloaded ? "unloaded" : "still loaded");
	if (r->reason[0])
		fprintf(out, "; %s", r->reason);
	fputc('\n', out);
}

int hp_apply_report__print(const struct hp_apply_report *report, FILE *out, bool color, bool ascii,
			   int verbosity)
{
	int ret = print_phases(report, out);

	if (ret)
		return ret;
	print_blockers(&report->progress, out, verbosity > 0);
	if (report->measured) {
		fputc('\n', out);
		ret = hp_measure_report__print(&report->measure, out, color, ascii);
	}
	if (!ret && report->verified) {
		fputc('\n', out);
		ret = hp_verify_report__print(&report->verify, out, color, verbosity);
	}
	if (ret)
		return ret;
	fputc('\n', out);
	if (report->replaced[0])
		fprintf(out, "took over from %s; the original code ran for %s in between\n",
			report->replaced, hp_format__ns((double)report->gap_ns).s);
	print_restoration(&report->restoration, out, color);
	print_outcome(report, out, color);
	fflush(out);
	return 0;
}
