// SPDX-License-Identifier: GPL-2.0
/* What calls cost, for people: a table for each function, the comparison, the histogram. */
#include "report/measure.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "observe/hist.h"
#include "report/format.h"
#include "report/histogram.h"
#include "report/table.h"

static const char *const side_names[HP_MEASURE_SIDES] = { "old", "new" };

static const struct hp_column columns[] = {
	{ "SIDE", 0 },
	{ "CALLS", SCOLS_FL_RIGHT },
	{ "MEAN", SCOLS_FL_RIGHT },
	{ "P50", SCOLS_FL_RIGHT },
	{ "P90", SCOLS_FL_RIGHT },
	{ "P99", SCOLS_FL_RIGHT },
	{ "P99.9", SCOLS_FL_RIGHT },
	{ "MAX", SCOLS_FL_RIGHT },
	{ 0 },
};

static int add_row(struct libscols_table *table, const char *name, const char *kind, uint64_t calls,
		   const struct hp_latency *l)
{
	const double values[] = { l->mean, l->p50, l->p90, l->p99, l->p999, l->max };
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char title[16];
	int ret;

	if (!line)
		return -ENOMEM;
	snprintf(title, sizeof(title), "%s, %s", name, kind);
	ret = scols_line_set_data(line, 0, title);
	ret |= scols_line_set_data(line, 1, hp_format__count(calls).s);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		ret |= scols_line_set_data(line, i + 2, hp_format__ns(values[i]).s);
	return ret ? -ENOMEM : 0;
}

static int print_table(const struct hp_measure_function *f, FILE *out)
{
	__cleanup(hp_cleanup_scols_unref_table) struct libscols_table *table =
		hp_table__new(out, false, columns);
	bool rows = false;

	if (!table)
		return -ENOMEM;
	for (int i = 0; i < HP_MEASURE_SIDES; i++) {
		const struct hp_measure_side *side = &f->side[i];
		struct hp_latency raw, net;

		if (!side->measured || !side->hist->count)
			continue;
		raw = hp_hist__latency(side->hist, 0);
		net = hp_hist__latency(side->hist, side->probe_cost);
		if (add_row(table, side_names[i], "net", side->hist->count, &net) ||
		    add_row(table, side_names[i], "raw", side->hist->count, &raw))
			return -ENOMEM;
		rows = true;
	}
	return rows && scols_print_table(table) ? -EIO : 0;
}

/* How a side was measured, or why not. */
static void print_side(const struct hp_measure_side *side, const char *name, FILE *out)
{
	if (!side->measured) {
		fprintf(out, "%s: not measured: %s\n", name,
			side->reason[0] ? side->reason : "no reason was given");
		return;
	}
	fprintf(out, "%s: %s timed by %s", name, side->symbol, side->method);
	if (side->processes)
		fprintf(out, " in %zu process%s", side->processes,
			side->processes == 1 ? "" : "es");
	fprintf(out, " for %s, net of the probe's own %s", hp_format__ns((double)side->window_ns).s,
		hp_format__ns(side->probe_cost).s);
	if (side->processes)
		fprintf(out, ", which varies by %s", hp_format__ns(side->probe_spread).s);
	if (!side->hist->count)
		fprintf(out, "; no call came");
	if (side->untimed)
		fprintf(out, "; %" PRIu64 " calls could not be timed", side->untimed);
	if (side->misses == HP_COUNT_UNKNOWN)
		fputs("; misses unknown", out);
	else if (side->misses)
		fprintf(out, "; %" PRIu64 " calls missed", side->misses);
	if (side->earlier)
		fprintf(out, "; measured at %s, from %s", side->earlier_at, side->earlier);
	if (side->reason[0])
		fprintf(out, " (%s)", side->reason);
	fputc('\n', out);
}

