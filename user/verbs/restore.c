// SPDX-License-Identifier: GPL-2.0
/* Taking a hotfix away and proving that calls run the old code again. */
#include "verbs/restore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engines/follow.h"

/* Unloading waits for whoever holds the module for a moment, such as a reader of its sysfs files. */
#define UNLOAD_NS (10 * HP_NSEC_PER_SEC)

static bool was_target(const struct hp_restore *r, const struct hp_target *target)
{
	for (size_t i = 0; r->proof && i < hp_proof__count(r->proof); i++)
		if (target->old_addr && hp_proof__target(r->proof, i)->old_addr == target->old_addr)
			return true;
	return false;
}

/*
 * Is no target of this hotfix left in the engine's list? And does another one, above or below it in
 * a stack, take the calls of a target instead of the old code?
 */
static int check_gone(struct hp_restore *r, bool *gone, struct hp_error *err)
{
	_cleanup_free_ struct hp_target *all = NULL;
	size_t count;
	int ret = r->session.engine->discover(r->session.state, NULL, &all, &count, err);

	*gone = !ret;
	for (size_t i = 0; !ret && i < count; i++) {
		if (!strcmp(all[i].hotfix, r->hotfix))
			*gone = false;
		else if (all[i].patched && !all[i].superseded_by[0] && was_target(r, &all[i]))
			snprintf(r->report->restoration.taken_by,
				 sizeof(r->report->restoration.taken_by), "%s", all[i].hotfix);
	}
	return ret;
}

/* Calls seen at a point since the reversal was complete; unknown when nothing could be seen. */
static void add_calls(const struct hp_watch_point *point, uint64_t *calls)
{
	if (!point->armed)
		return;
	if (*calls == HP_COUNT_UNKNOWN)
		*calls = 0;
	*calls += point->counts.calls;
}

static int count_calls(const struct hp_restore *r, struct hp_restoration *out)
{
	struct hp_watch *watch = hp_proof__watch(r->proof);

	for (size_t i = 0; i < hp_proof__count(r->proof); i++) {
		struct hp_watch_result seen;
		int ret = hp_watch__collect(watch, i, HP_PM_BASELINE, &seen);

		if (ret)
			return ret;
		add_calls(&seen.point[HP_POINT_OLD_BODY], &out->old_calls);
		out->at_most |= seen.point[HP_POINT_OLD_BODY].counts.calls &&
				seen.point[HP_POINT_OLD_BODY].point.at_most;
		add_calls(&seen.point[HP_POINT_OLD_ENTRY], &out->old_calls);
		add_calls(&seen.point[HP_POINT_NEW_ENTRY], &out->new_calls);
		hp_watch_result_free(&seen);
	}
	return 0;
}

/* A window after the reversal: the old code must be called, and the new code must not. */
static int watch_old_code(struct hp_restore *r, struct hp_error *err)
{
	struct hp_restoration *out = &r->report->restoration;
	uint64_t start = hp_now_ns();
	int ret;

	out->checked = true;
	out->old_calls = out->new_calls = HP_COUNT_UNKNOWN;
	if (!r->proof)
		return 0;
	/* Behind the entry there is no point; at the entry there may be one, now that it is free. */
	if (hp_proof__count(r->proof) && hp_proof__target(r->proof, 0)->exclusive) {
		hp_proof__arm(r->proof, HP_POINT_OLD_ENTRY, (struct hp_arm_opts){ 0 });
		r->window.role = HP_POINT_OLD_ENTRY;
	}
	ret = hp_proof__window(r->proof, &r->window, err);
	if (!ret) {
		hp_apply_report__phase(r->report, HP_PHASE_VERIFIED, start, hp_now_ns());
		ret = count_calls(r, out);
		if (ret)
			hp_fail_errno(err, HP_E_OBSERVER, ret, "the counters cannot be read");
	}
	/* Its probes hold the module. */
	hp_proof__disarm(r->proof, HP_POINT_NEW_ENTRY);
	return ret;
}

static void conclude(struct hp_restoration *out, bool gone)
{
	bool new_called = out->new_calls != HP_COUNT_UNKNOWN && out->new_calls;
	char taken[sizeof(out->reason)];
	const char *reason = "";

	snprintf(taken, sizeof(taken), "%s takes the calls", out->taken_by);

	out->restored = gone && out->unloaded && !new_called;
	if (!gone)
		reason = "the redirect is still in the kernel's list";
	else if (new_called)
		reason = "the replacement was called after the reversal was complete";
	else if (out->taken_by[0])
		reason = taken;
	else if (out->old_calls == HP_COUNT_UNKNOWN)
		reason = "calls of the old code could not be observed";
	else if (!out->old_calls)
		reason = "no call came to show it";
	snprintf(out->reason, sizeof(out->reason), "%s", reason);
}

/* Whatever became of watching: what is disabled must not stay loaded. */
static int finish(struct hp_restore *r, struct hp_error *err)
{
	uint64_t start = hp_now_ns();
	bool gone;
	int ret = r->session.engine->finish(r->session.state, r->hotfix, start + UNLOAD_NS, err);

	if (ret)
		return ret;
	r->report->restoration.unloaded = true;
	hp_apply_report__phase(r->report, HP_PHASE_UNLOAD, start, hp_now_ns());
	ret = check_gone(r, &gone, err);
	if (!ret)
		conclude(&r->report->restoration, gone);
	return ret;
}

int hp_restore(struct hp_restore *r, struct hp_error *err)
{
	const struct hp_engine *engine = r->session.engine;
	uint64_t start = hp_now_ns(), end;
	int ret, watched;

	if (r->proof)
		hp_proof__set_state(r->proof, HP_PM_REVERTING);
	ret = engine->revert(r->session.state, r->hotfix, r->deadline, err);
	if (ret)
		return ret;
	r->begun = true;
	hp_progress_free(&r->report->progress);
	ret = hp_follow(engine, r->session.state, r->hotfix, "reverting", r->deadline,
			!r->window.uninterruptible, &r->report->progress, err);
	if (ret < 0)
		return ret;
	end = hp_now_ns();
	hp_apply_report__phase(r->report, HP_PHASE_TRANSITION, start, end);
	if (ret == HP_FOLLOW_INTERRUPTED)
		return hp_fail(err, HP_E_INTERRUPTED, "interrupted");
	if (ret == HP_FOLLOW_TIMEOUT)
		return hp_fail(err, HP_E_BUDGET,
			       "%u of %u tasks have not gone back to the old code",
			       r->report->progress.total - r->report->progress.switched,
			       r->report->progress.total);
	hp_apply_report__phase(r->report, HP_PHASE_ALL_TASKS, start, end);
	r->complete = true;
	watched = watch_old_code(r, err);
	ret = finish(r, err);
	return ret ?: watched;
}
