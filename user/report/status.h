/* SPDX-License-Identifier: GPL-2.0 */
/* The livepatches of this host: gathered by the verb, shown as text and JSON. */
#ifndef HP_REPORT_STATUS_H
#define HP_REPORT_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "engines/klp/snapshot.h"
#include "report/guard.h"
#include "state/journal.h"
#include "state/recover.h"

/* An entry of the journal, and what recover would do about it. */
struct hp_status_entry {
	struct hp_journal_entry entry;
	struct hp_recover_facts facts;
	enum hp_recover_action action;
	char why[160];
};

struct hp_status_report {
	struct hp_klp_snapshot *snap; /* owned */
	char limited[1024];	      /* why it is from sysfs only, "" when it is not */
	/*
	 * Of the one transition that goes on, or of none: then switched and total are both the
	 * number of tasks. total 0: not known.
	 */
	struct hp_progress progress;
	char no_progress[512];		 /* why it is not known, "" when it is */
	struct hp_status_entry *entries; /* owned */
	size_t entry_count;
	char no_journal[512];	    /* why there are no entries, "" when they could be read */
	struct hp_target *replaced; /* functions of loaded BPF programs; owned */
	struct hp_read_back *replaced_by;
	size_t replaced_count;
	char no_programs[512];	       /* why these are not known, "" when they are */
	struct hp_guard_report guards; /* its rows only */
	char no_guards[512];	       /* why these are not known, "" when they are */
};

void hp_status_report__free(struct hp_status_report *report);

/* The journal's entry of the livepatch @name, if it is the one that hotproof applied; or NULL. */
const struct hp_status_entry *hp_status_report__applied(const struct hp_status_report *report,
							const char *name);

/* The whole report; NULL when out of memory. */
json_t *hp_status_report__json(const struct hp_status_report *report);

/* For people; 0 or a negative errno. */
int hp_status_report__print(const struct hp_status_report *report, FILE *out, bool color,
			    int verbosity);

/* Seconds since 1970 as "2026-01-31T12:00:00Z". */
struct hp_time_text {
	char s[32];
};
struct hp_time_text hp_time_text(int64_t seconds);

#endif