static void print_difference(const struct hp_difference *d, const char *what, double old_value,
			     double confidence, FILE *out, bool color)
{
	struct hp_text low = hp_format__ns_signed(d->low), high = hp_format__ns_signed(d->high);
	const char *word = d->estimate > 0 ? "slower" : "faster";

	if (!d->significant) {
		fprintf(out, "%s: no difference can be shown (%g %% interval %s to %s)\n", what,
			confidence * 100, low.s, high.s);
		return;
	}
	fprintf(out, "%s: new is %s%s%s by %s", what,
		hp_format__color(d->estimate > 0 ? "red" : "green", color), word,
		hp_format__reset(color), hp_format__ns(fabs(d->estimate)).s);
	if (old_value > 0)
		fprintf(out, ", %+.1f %%", 100 * d->estimate / old_value);
	fprintf(out, " (%g %% interval %s to %s)\n", confidence * 100, low.s, high.s);
}

static void print_comparison(const struct hp_measure_function *f, FILE *out, bool color)
{
	const struct hp_measure_side *old_side = &f->side[HP_MEASURE_OLD];
	const struct hp_measure_side *new_side = &f->side[HP_MEASURE_NEW];
	const struct hp_comparison *c = &f->comparison;
	struct hp_latency old_net;

	if (!old_side->measured || !new_side->measured)
		return;
	if (!c->enough) {
		fprintf(out, "difference: not enough calls: %" PRIu64 " (%d are needed)\n",
			c->fewest, HP_BOOTSTRAP_MIN_CALLS);
		return;
	}
	old_net = hp_hist__latency(old_side->hist, old_side->probe_cost);
	print_difference(&c->mean, "mean", old_net.mean, c->confidence, out, color);
	print_difference(&c->median, "median", old_net.p50, c->confidence, out, color);
	if (old_side->processes || new_side->processes)
		fprintf(out,
			"the intervals allow for the probes, %s of each call: differences of "
			"nanoseconds drown in that\n",
			hp_format__ns(fmax(old_side->probe_cost, new_side->probe_cost)).s);
	if (old_side->method && new_side->method && strcmp(old_side->method, new_side->method))
		fprintf(out, "the sides were timed in different ways: part of a difference may be "
			     "the probes'\n");
}

static int print_function(const struct hp_measure_function *f, FILE *out, bool color, bool ascii)
{
	struct hp_histogram_opts opts = { .color = color, .ascii = ascii };
	const struct hp_measure_side *old_side = &f->side[HP_MEASURE_OLD];
	const struct hp_measure_side *new_side = &f->side[HP_MEASURE_NEW];
	int ret;

	fprintf(out, "%s%s%s", hp_format__color("bold", color), f->symbol, hp_format__reset(color));
	if (f->object[0])
		fprintf(out, " of %s", f->object);
	if (f->livepatch[0])
		fprintf(out, ", replaced by %s", f->livepatch);
	fputc('\n', out);
	ret = print_table(f, out);
	if (ret)
		return ret;
	for (int i = 0; i < HP_MEASURE_SIDES; i++)
		print_side(&f->side[i], side_names[i], out);
	print_comparison(f, out, color);
	if ((old_side->measured && old_side->hist->count) ||
	    (new_side->measured && new_side->hist->count))
		fprintf(out, "\nraw times:\n");
	hp_histogram__print(out, old_side->measured ? old_side->hist : NULL,
			    new_side->measured ? new_side->hist : NULL, &opts);
	return 0;
}

int hp_measure_report__print(const struct hp_measure_report *report, FILE *out, bool color,
			     bool ascii)
{
	for (size_t i = 0; i < report->function_count; i++) {
		int ret;

		if (i)
			fputc('\n', out);
		ret = print_function(&report->functions[i], out, color, ascii);
		if (ret)
			return ret;
	}
	if (report->exercise.command)
		fprintf(out, "\nexercise '%s': exit status %d\n", report->exercise.command,
			report->exercise.status);
	fflush(out);
	return 0;
}
