// SPDX-License-Identifier: GPL-2.0
/* Guards read from their pins, watched, and judged. */
#include "proof/guard_proof.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/spawn.h"
#include "engines/guard/rule.h"

#define POLL_NS (50 * HP_NSEC_PER_MSEC)

static void read_sites(struct hp_guard_view *view, const struct hp_guard *guard)
{
	_cleanup_free_ struct hp_guard_site_line *lines = NULL;
	size_t count = 0;

	if (hp_guard__sites(guard, &lines, &count, NULL))
		return;
	view->site_count = count < HP_GUARD_TOP ? count : HP_GUARD_TOP;
	view->elsewhere = view->counts.sum.siteless;
	for (size_t i = 0; i < count; i++)
		if (i < HP_GUARD_TOP)
			view->sites[i].line = lines[i];
		else
			view->elsewhere += lines[i].calls.returned + lines[i].calls.observed;
}

void hp_guard_view__name_sites(struct hp_guard_view *view, const struct hp_kallsyms *symbols)
{
	for (size_t i = 0; i < view->site_count; i++) {
		struct hp_guard_site *site = &view->sites[i];
		struct hp_symbol symbol;

		/* The address is behind the call, which may be the function's last instruction. */
		if (hp_kallsyms__lookup(symbols, site->line.address - 1, &symbol, &site->offset))
			continue;
		site->offset++;
		snprintf(site->symbol, sizeof(site->symbol), "%s", symbol.name);
	}
}

static void read_counts(struct hp_guard_view *view, const struct hp_guard *guard)
{
	_cleanup_free_ struct hp_guard_caller_line *lines = NULL;
	size_t count = 0;

	view->counted = !hp_guard__counts(guard, &view->counts, NULL) &&
			!hp_guard__callers(guard, &lines, &count, NULL);
	view->top_count = count < HP_GUARD_TOP ? count : HP_GUARD_TOP;
	if (!view->counted)
		return;
	memcpy(view->top, lines, view->top_count * sizeof(*lines));
	read_sites(view, guard);
	view->others = view->counts.sum.lost;
	for (size_t i = view->top_count; i < count; i++)
		view->others += lines[i].calls.returned + lines[i].calls.observed;
}

int hp_guard_view__read(struct hp_guard_view *view, const char *name, struct hp_error *err)
{
	const struct hp_guard_rule *rule;
	struct hp_guard guard;
	int ret = hp_guard__open(&guard, name, err);

	memset(view, 0, sizeof(*view));
	if (ret)
		return ret;
	snprintf(view->name, sizeof(view->name), "%s", name);
	view->status = hp_guard__status(&guard);
	view->patch_id = hp_guard__id(&guard);
	rule = hp_guard__rule(&guard);
	if (rule) {
		memcpy(view->function, guard.patch->function, sizeof(view->function) - 1);
		view->kind = (enum hp_guard_kind)guard.patch->kind;
		view->code = guard.patch->code != 0;
		view->made_time = (int64_t)guard.patch->made_time;
		view->rule = *rule;
		view->cgroup_gone = hp_guard_rule__cgroup_gone(rule);
		view->exe_gone = hp_guard_rule__exe_gone(rule);
		read_counts(view, &guard);
	}
	hp_guard__read_back(&guard, &view->read_back);
	hp_guard__close(&guard);
	return 0;
}

/* Were enough calls turned away since @before? */
static bool is_shown(const struct hp_guard *guard, const struct hp_guard_proof_opts *opts,
		     const struct hp_guard_counts *before)
{
	uint64_t wanted = opts->min_calls ?: 1;
	struct hp_guard_counts now;

	return !hp_guard__counts(guard, &now, NULL) &&
	       now.sum.returned - before->sum.returned >= wanted;
}

static void wait_for_calls(const char *name, const struct hp_guard_proof_opts *opts,
			   const struct hp_guard_counts *before)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	uint64_t end = hp_now_ns() + opts->for_ns;
	struct hp_guard guard;
	bool opened = opts->until_live && !hp_guard__open(&guard, name, NULL);

	while (hp_now_ns() < end && !hp_interrupted() &&
	       !(opened && is_shown(&guard, opts, before))) {
		hp_progress("watching for another %.0f s", (double)(end - hp_now_ns()) / 1e9);
		nanosleep(&pause, NULL);
	}
	if (opened)
		hp_guard__close(&guard);
	hp_progress_end();
}

/* Wait for the end of the window, or of the workload. */
static int wait_window(const char *name, const struct hp_guard_proof_opts *opts,
		       const struct hp_guard_counts *before, struct hp_guard_window *window,
		       struct hp_error *err)
{
	if (opts->exercise) {
		const char *const argv[] = { "/bin/sh", "-c", opts->exercise, NULL };

		window->exercise_status = hp_spawn__wait(argv);
		if (window->exercise_status < 0)
			return hp_fail_errno(err, HP_E_EXERCISE, window->exercise_status,
					     "cannot run '%s'", opts->exercise);
	} else {
		wait_for_calls(name, opts, before);
	}
	window->interrupted = hp_interrupted();
	return 0;
}

static void __attribute__((format(printf, 3, 4)))
say(struct hp_guard_verdict *out, enum hp_verdict verdict, const char *fmt, ...)
{
	va_list ap;

	out->verdict = verdict;
	va_start(ap, fmt);
	vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
	va_end(ap);
}

