// SPDX-License-Identifier: GPL-2.0
/* The verdict about one target, decided from evidence alone. */
#include "observe/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const names[HP_VERDICTS] = {
	[HP_VERDICT_BROKEN] = "broken",	  [HP_VERDICT_STALE] = "stale",
	[HP_VERDICT_PENDING] = "pending", [HP_VERDICT_ABSENT] = "absent",
	[HP_VERDICT_UNKNOWN] = "unknown", [HP_VERDICT_UNEXERCISED] = "unexercised",
	[HP_VERDICT_LIVE] = "live",
};

const char *hp_verdict__name(enum hp_verdict verdict)
{
	return names[verdict];
}

struct reason {
	char *text;
	size_t size;
};

static enum hp_verdict __attribute__((format(printf, 3, 4)))
say(struct reason *reason, enum hp_verdict verdict, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason->text, reason->size, fmt, ap);
	va_end(ap);
	return verdict;
}

static const char *or_text(const char *text, const char *otherwise)
{
	return text && text[0] ? text : otherwise;
}

static bool in_transition(const struct hp_evidence *e)
{
	return e->transition || e->switched < e->total;
}

/* What the redirect itself says; HP_VERDICT_LIVE when it leaves the answer to the calls. */
static enum hp_verdict decide_by_redirect(const struct hp_evidence *e, struct reason *reason)
{
	if (e->redirect == HP_REDIRECT_BROKEN)
		return say(reason, HP_VERDICT_BROKEN, "the redirect was read back and is gone: %s",
			   or_text(e->redirect_reason, "the entry does not lead to it"));
	if (!e->registered)
		return say(reason, HP_VERDICT_ABSENT, "not applied: %s",
			   or_text(e->redirect_reason, "the kernel has no such redirect"));
	if (e->redirect == HP_REDIRECT_SUPERSEDED)
		return say(reason, e->superseding, "superseded by %s, which is %s",
			   or_text(e->superseded_by, "a later hotfix"), names[e->superseding]);
	if (e->redirect == HP_REDIRECT_ABSENT && !in_transition(e))
		return say(reason, HP_VERDICT_BROKEN,
			   "registered, but reading it back found no redirect: %s",
			   or_text(e->redirect_reason, "nothing at the entry"));
	return HP_VERDICT_LIVE;
}

/* For "%" PRIu64 " call%s": a number and the plural. */
#define CALLS(n) (n), (n) == 1 ? "" : "s"

/* Calls of the old body: allowed in a transition only. */
static enum hp_verdict decide_by_stale_calls(const struct hp_evidence *e, struct reason *reason)
{
	const char *at_most = e->stale_at_most ? "at most " : "";

	if (in_transition(e)) {
		if (e->total)
			return say(reason, HP_VERDICT_PENDING, "%u of %u tasks have switched",
				   e->switched, e->total);
		return say(reason, HP_VERDICT_PENDING, "the transition is not complete");
	}
	if (!e->stale)
		return HP_VERDICT_LIVE;
	if (e->began_in_transition)
		return say(reason, HP_VERDICT_PENDING,
			   "%s%" PRIu64
			   " call%s ran the old body in a window that began before the "
			   "transition was complete",
			   at_most, CALLS(e->stale));
	/* Nobody went through the redirect: what the kernel lists is not what happens. */
	if (e->observed && !e->redirected)
		return say(reason, HP_VERDICT_BROKEN,
			   "%s%" PRIu64 " call%s ran the old body and none the replacement, "
			   "though every task has switched",
			   at_most, CALLS(e->stale));
	if (!e->observed && !e->redirected)
		return say(reason, HP_VERDICT_STALE,
			   "%s%" PRIu64 " call%s ran the old body; how many were redirected is not "
			   "known",
			   at_most, CALLS(e->stale));
	return say(reason, HP_VERDICT_STALE,
		   "%s%" PRIu64 " call%s ran the old body, %" PRIu64 " redirected", at_most,
		   CALLS(e->stale), e->redirected);
}

