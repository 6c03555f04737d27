/* SPDX-License-Identifier: GPL-2.0 */
/* What to do about an entry of the journal. */
#ifndef HP_STATE_RECOVER_H
#define HP_STATE_RECOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "state/journal.h"

enum hp_recover_action {
	HP_RECOVER_KEEP,   /* all is well */
	HP_RECOVER_WAIT,   /* its loader is at work */
	HP_RECOVER_FORGET, /* nothing is left of it: remove the entry */
	HP_RECOVER_UNDO,   /* its loader died before it was done: revert, then remove the entry */
};

/* What the host says about the hotfix of an entry. */
struct hp_recover_facts {
	bool this_boot;
	bool loader_alive;
	bool registered; /* the kernel has a livepatch of that name */
	bool loaded;	 /* and a module */
	/* Of an entry of the proc engine: processes that have all of it, and a part. */
	size_t whole, half;
	char unseen[200]; /* why there may be more of both; "": there are none */
	bool same_file;	  /* the loaded module may be the one that was applied (srcversion) */
};

/* Find the facts for @entry on this host. */
void hp_recover__look(const struct hp_journal_entry *entry, struct hp_recover_facts *facts);

/* Decide, and say why in one line. Depends on its arguments only. */
enum hp_recover_action hp_recover__decide(const struct hp_journal_entry *entry,
					  const struct hp_recover_facts *facts, char *why,
					  size_t size);

const char *hp_recover_action_name(enum hp_recover_action action);

#endif
