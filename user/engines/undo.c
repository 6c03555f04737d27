// SPDX-License-Identifier: GPL-2.0
/* Undoing a hotfix in one call. */
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "engines/engine.h"

#define POLL_NS (5 * HP_NSEC_PER_MSEC)

static int wait_complete(const struct hp_engine *engine, struct hp_engine_state *state,
			 const char *hotfix, uint64_t deadline, struct hp_error *err)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };

	for (;;) {
		struct hp_progress progress;
		bool late = hp_now_ns() >= deadline;
		int ret = engine->progress(state, hotfix, late, &progress, err);

		if (ret)
			return ret;
		if (progress.complete) {
			hp_progress_free(&progress);
			return 0;
		}
		if (late) {
			const struct hp_blocker *b = progress.blockers;

			if (progress.blocker_count)
				ret = hp_fail(err, HP_E_KLP_TIMEOUT,
					      "%s is not reverted at the deadline: %u of %u tasks "
					      "switched, %s[%d] has not",
					      hotfix, progress.switched, progress.total, b->comm,
					      b->pid);
			else
				ret = hp_fail(err, HP_E_KLP_TIMEOUT,
					      "%s is not reverted at the deadline", hotfix);
			hp_progress_free(&progress);
			return ret;
		}
		hp_progress_free(&progress);
		nanosleep(&pause, NULL);
	}
}

int hp_engine__undo(const struct hp_engine *engine, struct hp_engine_state *state,
		    const char *hotfix, uint64_t deadline, struct hp_error *err)
{
	int ret = engine->revert(state, hotfix, deadline, err);

	ret = ret ?: wait_complete(engine, state, hotfix, deadline, err);
	return ret ?: engine->finish(state, hotfix, deadline, err);
}
