/* SPDX-License-Identifier: GPL-2.0 */
/* Guards: what they are, what a verb did to them, what can be guarded; as text and JSON. */
#ifndef HP_REPORT_GUARD_H
#define HP_REPORT_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "engines/guard/candidates.h"
#include "engines/guard/guard.h"
#include "proof/guard_proof.h"

struct hp_guard_row {
	struct hp_guard_view view;
	bool proved; /* the next two are filled */
	struct hp_guard_window window;
	struct hp_guard_verdict verdict;
};

struct hp_guard_report {
	const char *action;	   /* "add", "set", "list", "remove", "verify", "revert" */
	struct hp_guard_row *rows; /* owned */
	size_t count;
	uint64_t budget_ns;
	bool changed; /* the next three are filled */
	struct hp_guard_times times;
	uint64_t total_ns;
	uint64_t way_back_hits;
	bool removed;	      /* the guards are gone: what is shown is what they were */
	bool detached;	      /* and the kernel has none of their links any more */
	const char *exercise; /* the workload of a proof, or NULL */
	bool listed;	      /* ->functions is what was asked for */
	struct hp_guard_candidates functions; /* owned */
	char no_fmod_ret[640]; /* why this way does not work on this host, "" when it does */
	char no_lsm[640];
};

void hp_guard_report__free(struct hp_guard_report *report);

/* `--json`, docs/schema/guard.schema.json; NULL: out of memory. */
json_t *hp_guard_report__json(const struct hp_guard_report *report);

/* One guard, as in other reports too. */
json_t *hp_guard_json(const struct hp_guard_row *row);

/* For people; 0 or a negative errno. @verbosity: 1 shows all that is known about each. */
int hp_guard_report__print(const struct hp_guard_report *report, FILE *out, bool color,
			   int verbosity);

/* The table of guards alone. */
int hp_guard_report__table(const struct hp_guard_row *rows, size_t count, FILE *out, bool color);

/* "uid 1000, cgroup /sys/fs/cgroup/x, 10 %", or "everybody". */
void hp_guard_scope_text(const struct hp_guard_view *view, char *out, size_t size);

#endif
