// SPDX-License-Identifier: GPL-2.0
/* A watch: points armed, a window run, what was seen collected. */
#include "observe/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "observe/exercise.h"

#define POLL_MS 20

struct watched {
	bool optional;
	struct hp_watch_point point[HP_POINT_ROLES];
};

struct hp_watch {
	struct hp_observer *observer;
	struct watched *targets;
	size_t count;
	bool callers;
	bool scope;
};

int hp_watch__open(struct hp_watch **out, const struct hp_observer_opts *opts, struct hp_error *err)
{
	struct hp_watch *watch = calloc(1, sizeof(*watch));
	int ret;

	if (watch)
		watch->targets = calloc(opts->targets + 1, sizeof(*watch->targets));
	if (!watch || !watch->targets) {
		free(watch);
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	watch->count = opts->targets;
	watch->callers = opts->callers;
	watch->scope = opts->scope;
	ret = hp_observer__open(&watch->observer, opts, err);
	if (ret) {
		hp_watch__close(watch);
		return ret;
	}
	*out = watch;
	return 0;
}

void hp_watch__close(struct hp_watch *watch)
{
	if (watch->observer)
		hp_observer__close(watch->observer);
	free(watch->targets);
	free(watch);
}

struct hp_observer *hp_watch__observer(struct hp_watch *watch)
{
	return watch->observer;
}

int hp_watch__arm(struct hp_watch *watch, size_t target, const struct hp_point *point, bool time)
{
	struct hp_watch_point *p = &watch->targets[target].point[point->role];
	struct hp_armed armed;
	int ret;

	memset(p, 0, sizeof(*p));
	p->point = *point;
	ret = hp_observer__arm(watch->observer, target, point, time, &armed, &p->obstacle);
	p->armed = !ret;
	p->method = armed.method;
	if (ret)
		return ret;
	p->point.offset = armed.offset;
	hp_debug("%s+0x%llx: %s", point->symbol, (unsigned long long)armed.offset,
		 hp_method_name(armed.method));
	return 0;
}

void hp_watch__disarm(struct hp_watch *watch, size_t target, enum hp_point_role role)
{
	hp_observer__disarm(watch->observer, target, role);
}

static void count_exercised(struct hp_watch *watch, const struct hp_window *window,
			    struct hp_exercised *out)
{
	memset(out, 0, sizeof(*out));
	if (window->count) {
		window->count(window->count_arg, out);
		return;
	}
	for (size_t i = 0; i < watch->count; i++) {
		uint64_t n = hp_observer__calls(watch->observer, i, window->role, window->state);

		out->calls += n;
		out->wanted += !watch->targets[i].optional;
		out->exercised += n >= (window->min_calls ?: 1) && !watch->targets[i].optional;
	}
}

void hp_watch__set_optional(struct hp_watch *watch, size_t target)
{
	watch->targets[target].optional = true;
}

int hp_watch__run(struct hp_watch *watch, const struct hp_window *window,
		  struct hp_window_result *result, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_exercise__close) struct hp_exercise *ex = NULL;
	uint64_t start, end, now;

	memset(result, 0, sizeof(*result));
	hp_observer__set_state_all(watch->observer, window->state);
	start = hp_now_ns();
	end = window->for_ns ? start + window->for_ns : UINT64_MAX;
	if (window->exercise) {
		int ret = hp_exercise__start(&ex, window->exercise,
					     watch->scope ? watch->observer : NULL, err);

		if (ret) {
			hp_observer__set_state_all(watch->observer, HP_PM_OFF);
			return ret;
		}
		result->exercised = true;
	}
	for (now = start; now < end; now = hp_now_ns()) {
		uint64_t left_ms = (end - now) / HP_NSEC_PER_MSEC + 1;
		int ms = left_ms < POLL_MS ? (int)left_ms : POLL_MS;
		struct hp_exercised seen;

		if (!window->uninterruptible && hp_interrupted()) {
			result->interrupted = true;
			break;
		}
		if (!ex)
			poll(NULL, 0, ms);
		else if (hp_exercise__wait(ex, ms))
			break;
		count_exercised(watch, window, &seen);
		if (window->until_exercised && seen.exercised == seen.wanted)
			break;
		hp_progress("%s: %zu of %zu targets called, %llu calls, %.0f s", window->what,
			    seen.exercised, seen.wanted, (unsigned long long)seen.calls,
			    (double)(hp_now_ns() - start) / 1e9);
	}
	hp_observer__set_state_all(watch->observer, HP_PM_OFF);
	result->ns = hp_now_ns() - start;
	hp_progress_end();
	if (ex) {
		result->exercise_status = hp_exercise__status(ex);
		result->exercise_finished = result->exercise_status >= 0;
	}
	return 0;
}

int hp_watch__collect(struct hp_watch *watch, size_t target, enum hp_pm_state state,
		      struct hp_watch_result *result)
{
	int ret = 0;

	memset(result, 0, sizeof(*result));
	for (int role = 0; role < HP_POINT_ROLES && !ret; role++) {
		struct hp_watch_point *p = &result->point[role];

		*p = watch->targets[target].point[role];
		if (!p->armed)
			continue;
		ret = hp_observer__read(watch->observer, target, role, state, &p->counts);
		if (!hp_method_counts_misses(p->method))
			p->counts.misses = HP_COUNT_UNKNOWN;
		if (!ret && watch->callers)
			ret = hp_observer__read_callers(watch->observer, target, role, state,
							&p->callers, &p->caller_count);
	}
	if (ret)
		hp_watch_result_free(result);
	return ret;
}

void hp_watch_result_free(struct hp_watch_result *result)
{
	for (int role = 0; role < HP_POINT_ROLES; role++)
		free(result->point[role].callers);
	memset(result, 0, sizeof(*result));
}
