// SPDX-License-Identifier: GPL-2.0
/* The result of a verification for people: a table, then what needs attention. */
#include "report/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/format.h"
#include "report/table.h"

#define MAX_LISTED_SITES 10 /* without -v */

enum column {
	COL_LIVEPATCH,
	COL_OBJECT,
	COL_TARGET,
	COL_CALLS,
	COL_REDIRECTED,
	COL_STALE,
	COL_REACH,
	COL_SITES,
	COL_VERDICT,
};

static const struct hp_column columns[] = {
	[COL_LIVEPATCH] = { "LIVEPATCH", 0 },
	[COL_OBJECT] = { "OBJECT", 0 },
	[COL_TARGET] = { "TARGET", SCOLS_FL_TRUNC },
	[COL_CALLS] = { "CALLS", SCOLS_FL_RIGHT },
	[COL_REDIRECTED] = { "REDIRECTED", SCOLS_FL_RIGHT },
	[COL_STALE] = { "STALE", SCOLS_FL_RIGHT },
	[COL_REACH] = { "REACH", SCOLS_FL_RIGHT },
	[COL_SITES] = { "SITES", SCOLS_FL_RIGHT },
	[COL_VERDICT] = { "VERDICT", 0 },
	[COL_VERDICT + 1] = { 0 },
};

static const char *const kind_names[] = {
	[HP_SITE_UNKNOWN] = "by pointer or unknown",
	[HP_SITE_CALL] = "call",
	[HP_SITE_TAIL] = "jump",
	[HP_SITE_COND] = "conditional jump",
};

static int add_row(struct libscols_table *table, const struct hp_verify_target *t)
{
	struct hp_site_totals sites = hp_call_sites__totals(&t->call_sites);
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char target[HP_SYMBOL_MAX + 32], reach[32] = "-", coverage[32] = "-";
	const char *verdict = hp_verdict__name(t->verdict);
	const char *color = hp_format__verdict_color(t->verdict);
	int ret = 0;

	if (!line)
		return -ENOMEM;
	if (t->target.sympos)
		snprintf(target, sizeof(target), "%s,%" PRIu64, t->target.symbol, t->target.sympos);
	else
		snprintf(target, sizeof(target), "%s", t->target.symbol);
	if (t->total)
		snprintf(reach, sizeof(reach), "%u/%u", t->switched, t->total);
	if (t->call_sites.known)
		snprintf(coverage, sizeof(coverage), "%u/%u", sites.redirected, sites.countable);

	ret |= scols_line_set_data(line, COL_LIVEPATCH, t->target.hotfix);
	ret |= scols_line_set_data(line, COL_OBJECT, t->target.object);
	ret |= scols_line_set_data(line, COL_TARGET, target);
	ret |= scols_line_set_data(line, COL_CALLS, hp_format__count(t->calls).s);
	ret |= scols_line_set_data(line, COL_REDIRECTED, hp_format__count(t->redirected).s);
	ret |= scols_line_set_data(line, COL_STALE, hp_format__count(t->stale).s);
	ret |= scols_line_set_data(line, COL_REACH, reach);
	ret |= scols_line_set_data(line, COL_SITES, coverage);
	ret |= scols_line_set_data(line, COL_VERDICT, verdict);
	ret |= scols_cell_set_color(scols_line_get_cell(line, COL_VERDICT), color);
	return ret ? -ENOMEM : 0;
}

static int print_table(const struct hp_verify_report *report, FILE *out, bool color)
{
	__cleanup(hp_cleanup_scols_unref_table) struct libscols_table *table =
		hp_table__new(out, color, columns);

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < report->target_count; i++)
		if (add_row(table, &report->targets[i]))
			return -ENOMEM;
	return scols_print_table(table) ? -EIO : 0;
}

static void print_points(const struct hp_verify_target *t, FILE *out)
{
	static const char *const what[HP_POINT_ROLES] = {
		[HP_POINT_OLD_ENTRY] = "all calls",
		[HP_POINT_NEW_ENTRY] = "redirected calls",
		[HP_POINT_OLD_BODY] = "stale calls",
	};

	for (int role = 0; role < HP_POINT_ROLES; role++) {
		const struct hp_verify_point *point = &t->point[role];

		if (!point->method) {
			if (point->reason[0])
				fprintf(out, "    %s not seen: %s\n", what[role], point->reason);
			continue;
		}
		fprintf(out, "    %s seen by %s at %s", what[role], point->method, point->symbol);
		if (point->offset)
			fprintf(out, "+%#" PRIx64, point->offset);
		if (point->at_most)
			fputs(", an upper bound: a loop may pass there", out);
		if (point->misses == HP_COUNT_UNKNOWN)
			fputs(", misses unknown", out);
		else if (point->misses)
			fprintf(out, ", %" PRIu64 " missed", point->misses);
		if (point->reason[0])
			fprintf(out, " (%s)", point->reason);
		fputc('\n', out);
	}
}

