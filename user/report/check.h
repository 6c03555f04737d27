/* SPDX-License-Identifier: GPL-2.0 */
/* The report of `hotproof check`, as a table for people or as JSON, from the same structure. */
#ifndef HP_REPORT_CHECK_H
#define HP_REPORT_CHECK_H

#include "base/options.h"
#include "host/abilities.h"
#include "host/features.h"

#define HP_CHECK_ABILITIES_MAX 16
#define HP_CHECK_REQUIRED_MAX  64

/* One name of --require. */
struct hp_required {
	char name[32];
	bool met;
	struct hp_error error; /* why it is not met */
};

struct hp_check {
	struct hp_features *features;
	bool show[HP_FEATURES]; /* only these have been tried */
	struct hp_outcome outcomes[HP_CHECK_ABILITIES_MAX];
	size_t outcome_count;
	struct hp_required required[HP_CHECK_REQUIRED_MAX];
	size_t required_count;
	enum hp_exit status;
};

int hp_report_check(const struct hp_globals *globals, const struct hp_check *check);

#endif
