// SPDX-License-Identifier: GPL-2.0
/*
 * The verdict, against its definition: every combination of evidence must have the worst verdict
 * whose condition holds. Then the sentences that people read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "observe/verdict.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What each verdict means, one condition for each, on its own. */
static bool holds(enum hp_verdict verdict, const struct hp_evidence *e)
{
	bool complete = !e->transition && e->switched == e->total;

	switch (verdict) {
	case HP_VERDICT_BROKEN:
		return e->redirect == HP_REDIRECT_BROKEN ||
		       (e->registered && complete &&
			(e->redirect == HP_REDIRECT_ABSENT ||
			 (e->observed && e->stale && !e->redirected && !e->began_in_transition)));
	case HP_VERDICT_STALE:
		return e->registered && complete && e->stale && !e->began_in_transition;
	case HP_VERDICT_PENDING:
		return e->registered && (!complete || (e->stale && e->began_in_transition));
	case HP_VERDICT_ABSENT:
		return !e->registered;
	case HP_VERDICT_UNKNOWN:
		return !e->observed || e->stale_misses ||
		       (e->min_coverage > 0 && e->sites_obstacle) ||
		       (e->redirect == HP_REDIRECT_UNKNOWN && !e->redirected);
	case HP_VERDICT_UNEXERCISED:
		return !e->redirected || e->redirected < e->min_calls ||
		       (e->min_coverage > 0 &&
			(!e->sites_known ||
			 e->sites_redirected * 100.0 / e->sites_known < e->min_coverage));
	default:
		return true;
	}
}

static enum hp_verdict expected(const struct hp_evidence *e)
{
	int verdict = HP_VERDICT_BROKEN;

	if (e->registered && e->redirect == HP_REDIRECT_SUPERSEDED)
		return e->superseding;
	while (!holds((enum hp_verdict)verdict, e))
		verdict++;
	return (enum hp_verdict)verdict;
}

/* One combination of evidence for each number; the last digit left over says "no more". */
static bool make_evidence(unsigned int number, struct hp_evidence *e)
{
	static const uint32_t switched[] = { 0, 3, 5 };
	static const struct {
		double wanted;
		uint32_t known, redirected;
		const char *obstacle;
	} coverage[] = { { 0, 0, 0, NULL },    { 80, 0, 0, NULL },  { 80, 5, 3, NULL },
			 { 80, 5, 4, NULL },   { 100, 5, 5, NULL }, { 0, 0, 0, "blind" },
			 { 80, 0, 0, "blind" } };
	static const uint64_t redirected[] = { 0, 1, 5 };
#define DIGIT(base) (digit = number % (base), number /= (base), digit)
	unsigned int digit;

	*e = (struct hp_evidence){ .superseded_by = "later", .obstacle = "no BTF" };
	e->registered = DIGIT(2);
	e->redirect = (enum hp_redirect)DIGIT(HP_REDIRECT_UNKNOWN + 1);
	e->transition = DIGIT(2);
	e->began_in_transition = DIGIT(2);
	e->switched = switched[DIGIT(COUNT(switched))];
	e->total = e->switched ? 5 : 0;
	e->observed = DIGIT(2);
	e->redirected = redirected[DIGIT(COUNT(redirected))];
	e->stale = DIGIT(2) * 2;
	e->misses = DIGIT(2) * 7;
	e->stale_misses = e->misses ? DIGIT(2) * 7 : 0;
	e->min_calls = DIGIT(2) * 5;
	e->min_coverage = coverage[digit = DIGIT(COUNT(coverage))].wanted;
	e->sites_known = coverage[digit].known;
	e->sites_redirected = coverage[digit].redirected;
	e->sites_obstacle = coverage[digit].obstacle;
	e->superseding = e->redirect == HP_REDIRECT_SUPERSEDED ? (enum hp_verdict)DIGIT(HP_VERDICTS)
							       : HP_VERDICT_LIVE;
#undef DIGIT
	return number == 0;
}

static void every_combination(void **state)
{
	/* The product of all bases above: numbers from here on have no meaning any more. */
	const unsigned int limit = 2 * 5 * 2 * 2 * 3 * 2 * 3 * 2 * 2 * 2 * 2 * 7 * HP_VERDICTS;
	unsigned int seen[HP_VERDICTS] = { 0 };
	char reason[HP_VERDICT_REASON_MAX];
	struct hp_evidence e;

	for (unsigned int number = 0; number < limit; number++) {
		enum hp_verdict verdict;

		if (!make_evidence(number, &e))
			continue;
		verdict = hp_verdict__decide(&e, reason, sizeof(reason));
		if (verdict != expected(&e))
			fail_msg("combination %u: %s (%s), expected %s", number,
				 hp_verdict__name(verdict), reason, hp_verdict__name(expected(&e)));
		assert_true(reason[0]);
		assert_null(strchr(reason, '\n'));
		seen[verdict]++;
	}
	for (int i = 0; i < HP_VERDICTS; i++)
		assert_true(seen[i] > 100);
}

/* Evidence of a livepatch that works; each test spoils one thing. */
static struct hp_evidence good(void)
{
	return (struct hp_evidence){
		.registered = true,
		.redirect = HP_REDIRECT_IN_PLACE,
		.observed = true,
		.redirected = 10,
		.superseding = HP_VERDICT_LIVE,
	};
}

static void check(const struct hp_evidence *e, enum hp_verdict verdict, const char *text)
{
	char reason[HP_VERDICT_REASON_MAX];

	assert_int_equal(hp_verdict__decide(e, reason, sizeof(reason)), verdict);
	assert_string_equal(reason, text);
}