void hp_verify_site__print(const struct hp_verify_site *site, FILE *out, const char *indent)
{
	fputs(indent, out);
	if (site->object)
		fprintf(out, "%s+0x%" PRIx64 " ", site->object, site->address);
	else
		fprintf(out, "0x%016" PRIx64 " ", site->address);
	if (site->symbol)
		fprintf(out, "%s+%#" PRIx64 "  ", site->symbol, site->offset);
	fputs(kind_names[site->kind], out);
	if (!site->found_static)
		fprintf(out, ", seen at run time only");
	if (!site->countable)
		fprintf(out, ", its calls cannot be told apart\n");
	else if (!site->redirected && !site->stale)
		fprintf(out, ", never called\n");
	else
		fprintf(out, ", %" PRIu64 " redirected, %" PRIu64 " stale\n", site->redirected,
			site->stale);
}

void hp_call_sites__print(const struct hp_call_sites *sites, FILE *out, const char *indent)
{
	struct hp_site_totals totals = hp_call_sites__totals(sites);

	if (!sites->known)
		fprintf(out, "%scall sites not known: %s\n", indent,
			sites->reason[0] ? sites->reason : "they were not looked for");
	else
		fprintf(out,
			"%scall sites: %u known, %u whose calls can be told apart, %u "
			"exercised, %u redirected%s\n",
			indent, totals.known, totals.countable, totals.exercised, totals.redirected,
			sites->by_pointer	 ? "; may be called through pointers"
			: sites->pointers_unseen ? "; not known whether through pointers too"
						 : "");
	if (totals.dynamic)
		fprintf(out, "%scall sites seen at run time only: %u\n", indent, totals.dynamic);
}

/* Sites that stand between a target and its verdict "live"; all of them when @all. */
static void print_sites(const struct hp_verify_report *report, const struct hp_verify_target *t,
			FILE *out, bool all)
{
	size_t shown = 0, left = 0;

	hp_call_sites__print(&t->call_sites, out, "    ");
	for (size_t i = 0; i < t->call_sites.count; i++) {
		const struct hp_verify_site *site = &t->call_sites.list[i];
		bool idle = site->countable && !site->redirected && !site->stale;

		if (!all && !site->stale && !(report->min_coverage > 0 && idle))
			continue;
		if (!all && shown == MAX_LISTED_SITES) {
			left++;
			continue;
		}
		hp_verify_site__print(site, out, "      ");
		shown++;
	}
	if (left)
		fprintf(out, "      and %zu more (-v lists all)\n", left);
}

static void print_target(const struct hp_verify_report *report, const struct hp_verify_target *t,
			 FILE *out, bool color, bool all)
{
	fprintf(out, "\n%s%s%s  %s", hp_format__color(hp_format__verdict_color(t->verdict), color),
		hp_verdict__name(t->verdict), hp_format__reset(color), t->target.hotfix);
	if (t->target.symbol[0])
		fprintf(out, ": %s/%s", t->target.object, t->target.symbol);
	if (t->target.replacement[0])
		fprintf(out, " -> %s", t->target.replacement);
	fprintf(out, "\n    %s\n", t->reason);
	if (!t->target.symbol[0])
		return; /* a livepatch that is not loaded: there is nothing to observe */
	if (t->target.superseded_by[0])
		fprintf(out, "    superseded by %s\n", t->target.superseded_by);
	if (t->read_back.reason[0])
		fprintf(out, "    redirect: %s\n", t->read_back.reason);
	if (t->target.old_program && t->program_runs != HP_COUNT_UNKNOWN)
		fprintf(out, "    its program ran %" PRIu64 " time%s meanwhile\n", t->program_runs,
			t->program_runs == 1 ? "" : "s");
	print_points(t, out);
	if (t->misses && t->misses != HP_COUNT_UNKNOWN)
		fprintf(out, "    %" PRIu64 " calls were missed by the observer\n", t->misses);
	print_sites(report, t, out, all);
}

static void print_summary(const struct hp_verify_report *report, FILE *out, bool color)
{
	size_t live = 0;

	for (size_t i = 0; i < report->target_count; i++)
		live += report->targets[i].verdict == HP_VERDICT_LIVE;
	fprintf(out, "%s%s%s%s: ", report->target_count ? "\n" : "",
		hp_format__color(hp_format__verdict_color(report->verdict), color),
		hp_verdict__name(report->verdict), hp_format__reset(color));
	if (report->target_count)
		fprintf(out, "%zu of %zu target%s live, observed for %s\n", live,
			report->target_count, report->target_count == 1 ? "" : "s",
			hp_format__ns((double)report->window_ns).s);
	else
		fputs("no livepatch is loaded\n", out);
	if (!report->exercise.command)
		return;
	fprintf(out, "exercise '%s': ", report->exercise.command);
	if (report->exercise.status < 0)
		fputs("stopped at the end of the window", out);
	else
		fprintf(out, "exit status %d", report->exercise.status);
	fprintf(out, ", %s call%s\n", hp_format__count(report->exercise.calls).s,
		report->exercise.calls == 1 ? "" : "s");
}

int hp_verify_report__print(const struct hp_verify_report *report, FILE *out, bool color,
			    int verbosity)
{
	int ret = 0;

	if (report->target_count)
		ret = print_table(report, out, color);
	for (size_t i = 0; !ret && i < report->target_count; i++) {
		const struct hp_verify_target *target = &report->targets[i];

		if (verbosity > 0 || target->verdict != HP_VERDICT_LIVE)
			print_target(report, target, out, color, verbosity > 0);
	}
	if (ret)
		return ret;
	print_summary(report, out, color);
	fflush(out);
	return 0;
}
