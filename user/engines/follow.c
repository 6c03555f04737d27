// SPDX-License-Identifier: GPL-2.0
/* Following an activation, or its reversal, to its end or to a deadline. */
#include "engines/follow.h"

#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/task_name.h"

/*
 * The kernel looks at the tasks once a second (klp_transition_work_fn()), and a task that enters
 * or leaves the kernel switches at once: polling faster shows the end sooner, not more.
 */
#define POLL_MS 10

static void show_line(const char *what, const struct hp_progress *p, uint64_t now,
		      uint64_t deadline)
{
	char who[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < p->blocker_count && used < sizeof(who) - 32; i++)
		used += (size_t)snprintf(who + used, sizeof(who) - used, "%s%s (%d)",
					 i ? ", " : "; waiting for ",
					 hp_task_name(p->blockers[i].comm).s, p->blockers[i].pid);
	hp_progress("%s: %u of %u tasks switched, %.1f s left%s", what, p->switched, p->total,
		    deadline > now ? (double)(deadline - now) / 1e9 : 0.0, who);
}

int hp_follow(const struct hp_engine *engine, struct hp_engine_state *state, const char *hotfix,
	      const char *what, uint64_t deadline, bool interruptible, struct hp_progress *last,
	      struct hp_error *err)
{
	for (;;) {
		uint64_t now = hp_now_ns();
		bool stop = interruptible && hp_interrupted();
		int ret;

		ret = engine->progress(state, hotfix, stop || now >= deadline, last, err);
		if (ret) {
			hp_progress_end();
			return ret;
		}
		if (last->complete || stop || now >= deadline) {
			hp_progress_end();
			if (last->complete)
				return HP_FOLLOW_COMPLETE;
			return stop ? HP_FOLLOW_INTERRUPTED : HP_FOLLOW_TIMEOUT;
		}
		show_line(what, last, now, deadline);
		hp_progress_free(last);
		poll(NULL, 0, POLL_MS);
	}
}
