// SPDX-License-Identifier: GPL-2.0
/* Undoing a hotfix in one call. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/task_name.h"
#include "engines/engine.h"
#include "engines/follow.h"

/* How often finishing is interrupted to see whether a signal came. */
#define SLICE_NS (200 * HP_NSEC_PER_MSEC)

static int unfinished(const char *hotfix, struct hp_error *err)
{
	return hp_fail(err, HP_E_UNFINISHED, "interrupted while %s was reverted", hotfix);
}

static int follow(const struct hp_engine *engine, struct hp_engine_state *state, const char *hotfix,
		  uint64_t deadline, struct hp_error *err)
{
	struct hp_progress last = { 0 };
	const struct hp_blocker *b;
	int ret = hp_follow(engine, state, hotfix, "reverting", deadline, true, &last, err);

	b = last.blockers;
	if (ret == HP_FOLLOW_COMPLETE)
		ret = 0;
	else if (ret == HP_FOLLOW_INTERRUPTED)
		ret = unfinished(hotfix, err);
	else if (ret == HP_FOLLOW_TIMEOUT && last.blocker_count)
		ret = hp_fail(err, HP_E_KLP_TIMEOUT,
			      "%s is not reverted at the deadline: %u of %u tasks switched, "
			      "%s[%d] has not",
			      hotfix, last.switched, last.total, hp_task_name(b->comm).s, b->pid);
	else if (ret == HP_FOLLOW_TIMEOUT)
		ret = hp_fail(err, HP_E_KLP_TIMEOUT, "%s is not reverted at the deadline", hotfix);
	hp_progress_free(&last);
	return ret;
}

/* The engine waits until a deadline, whatever signal comes: it is given one slice after another. */
static int finish(const struct hp_engine *engine, struct hp_engine_state *state, const char *hotfix,
		  uint64_t deadline, struct hp_error *err)
{
	for (;;) {
		uint64_t slice = hp_now_ns() + SLICE_NS;
		struct hp_error last = { 0 };
		bool over = slice >= deadline;
		int ret = engine->finish(state, hotfix, over ? deadline : slice, &last);

		if (!ret)
			return 0;
		if (over || (last.reason != HP_E_MODULE_BUSY && last.reason != HP_E_KLP_TIMEOUT)) {
			if (err && err->reason == HP_E_NONE)
				*err = last;
			return ret;
		}
		if (hp_interrupted())
			return unfinished(hotfix, err);
	}
}

int hp_engine__undo(const struct hp_engine *engine, struct hp_engine_state *state,
		    const char *hotfix, uint64_t deadline, struct hp_error *err)
{
	int ret = engine->revert(state, hotfix, deadline, err);

	ret = ret ?: follow(engine, state, hotfix, deadline, err);
	return ret ?: finish(engine, state, hotfix, deadline, err);
}
