// SPDX-License-Identifier: GPL-2.0
/* Guards for people. */
#include "report/guard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/task_name.h"
#include "engines/guard/rule.h"
#include "report/format.h"
#include "report/status.h"
#include "report/table.h"

#define TEXT_MAX 640

static void __attribute__((format(printf, 3, 4))) add(char *out, size_t size, const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list ap;

	if (len)
		len += (size_t)snprintf(out + len, size - len, ", ");
	if (len >= size)
		return;
	va_start(ap, fmt);
	vsnprintf(out + len, size - len, fmt, ap);
	va_end(ap);
}

void hp_guard_scope_text(const struct hp_guard_view *view, char *out, size_t size)
{
	const struct hp_guard_rule *rule = &view->rule;

	out[0] = '\0';
	for (uint32_t i = 0; i < rule->uid_count && i < HP_GUARD_UIDS; i++)
		add(out, size, "uid %u", rule->uids[i]);
	if (rule->flags & HP_GUARD_BY_CGROUP)
		add(out, size, "cgroup %s%s", rule->cgroup_path,
		    view->cgroup_gone ? " (gone)" : "");
	if (rule->flags & HP_GUARD_BY_EXE)
		add(out, size, "program %s%s", rule->exe_path, view->exe_gone ? " (gone)" : "");
	if (rule->percent < HP_GUARD_PERCENT)
		add(out, size, "%g %% of processes", rule->percent * 100.0 / HP_GUARD_PERCENT);
	for (uint32_t i = 0; i < rule->cond_count && i < HP_GUARD_CONDS; i++)
		add(out, size, "%s", rule->conds[i].text);
	if (!out[0])
		add(out, size, "everybody");
}

/* "-EPERM", "-4000", or "by its code". */
static void value_text(const struct hp_guard_rule *rule, char *out, size_t size)
{
	const char *name = hp_errno_name(-rule->value);

	if (!rule->value)
		snprintf(out, size, "by its code");
	else if (name[0])
		snprintf(out, size, "-%s", name);
	else
		snprintf(out, size, "%d", rule->value);
}

/* One that was taken apart does not what its patch map says. */
static bool is_broken(const struct hp_guard_view *view)
{
	return view->read_back.redirect == HP_REDIRECT_BROKEN;
}

static const char *status_color(const struct hp_guard_view *view)
{
	if (is_broken(view))
		return "red";
	switch (view->status) {
	case HP_GUARD_IS_ENFORCING:
		return "green";
	case HP_GUARD_IS_UNFINISHED:
	case HP_GUARD_IS_FOREIGN:
		return "red";
	default:
		return "yellow";
	}
}

static int add_row(struct libscols_table *table, const struct hp_guard_view *view)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char value[32] = "-", scope[TEXT_MAX] = "-", calls[32] = "-", returned[32] = "-",
	     observed[32] = "-";

	if (!line)
		return -ENOMEM;
	if (view->function[0]) {
		value_text(&view->rule, value, sizeof(value));
		hp_guard_scope_text(view, scope, sizeof(scope));
	}
	if (view->counted) {
		snprintf(calls, sizeof(calls), "%" PRIu64, (uint64_t)view->counts.sum.calls);
		snprintf(returned, sizeof(returned), "%" PRIu64,
			 (uint64_t)view->counts.sum.returned);
		snprintf(observed, sizeof(observed), "%" PRIu64,
			 (uint64_t)view->counts.sum.observed);
	}
	if (scols_line_set_data(line, 0, view->name) ||
	    scols_line_set_data(line, 1, view->function[0] ? view->function : "-") ||
	    scols_line_set_data(line, 2,
				is_broken(view) ? hp_redirect_name(HP_REDIRECT_BROKEN)
						: hp_guard_status_name(view->status)) ||
	    scols_line_set_data(line, 3, value) || scols_line_set_data(line, 4, calls) ||
	    scols_line_set_data(line, 5, returned) || scols_line_set_data(line, 6, observed) ||
	    scols_line_set_data(line, 7, scope))
		return -ENOMEM;
	scols_cell_set_color(scols_line_get_cell(line, 2), status_color(view));
	return 0;
}

int hp_guard_report__table(const struct hp_guard_row *rows, size_t count, FILE *out, bool color)
{
	static const struct hp_column columns[] = { { "GUARD", 0 },
						    { "FUNCTION", 0 },
						    { "STATE", 0 },
						    { "RETURNS", 0 },
						    { "CALLS", SCOLS_FL_RIGHT },
						    { "REFUSED", SCOLS_FL_RIGHT },
						    { "OBSERVED", SCOLS_FL_RIGHT },
						    { "SCOPE", 0 },
						    { 0 } };
	__cleanup(hp_cleanup_scols_unref_table) struct libscols_table *table =
		hp_table__new(out, color, columns);
	int ret = table ? 0 : -ENOMEM;

	for (size_t i = 0; !ret && i < count; i++)
		ret = add_row(table, &rows[i].view);
	return ret ?: scols_print_table(table);
}

static void print_callers(const struct hp_guard_view *view, FILE *out)
{
	for (size_t i = 0; i < view->top_count; i++) {
		const struct hp_guard_caller_line *line = &view->top[i];

		fprintf(out,
			"    %8" PRIu64 " refused %8" PRIu64 " observed  %s, uid %u, "
			"cgroup %" PRIu64 "\n",
			(uint64_t)line->calls.returned, (uint64_t)line->calls.observed,
			hp_task_name(line->caller.comm).s, line->caller.uid,
			(uint64_t)line->caller.cgroup_id);
	}
	if (view->others)
		fprintf(out, "    %8" PRIu64 " calls of others\n", view->others);
}