static enum hp_verdict decide_by_coverage(const struct hp_evidence *e, struct reason *reason)
{
	if (e->min_coverage <= 0)
		return HP_VERDICT_LIVE;
	if (!e->sites_known)
		return say(reason, HP_VERDICT_UNEXERCISED,
			   "no call site is known, and %g %% of them are wanted", e->min_coverage);
	/* Products, not a quotient: 80 % of 5 is to be exactly 4. */
	if (100.0 * e->sites_redirected >= e->min_coverage * e->sites_known)
		return HP_VERDICT_LIVE;
	return say(reason, HP_VERDICT_UNEXERCISED,
		   "%u of %u call sites (%.1f %%) redirected, %g %% wanted", e->sites_redirected,
		   e->sites_known, 100.0 * e->sites_redirected / e->sites_known, e->min_coverage);
}

/* What is still missing when nothing is wrong. */
static enum hp_verdict decide_by_amount(const struct hp_evidence *e, struct reason *reason)
{
	if (!e->observed)
		return say(reason, HP_VERDICT_UNKNOWN, "could not observe: %s",
			   or_text(e->obstacle, "no reason was given"));
	if (e->stale_misses)
		return say(reason, HP_VERDICT_UNKNOWN,
			   "the probe in the old body missed %" PRIu64 " call%s: "
			   "whether it ran is not known",
			   CALLS(e->stale_misses));
	if (!e->redirected && e->redirect == HP_REDIRECT_UNKNOWN)
		return say(reason, HP_VERDICT_UNKNOWN,
			   "no call came, and the redirect could not be read back: %s",
			   or_text(e->redirect_reason, "no reason was given"));
	if (e->min_coverage > 0 && e->sites_obstacle)
		return say(reason, HP_VERDICT_UNKNOWN,
			   "%g %% of the call sites are wanted, and not all are known: %s",
			   e->min_coverage, or_text(e->sites_obstacle, "no reason was given"));
	if (!e->redirected && e->misses)
		return say(reason, HP_VERDICT_UNEXERCISED,
			   "no call was seen, and %" PRIu64 " missed", e->misses);
	if (!e->redirected)
		return say(reason, HP_VERDICT_UNEXERCISED, "in place, but no call %s",
			   e->misses_unknown ? "was seen" : "came");
	if (e->redirected < e->min_calls)
		return say(reason, HP_VERDICT_UNEXERCISED,
			   "%" PRIu64 " call%s redirected, %" PRIu64 " wanted",
			   CALLS(e->redirected), e->min_calls);
	return decide_by_coverage(e, reason);
}

static enum hp_verdict say_live(const struct hp_evidence *e, struct reason *reason)
{
	/* Where a probe may have missed calls that nobody counted, no more is claimed than was seen. */
	const char *seen = e->misses_unknown ? " seen" : "";

	if (e->redirect == HP_REDIRECT_UNKNOWN)
		return say(reason, HP_VERDICT_LIVE,
			   "%" PRIu64 " call%s%s, all redirected; the redirect itself could not be "
			   "read back: %s",
			   CALLS(e->redirected), seen,
			   or_text(e->redirect_reason, "no reason was given"));
	if (e->misses)
		return say(reason, HP_VERDICT_LIVE,
			   "%" PRIu64 " call%s%s, all redirected, and %" PRIu64 " not seen",
			   CALLS(e->redirected), seen, e->misses);
	return say(reason, HP_VERDICT_LIVE, "%" PRIu64 " call%s%s, all redirected",
		   CALLS(e->redirected), seen);
}

enum hp_verdict hp_verdict__decide(const struct hp_evidence *evidence, char *text, size_t size)
{
	struct reason reason = { .text = text, .size = size };
	enum hp_verdict verdict;

	if (size)
		text[0] = '\0';
	verdict = decide_by_redirect(evidence, &reason);
	/* A superseded target may be live by its successor: the calls are not its own. */
	if (verdict != HP_VERDICT_LIVE || evidence->redirect == HP_REDIRECT_SUPERSEDED)
		return verdict;
	verdict = decide_by_stale_calls(evidence, &reason);
	if (verdict != HP_VERDICT_LIVE)
		return verdict;
	verdict = decide_by_amount(evidence, &reason);
	if (verdict != HP_VERDICT_LIVE)
		return verdict;
	return say_live(evidence, &reason);
}
