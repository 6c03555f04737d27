/* SPDX-License-Identifier: GPL-2.0 */
/* What was proved about a target: the verdicts, and the one function that decides them. */
#ifndef HP_OBSERVE_VERDICT_H
#define HP_OBSERVE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hotfix/target.h"

/* Worst first: a hotfix has the worst verdict of its targets. */
enum hp_verdict {
	HP_VERDICT_BROKEN,	/* redirect gone or altered */
	HP_VERDICT_STALE,	/* old body still executed */
	HP_VERDICT_PENDING,	/* transition not complete */
	HP_VERDICT_ABSENT,	/* not applied */
	HP_VERDICT_UNKNOWN,	/* could not observe; always with the reason */
	HP_VERDICT_UNEXERCISED, /* applied, in place, and too few calls came */
	HP_VERDICT_LIVE,	/* calls came, all redirected */
	HP_VERDICTS,
};

#define HP_VERDICT_REASON_MAX 256

/* All that is known about one target when its verdict is asked for. */
struct hp_evidence {
	bool registered;	   /* the kernel has the redirect in its list */
	enum hp_redirect redirect; /* what reading the redirect back said */
	const char *redirect_reason;

	bool transition;	  /* the engine says that the transition goes on */
	bool began_in_transition; /* it went on when the window began: old code was allowed */
	uint32_t switched;	  /* reach: tasks that have switched, */
	uint32_t total;		  /* of those in scope; 0 of 0 when no transition goes on */

	bool observed;	      /* both redirected and stale calls could be counted */
	const char *obstacle; /* if not, why */
	uint64_t redirected;  /* calls in the window, of the points that were observed */
	uint64_t stale;
	bool stale_at_most;    /* turns of a loop of the old body were counted as calls */
	uint64_t misses;       /* calls that the observer knows it did not see */
	uint64_t stale_misses; /* of those, at the point that would have seen stale calls */
	bool misses_unknown;   /* and more may have been missed: not every probe's are counted */

	/* What the user wants before a target counts as live; 0 when nothing was asked for. */
	uint64_t min_calls;
	double min_coverage;	    /* percent of the known call sites */
	const char *sites_obstacle; /* why not all call sites are known; NULL: they are */
	uint32_t sites_known;	    /* call sites whose calls can be told apart, */
	uint32_t sites_redirected;  /* of those, seen in redirected calls and in no stale one */

	/* With HP_REDIRECT_SUPERSEDED: who replaced the target again, and the verdict of that. */
	const char *superseded_by;
	enum hp_verdict superseding;
};

/* Decide, and say why in one line (@reason is never left empty). Depends on @evidence only. */
enum hp_verdict hp_verdict__decide(const struct hp_evidence *evidence, char *reason, size_t size);

/* "live", "stale", …: the words of reports and JSON. */
const char *hp_verdict__name(enum hp_verdict verdict);

static inline enum hp_verdict hp_verdict__worst(enum hp_verdict a, enum hp_verdict b)
{
	return a < b ? a : b;
}

#endif
