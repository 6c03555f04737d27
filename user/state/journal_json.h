/* SPDX-License-Identifier: GPL-2.0 */
/* An entry of the journal as text, and who wrote it. */
#ifndef HP_STATE_JOURNAL_JSON_H
#define HP_STATE_JOURNAL_JSON_H

#include "state/journal.h"

/* The entry's JSON, malloc'ed; NULL when out of memory. */
char *hp_journal_entry__format(const struct hp_journal_entry *entry);

/* -EPROTO when @text is no entry, or one of a later version. */
int hp_journal_entry__parse(const char *text, struct hp_journal_entry *out);

/* This process, now, in @phase. */
void hp_journal_entry__stamp(struct hp_journal_entry *entry, enum hp_journal_phase phase);

/* When process @pid started, in clock ticks since boot; 0 when there is none, or only a zombie. */
uint64_t hp_process_start(int pid);

#endif
