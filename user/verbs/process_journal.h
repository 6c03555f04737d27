/* SPDX-License-Identifier: GPL-2.0 */
/* What the journal says about a hotfix for processes, while and after it is changed. */
#ifndef HP_VERBS_PROCESS_JOURNAL_H
#define HP_VERBS_PROCESS_JOURNAL_H

#include "engines/proc/proc.h"
#include "report/processes.h"
#include "state/journal.h"

struct hp_process_journal {
	struct hp_journal *journal; /* locked */
	struct hp_journal_entry entry;
};

/*
 * Before the first change: take the lock until @deadline, and write @phase (loading, reverting)
 * down. hp_process_journal__end() in any case.
 */
int hp_process_journal__begin(struct hp_process_journal *j, struct hp_proc *proc,
			      enum hp_journal_phase phase, uint64_t deadline, struct hp_error *err);

/* After the last one: it is applied, or forgotten when no process has it; so are those it replaced. */
void hp_process_journal__end(struct hp_process_journal *j,
			     const struct hp_processes_report *report);

/* Forget an entry of which nothing is left, and remove its file. */
int hp_process_journal__forget(struct hp_journal *journal, const struct hp_journal_entry *entry,
			       struct hp_error *err);

#endif
