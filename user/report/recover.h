/* SPDX-License-Identifier: GPL-2.0 */
/* What recover found and did, as text and JSON. */
#ifndef HP_REPORT_RECOVER_H
#define HP_REPORT_RECOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "hotfix/target.h"
#include "state/journal.h"
#include "state/recover.h"

struct hp_recovery {
	struct hp_journal_entry entry;
	enum hp_recover_action action;
	char why[160];
	bool done;	     /* what the action asks for; of keep and wait, nothing */
	struct hp_error err; /* why it is not done, if it was tried */
};

/* Guards and hotfixes of BPF programs have no entry in the journal: what is pinned says it all. */
struct hp_pin_recovery {
	char name[HP_NAME_MAX];
	enum hp_recover_action action; /* keep, wait or undo */
	char why[160];
	bool done;
	struct hp_error err;
};

struct hp_recover_report {
	struct hp_recovery *entries; /* owned */
	size_t count;
	struct hp_pin_recovery *guards; /* owned */
	size_t guard_count;
	struct hp_pin_recovery *programs; /* hotfixes of BPF programs; owned */
	size_t program_count;
	bool dry_run;
};

void hp_recover_report__free(struct hp_recover_report *report);
json_t *hp_recover_report__json(const struct hp_recover_report *report);
int hp_recover_report__print(const struct hp_recover_report *report, FILE *out);

#endif
