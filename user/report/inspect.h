/* SPDX-License-Identifier: GPL-2.0 */
/* The result of an inspection: a hotfix file and how it fits this host, shown as text and JSON. */
#ifndef HP_REPORT_INSPECT_H
#define HP_REPORT_INSPECT_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "hotfix/eligibility.h"
#include "hotfix/klp_module.h"

struct hp_inspect_report {
	const struct hp_klp_module *mod; /* neither is owned */
	const struct hp_eligibility *fit;
};

/*
 * What the file says, what it replaces, and whether it is eligible here; @verbosity 1 adds what
 * only its author wants to know. Returns 0 or a negative errno.
 */
int hp_inspect_report__print(const struct hp_inspect_report *report, FILE *out, bool color,
			     int verbosity);

/* The fields without the envelope; NULL: out of memory. */
json_t *hp_inspect_report__body(const struct hp_inspect_report *report);

/* The report of `hotproof inspect --json`, docs/schema/inspect.schema.json. */
json_t *hp_inspect_report__json(const struct hp_inspect_report *report);

#endif
