/* SPDX-License-Identifier: GPL-2.0 */
/* Histograms in a terminal, old and new side by side. */
#ifndef HP_REPORT_HISTOGRAM_H
#define HP_REPORT_HISTOGRAM_H

#include <stdbool.h>
#include <stdio.h>

#include "hotproof/patch_map.h"

struct hp_histogram_opts {
	bool color;
	bool ascii; /* no UTF-8 blocks */
	int width;  /* columns to use, 0 for 80 */
};

/* The locale (as set by setlocale()) cannot show UTF-8. */
bool hp_histogram__needs_ascii(void);

/*
 * Print the share of the calls in each row of times, all bars to one scale. One of @old_hist and
 * @new_hist may be NULL or empty; with both, nothing is printed. Buckets are merged until the
 * rows fit a screen, the outermost calls share a row on either end, and empty rows in between are
 * kept: gaps in a distribution mean something.
 */
void hp_histogram__print(FILE *out, const struct hp_hist *old_hist, const struct hp_hist *new_hist,
			 const struct hp_histogram_opts *opts);

#endif