static void sentences(void **state)
{
	struct hp_evidence e = good();

	check(&e, HP_VERDICT_LIVE, "10 calls, all redirected");
	e.misses = 3;
	check(&e, HP_VERDICT_LIVE, "10 calls, all redirected, and 3 not seen");
	e.misses_unknown = true;
	check(&e, HP_VERDICT_LIVE, "10 calls seen, all redirected, and 3 not seen");
	e.misses = 0;
	check(&e, HP_VERDICT_LIVE, "10 calls seen, all redirected");
	e.misses_unknown = false;
	e.misses = 3;
	e.stale_misses = 3;
	check(&e, HP_VERDICT_UNKNOWN,
	      "the probe in the old body missed 3 calls: whether it ran is not known");

	e = good();
	e.redirected = 0;
	check(&e, HP_VERDICT_UNEXERCISED, "in place, but no call came");
	e.misses_unknown = true;
	check(&e, HP_VERDICT_UNEXERCISED, "in place, but no call was seen");
	e.stale = 4;
	check(&e, HP_VERDICT_BROKEN,
	      "4 calls ran the old body and none the replacement, "
	      "though every task has switched");
	e.observed = false;
	check(&e, HP_VERDICT_STALE,
	      "4 calls ran the old body; how many were redirected is not known");
	e.observed = true;
	e.redirected = 6;
	check(&e, HP_VERDICT_STALE, "4 calls ran the old body, 6 redirected");
	e.stale_at_most = true;
	check(&e, HP_VERDICT_STALE, "at most 4 calls ran the old body, 6 redirected");
	e.stale_at_most = false;
	e.began_in_transition = true;
	check(&e, HP_VERDICT_PENDING,
	      "4 calls ran the old body in a window that began before the transition was complete");
	e.stale = 0;
	check(&e, HP_VERDICT_LIVE, "6 calls seen, all redirected");
	e.transition = true;
	e.switched = 120;
	e.total = 132;
	check(&e, HP_VERDICT_PENDING, "120 of 132 tasks have switched");

	e = good();
	e.min_calls = 11;
	check(&e, HP_VERDICT_UNEXERCISED, "10 calls redirected, 11 wanted");
	e.min_calls = 10;
	check(&e, HP_VERDICT_LIVE, "10 calls, all redirected");
	e.min_coverage = 80;
	check(&e, HP_VERDICT_UNEXERCISED, "no call site is known, and 80 % of them are wanted");
	e.sites_known = 5;
	e.sites_redirected = 3;
	check(&e, HP_VERDICT_UNEXERCISED, "3 of 5 call sites (60.0 %) redirected, 80 % wanted");
	e.sites_obstacle = "could not look into some_mod";
	check(&e, HP_VERDICT_UNKNOWN,
	      "80 % of the call sites are wanted, and not all are known: "
	      "could not look into some_mod");
	e.sites_obstacle = NULL;
	e.sites_redirected = 4;
	check(&e, HP_VERDICT_LIVE, "10 calls, all redirected");

	e = good();
	e.redirect = HP_REDIRECT_BROKEN;
	e.redirect_reason = "ftrace is off";
	check(&e, HP_VERDICT_BROKEN, "the redirect was read back and is gone: ftrace is off");
	e.redirect = HP_REDIRECT_ABSENT;
	e.registered = false;
	e.redirect_reason = NULL;
	check(&e, HP_VERDICT_ABSENT, "not applied: the kernel has no such redirect");

	e = good();
	e.observed = false;
	e.obstacle = "the kernel refused the kprobe";
	check(&e, HP_VERDICT_UNKNOWN, "could not observe: the kernel refused the kprobe");
	e.stale = 1;
	check(&e, HP_VERDICT_STALE, "1 call ran the old body, 10 redirected");
}

/* The old body's calls belong to the later livepatch, whatever was counted for this one. */
static void superseded_is_never_stale_by_itself(void **state)
{
	struct hp_evidence e = good();

	e.redirect = HP_REDIRECT_SUPERSEDED;
	e.superseded_by = "second";
	e.redirected = 0;
	e.stale = 9;
	check(&e, HP_VERDICT_LIVE, "superseded by second, which is live");
	e.superseding = HP_VERDICT_STALE;
	check(&e, HP_VERDICT_STALE, "superseded by second, which is stale");
}

static void worst_and_names(void **state)
{
	static const char *const order[] = { "broken",	"stale",       "pending", "absent",
					     "unknown", "unexercised", "live" };

	assert_int_equal(COUNT(order), HP_VERDICTS);
	for (int i = 0; i < HP_VERDICTS; i++) {
		assert_string_equal(hp_verdict__name((enum hp_verdict)i), order[i]);
		assert_int_equal(hp_verdict__worst((enum hp_verdict)i, HP_VERDICT_LIVE), i);
		assert_int_equal(hp_verdict__worst(HP_VERDICT_BROKEN, (enum hp_verdict)i),
				 HP_VERDICT_BROKEN);
	}
}

static void short_buffers(void **state)
{
	struct hp_evidence e = good();
	char reason[4] = "xyz";

	assert_int_equal(hp_verdict__decide(&e, reason, sizeof(reason)), HP_VERDICT_LIVE);
	assert_string_equal(reason, "10 ");
	assert_int_equal(hp_verdict__decide(&e, NULL, 0), HP_VERDICT_LIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination),
		cmocka_unit_test(sentences),
		cmocka_unit_test(superseded_is_never_stale_by_itself),
		cmocka_unit_test(worst_and_names),
		cmocka_unit_test(short_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
