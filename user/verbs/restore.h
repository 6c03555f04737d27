/* SPDX-License-Identifier: GPL-2.0 */
/* Taking a hotfix away and proving that calls run the old code again: revert, and a rollback. */
#ifndef HP_VERBS_RESTORE_H
#define HP_VERBS_RESTORE_H

#include "proof/proof.h"
#include "report/apply.h"
#include "verbs/session.h"

struct hp_restore {
	struct hp_session session;
	const char *hotfix;
	struct hp_proof *proof;	 /* with the points of old body and replacement armed, or NULL */
	uint64_t deadline;	 /* for the transition back, of hp_now_ns() */
	struct hp_window window; /* how to wait for calls of the old code */
	bool begun;		 /* set: the first step was taken, */
	bool complete;		 /* and no task uses the replacement any more */
	struct hp_apply_report *report; /* phases, last progress and restoration go here */
};

/*
 * Take the redirects away, follow the tasks back, count calls of old and new code, unload. Returns 0
 * with @report->restoration filled; HP_E_BUDGET when the deadline passed, HP_E_INTERRUPTED when a
 * signal came, both with nothing given up: the hotfix is in transition, and the caller decides.
 */
int hp_restore(struct hp_restore *restore, struct hp_error *err);

#endif