/* For "%" PRIu64 " call%s": a number and the plural. */
#define CALLS(n) (n), (n) == 1 ? "" : "s"

static void decide_by_calls(const struct hp_guard_view *view, const struct hp_guard_window *w,
			    uint64_t min_calls, struct hp_guard_verdict *out)
{
	/* Whose calls they were is not known: they may have been in scope, and they passed. */
	if (w->missed)
		return say(out, HP_VERDICT_UNKNOWN,
			   "%" PRIu64 " call%s passed without the guard being asked",
			   CALLS(w->missed));
	if (view->status == HP_GUARD_IS_OBSERVING && w->returned)
		return say(out, HP_VERDICT_UNEXERCISED,
			   "observe-only by now: %" PRIu64 " call%s turned away before, %" PRIu64
			   " would have been since",
			   CALLS(w->returned), w->observed);
	if (view->status == HP_GUARD_IS_OBSERVING)
		return say(out, HP_VERDICT_UNEXERCISED,
			   "observe-only: %" PRIu64 " call%s would have been turned away, none was",
			   CALLS(w->observed));
	if (!w->returned && w->unread)
		return say(out, HP_VERDICT_UNKNOWN,
			   "the conditions of %" PRIu64 " call%s could not be read, which passed",
			   CALLS(w->unread));
	if (!w->returned)
		return say(out, HP_VERDICT_UNEXERCISED,
			   "in place, but no call in scope came (%" PRIu64
			   " out of scope passed)%s",
			   w->calls,
			   view->cgroup_gone ? ": the cgroup that it names is gone"
			   : view->exe_gone  ? ": the program that it names is gone"
					     : "");
	if (w->returned < min_calls)
		return say(out, HP_VERDICT_UNEXERCISED,
			   "%" PRIu64 " call%s turned away, %" PRIu64 " wanted", CALLS(w->returned),
			   min_calls);
	say(out, HP_VERDICT_LIVE, "%" PRIu64 " call%s turned away, %" PRIu64 " out of scope passed",
	    CALLS(w->returned), w->calls - w->returned);
}

void hp_guard_proof__decide(const struct hp_guard_view *view, const struct hp_guard_window *window,
			    uint64_t min_calls, struct hp_guard_verdict *out)
{
	switch (view->read_back.redirect) {
	case HP_REDIRECT_ABSENT:
		return say(out, HP_VERDICT_ABSENT, "not applied: %s", view->read_back.reason);
	case HP_REDIRECT_BROKEN:
	case HP_REDIRECT_SUPERSEDED:
		return say(out, HP_VERDICT_BROKEN, "%s", view->read_back.reason);
	case HP_REDIRECT_UNKNOWN:
		return say(out, HP_VERDICT_UNKNOWN, "could not observe: %s",
			   view->read_back.reason);
	case HP_REDIRECT_IN_PLACE:
		break;
	}
	if (!view->counted)
		return say(out, HP_VERDICT_UNKNOWN, "could not observe: its counters are gone");
	decide_by_calls(view, window, min_calls, out);
}

/* There is none of that name. */
static int absent(const char *name, const struct hp_error *none, struct hp_guard_view *view,
		  struct hp_guard_verdict *verdict)
{
	snprintf(view->name, sizeof(view->name), "%.*s", HP_GUARD_NAME_MAX - 1, name);
	view->read_back.redirect = HP_REDIRECT_ABSENT;
	snprintf(view->read_back.reason, sizeof(view->read_back.reason), "%.150s", none->message);
	say(verdict, HP_VERDICT_ABSENT, "%s", none->message);
	return 0;
}

int hp_guard_proof__run(const char *name, const struct hp_guard_proof_opts *opts,
			struct hp_guard_view *view, struct hp_guard_window *window,
			struct hp_guard_verdict *verdict, struct hp_error *err)
{
	struct hp_guard_counts before;
	struct hp_error none = { 0 };
	uint64_t start = hp_now_ns();
	uint32_t id;
	int ret = hp_guard_view__read(view, name, &none);

	memset(window, 0, sizeof(*window));
	window->exercise_status = -1;
	if (ret && none.reason != HP_E_GUARD_NONE) {
		*err = none;
		return ret;
	}
	before = view->counts;
	id = view->patch_id;
	/* With nothing to watch there is nothing to wait for, but a workload is run as asked. */
	ret = opts->exercise || view->read_back.redirect == HP_REDIRECT_IN_PLACE
		      ? wait_window(name, opts, &before, window, err)
		      : 0;
	if (ret)
		return ret;
	window->ns = hp_now_ns() - start;
	if (!none.reason && hp_guard_view__read(view, name, &none) &&
	    none.reason != HP_E_GUARD_NONE) {
		*err = none;
		return -EIO;
	}
	if (none.reason)
		return absent(name, &none, view, verdict);
	/* Its counts began anew: nothing can be said of them by those from before. */
	if (view->patch_id != id) {
		say(verdict, HP_VERDICT_UNKNOWN,
		    "could not observe: another guard was made under its name meanwhile");
		return 0;
	}
	window->calls = view->counts.sum.calls - before.sum.calls;
	window->returned = view->counts.sum.returned - before.sum.returned;
	window->observed = view->counts.sum.observed - before.sum.observed;
	window->missed = view->counts.missed - before.missed;
	window->unread = view->counts.sum.unread - before.sum.unread;
	hp_guard_proof__decide(view, window, opts->min_calls, verdict);
	return 0;
}
