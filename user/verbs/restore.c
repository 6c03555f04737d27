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

/* Is no target of this hotfix left in the engine's list? */
static int check_gone(const struct hp_restore *r, bool *gone, struct hp_error *err)
{
	_cleanup_free_ struct hp_target *all = NULL;
	size_t count;
	int ret = r->session.engine->discover(r->session.state, NULL, &all, &count, err);

	*gone = !ret;
	for (size_t i = 0; !ret && i < count; i++)
		if (!strcmp(all[i].hotfix, r->hotfix))
			*gone = false;
	return ret;
}

/* Calls of old and new code since the reversal was complete, of all targets. */
static int count_calls(const struct hp_restore *r, struct hp_restoration *out)
{
	struct hp_watch *watch = hp_proof__watch(r->proof);
	size_t count = hp_proof__count(r->proof);

	for (size_t i = 0; i < count; i++) {
		struct hp_watch_result seen;
		int ret = hp_watch__collect(watch, i, HP_PM_BASELINE, &seen);

		if (ret)
			return ret;
		out->old_calls += seen.point[HP_POINT_OLD_BODY].counts.calls;
		out->new_calls += seen.point[HP_POINT_NEW_ENTRY].counts.calls;
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
	if (!r->proof) {
		out->old_calls = out->new_calls = HP_COUNT_UNKNOWN;
		return 0;
	}
	ret = hp_proof__window(r->proof, HP_PM_BASELINE, HP_POINT_OLD_BODY, r->window_ns,
			       r->until_exercised, "watching the old code", err);
	if (ret)
		return ret;
	hp_apply_report__phase(r->report, HP_PHASE_VERIFIED, start, hp_now_ns());
	ret = count_calls(r, out);
	if (ret)
		return hp_fail_errno(err, HP_E_OBSERVER, ret, "the counters cannot be read");
	/* Its probes hold the module. */
	hp_proof__disarm(r->proof, HP_POINT_NEW_ENTRY);
	return 0;
}

static void conclude(struct hp_restoration *out, bool gone)
{
	bool counted = out->old_calls != HP_COUNT_UNKNOWN;

	out->restored = gone && out->unloaded && (!counted || !out->new_calls);
	if (!gone)
		snprintf(out->reason, sizeof(out->reason),
			 "the redirect is still in the kernel's list");
	else if (counted && out->new_calls)
		snprintf(out->reason, sizeof(out->reason),
			 "the replacement was called after the reversal was complete");
	else if (!out->old_calls)
		snprintf(out->reason, sizeof(out->reason), "no call came to show it");
}

int hp_restore(struct hp_restore *r, struct hp_error *err)
{
	const struct hp_engine *engine = r->session.engine;
	uint64_t start = hp_now_ns(), end;
	bool gone;
	int ret;

	if (r->proof)
		hp_observer__set_state_all(hp_watch__observer(hp_proof__watch(r->proof)),
					   HP_PM_REVERTING);
	ret = engine->revert(r->session.state, r->hotfix, r->deadline, err);
	if (ret)
		return ret;
	hp_progress_free(&r->report->progress);
	ret = hp_follow(engine, r->session.state, r->hotfix, "reverting", r->deadline,
			r->interruptible, &r->report->progress, err);
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

	ret = watch_old_code(r, err);
	start = hp_now_ns();
	ret = ret ?: engine->finish(r->session.state, r->hotfix, start + UNLOAD_NS, err);
	if (ret)
		return ret;
	r->report->restoration.unloaded = true;
	hp_apply_report__phase(r->report, HP_PHASE_UNLOAD, start, hp_now_ns());
	ret = check_gone(r, &gone, err);
	if (!ret)
		conclude(&r->report->restoration, gone);
	return ret;
}