static void print_sites(const struct hp_guard_view *view, FILE *out)
{
	for (size_t i = 0; i < view->site_count; i++) {
		const struct hp_guard_site *site = &view->sites[i];
		const struct hp_guard_site_calls *calls = &site->line.calls;

		fprintf(out, "    %8" PRIu64 " refused %8" PRIu64 " observed",
			(uint64_t)calls->returned, (uint64_t)calls->observed);
		if (calls->passed || (view->rule.flags & HP_GUARD_ALL_SITES))
			fprintf(out, " %8" PRIu64 " passed", (uint64_t)calls->passed);
		fprintf(out, "  called from 0x%" PRIx64, site->line.address);
		if (site->symbol[0])
			fprintf(out, " %s+0x%" PRIx64, site->symbol, site->offset);
		fputc('\n', out);
	}
	if (view->elsewhere)
		fprintf(out, "    %8" PRIu64 " called from elsewhere\n", view->elsewhere);
}

static void print_expiry(double in_ns, FILE *out)
{
	if (in_ns > 0)
		fprintf(out, "  expires in %.0f s\n", in_ns / 1e9);
	else
		fprintf(out, "  expired %.0f s ago\n", -in_ns / 1e9);
}

static void print_row(const struct hp_guard_row *row, FILE *out, int verbosity)
{
	const struct hp_guard_view *view = &row->view;
	const struct hp_guard_counters *c = &view->counts.sum;

	if (row->proved)
		fprintf(out, "%s  %s: %s\n", hp_verdict__name(row->verdict.verdict), view->name,
			row->verdict.reason);
	if (!verbosity || !view->function[0])
		return;
	fprintf(out, "  %s: %s\n", hp_redirect_name(view->read_back.redirect),
		view->read_back.reason);
	if (view->rule.expires_ns)
		print_expiry((double)view->rule.expires_ns - (double)hp_boot_ns(), out);
	if (!view->counted)
		return;
	fprintf(out,
		"  %s: %" PRIu64 " calls, %" PRIu64 " refused, %" PRIu64 " observed, %" PRIu64
		" passed, %" PRIu64 " missed, %" PRIu64 " unreadable\n",
		view->name, (uint64_t)c->calls, (uint64_t)c->returned, (uint64_t)c->observed,
		(uint64_t)(c->calls - c->returned), view->counts.missed, (uint64_t)c->unread);
	print_callers(view, out);
	print_sites(view, out);
}

static int print_functions(const struct hp_guard_report *report, FILE *out, bool color)
{
	static const struct hp_column columns[] = {
		{ "FUNCTION", 0 }, { "BY", 0 }, { "PROTOTYPE", SCOLS_FL_TRUNC }, { 0 }
	};
	__cleanup(hp_cleanup_scols_unref_table) struct libscols_table *table =
		hp_table__new(out, color, columns);
	int ret;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < report->functions.count; i++) {
		const struct hp_guard_candidate *c = &report->functions.items[i];
		struct libscols_line *line = scols_table_new_line(table, NULL);
		bool fmod_ret = c->fmod_ret && !report->no_fmod_ret[0];
		bool lsm = c->lsm && !report->no_lsm[0];

		if (!line || scols_line_set_data(line, 0, c->function) ||
		    scols_line_set_data(line, 1,
					fmod_ret && lsm ? "fmod_ret, lsm"
					: fmod_ret	? "fmod_ret"
					: lsm		? "lsm"
							: "not here") ||
		    scols_line_set_data(line, 2, c->prototype))
			return -ENOMEM;
	}
	ret = scols_print_table(table);
	if (report->no_fmod_ret[0])
		fprintf(out, "\nNo fmod_ret here: %s\n", report->no_fmod_ret);
	if (report->no_lsm[0])
		fprintf(out, "\nNo LSM programs here: %s\n", report->no_lsm);
	return ret;
}

/* The whole, and each phase that there was. */
static void print_change(const struct hp_guard_report *report, FILE *out)
{
	const struct hp_guard_times *t = &report->times;
	const struct {
		const char *name;
		uint64_t ns;
	} phases[] = {
		{ "lock", t->lock },
		{ "load", t->load },
		{ "attach", t->attach },
		{ "pin", t->pin },
		{ "way back tested in", t->test },
		{ report->removed ? "inactive in" : "active in", t->activate },
		{ "detach", t->detach },
	};
	const char *separator = ":";

	fprintf(out, "\n%s in %s of the budget of %s", report->action,
		hp_format__ns((double)report->total_ns).s,
		hp_format__ns((double)report->budget_ns).s);
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		if (!phases[i].ns)
			continue;
		fprintf(out, "%s %s %s", separator, phases[i].name,
			hp_format__ns((double)phases[i].ns).s);
		separator = ",";
	}
	fputc('\n', out);
}

int hp_guard_report__print(const struct hp_guard_report *report, FILE *out, bool color,
			   int verbosity)
{
	int ret = 0;

	if (report->listed)
		return print_functions(report, out, color);
	if (report->count)
		ret = hp_guard_report__table(report->rows, report->count, out, color);
	else
		fprintf(out, "There is no guard on this host.\n");
	for (size_t i = 0; i < report->count; i++)
		print_row(&report->rows[i], out, verbosity);
	if (report->removed)
		fprintf(out, "%s\n",
			report->detached ? "Removed: its program is detached."
					 : "Removed, but its program is still attached: somebody "
					   "else holds its link.");
	if (report->changed && (verbosity || !report->removed))
		print_change(report, out);
	return ret;
}
