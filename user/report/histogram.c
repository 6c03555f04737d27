// SPDX-License-Identifier: GPL-2.0
/* Histograms as bars of text. */
#include "report/histogram.h"

#include <langinfo.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "hotproof/hist.h"
#include "report/format.h"

#define MAX_ROWS    20
#define LABEL_WIDTH 20	  /* "1.02 us to 1.09 us" */
#define SHARE_WIDTH 8	  /* " 12.3 %" and a space */
#define TAIL	    0.001 /* of the calls, left out on either end when rows are chosen */
#define MIN_BAR	    8
#define MAX_BAR	    50
#define EIGHTHS	    8

struct column {
	const struct hp_hist *hist;
	const char *title;
	const char *color;
	uint64_t total;
};

struct rows {
	uint32_t first; /* bucket of the first row's start */
	uint32_t merge; /* buckets in a row */
	uint32_t count; /* and one row more on either end, for the calls outside */
};

bool hp_histogram__needs_ascii(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

static uint64_t total_of(const struct hp_hist *hist)
{
	uint64_t total = 0;

	for (uint32_t i = 0; hist && i < HP_HIST_BUCKETS; i++)
		total += hist->bucket[i];
	return total;
}

/* The first and last bucket of @column when TAIL of its calls are left out on either end. */
static void body_of(const struct column *column, uint32_t *low, uint32_t *high)
{
	double below = 0, tail = TAIL * (double)column->total;

	*low = *high = HP_HIST_BUCKETS;
	for (uint32_t i = 0; i < HP_HIST_BUCKETS; i++) {
		below += (double)column->hist->bucket[i];
		if (*low == HP_HIST_BUCKETS && below > tail)
			*low = i;
		if (*high == HP_HIST_BUCKETS && below >= (double)column->total - tail)
			*high = i;
	}
}

/*
 * The fewest buckets in a row (1, 2, 4, …) with which the body fits MAX_ROWS. A single outlier
 * must not squeeze a million calls into one row.
 */
static struct rows choose_rows(const struct column *columns, size_t count)
{
	uint32_t low = HP_HIST_BUCKETS, high = 0;
	struct rows rows = { .merge = 1 };

	for (size_t c = 0; c < count; c++) {
		uint32_t from, to;

		body_of(&columns[c], &from, &to);
		low = from < low ? from : low;
		high = to > high ? to : high;
	}
	while (high / rows.merge - low / rows.merge >= MAX_ROWS)
		rows.merge *= 2;
	rows.first = low / rows.merge * rows.merge;
	rows.count = (high - rows.first) / rows.merge + 1;
	return rows;
}

/* The buckets of row @row: -1 is all that lies below the rows, rows->count all above. */
static void row_range(const struct rows *rows, int row, uint32_t *start, uint32_t *end)
{
	*start = row < 0 ? 0 : rows->first + (uint32_t)row * rows->merge;
	*end = row < 0 ? rows->first : *start + rows->merge;
	if (row == (int)rows->count || *end > HP_HIST_BUCKETS)
		*end = HP_HIST_BUCKETS;
}

static double row_share(const struct column *column, const struct rows *rows, int row)
{
	uint32_t start, end;
	uint64_t calls = 0;

	row_range(rows, row, &start, &end);
	for (uint32_t i = start; i < end; i++)
		calls += column->hist->bucket[i];
	return (double)calls / (double)column->total;
}

static void print_label(FILE *out, const struct rows *rows, int row)
{
	uint32_t start, end;

	row_range(rows, row, &start, &end);
	if (row < 0)
		fprintf(out, "less than   ");
	else
		fprintf(out, "%8s %s ", hp_format__ns((double)HP_HIST_LOWER(start)).s,
			end == HP_HIST_BUCKETS ? "and" : "to");
	if (end == HP_HIST_BUCKETS)
		fprintf(out, "%-7s", "more");
	else
		fprintf(out, "%8s", hp_format__ns((double)HP_HIST_LOWER(end)).s);
}

/*
 * A bar that fills @part of @width columns, in eighths; no calls alone are no bar. Returns how many
 * columns it took.
 */
static int print_bar(FILE *out, double part, int width, const struct hp_histogram_opts *opts,
		     const char *color)
{
	static const char *const blocks[EIGHTHS] = {
		"", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589",
	};
	int eighths = (int)lround(part * width * EIGHTHS);
	int used = 0;

	if (part > 0 && eighths == 0)
		eighths = 1;
	fputs(hp_format__color(color, opts->color), out);
	if (opts->ascii) {
		for (; used < (eighths + EIGHTHS / 2) / EIGHTHS; used++)
			fputc('#', out);
		if (eighths && !used) {
			fputc('.', out);
			used = 1;
		}
	} else {
		for (; used < eighths / EIGHTHS; used++)
			fputs("\u2588", out);
		if (eighths % EIGHTHS) {
			fputs(blocks[eighths % EIGHTHS], out);
			used++;
		}
	}
	fputs(hp_format__reset(opts->color), out);
	return used;
}

static void print_share(FILE *out, double share)
{
	if (share > 0 && share < 0.0005)
		fprintf(out, " <0.1 %%");
	else if (share > 0)
		fprintf(out, " %4.1f %%", share * 100);
	else
		fprintf(out, "%7s", "");
}

static void print_row(FILE *out, const struct column *columns, size_t count,
		      const struct rows *rows, int row, double scale, int bar,
		      const struct hp_histogram_opts *opts)
{
	print_label(out, rows, row);
	for (size_t c = 0; c < count; c++) {
		double share = row_share(&columns[c], rows, row);
		int used;

		print_share(out, share);
		fputc(' ', out);
		used = print_bar(out, share / scale, bar, opts, columns[c].color);
		if (c + 1 < count)
			fprintf(out, "%*s", bar - used, "");
	}
	fputc('\n', out);
}

static bool row_is_empty(const struct column *columns, size_t count, const struct rows *rows,
			 int row)
{
	for (size_t c = 0; c < count; c++)
		if (row_share(&columns[c], rows, row) > 0)
			return false;
	return true;
}

void hp_histogram__print(FILE *out, const struct hp_hist *old_hist, const struct hp_hist *new_hist,
			 const struct hp_histogram_opts *opts)
{
	struct column columns[2];
	uint64_t old_total = total_of(old_hist), new_total = total_of(new_hist);
	double scale = 0;
	struct rows rows;
	size_t count = 0;
	int bar, last;

	if (old_total)
		columns[count++] = (struct column){ old_hist, "old", "cyan", old_total };
	if (new_total)
		columns[count++] = (struct column){ new_hist, "new", "green", new_total };
	if (!count)
		return;
	rows = choose_rows(columns, count);
	last = (int)rows.count;
	for (size_t c = 0; c < count; c++)
		for (int row = -1; row <= last; row++)
			scale = fmax(scale, row_share(&columns[c], &rows, row));
	bar = ((opts->width ? opts->width : 80) - LABEL_WIDTH) / (int)count - SHARE_WIDTH;
	bar = bar < MIN_BAR ? MIN_BAR : bar > MAX_BAR ? MAX_BAR : bar;

	fprintf(out, "%*s", LABEL_WIDTH, "");
	for (size_t c = 0; c < count; c++)
		fprintf(out, "%*s%-*s", SHARE_WIDTH, "", c + 1 < count ? bar : 0, columns[c].title);
	fputc('\n', out);
	for (int row = -1; row <= last; row++)
		if ((row >= 0 && row < last) || !row_is_empty(columns, count, &rows, row))
			print_row(out, columns, count, &rows, row, scale, bar, opts);
}
