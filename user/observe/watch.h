/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A watch: an observation window over the targets of one or more hotfixes. Points are armed,
 * the window runs (for a time, a workload, or until every target was called), and what was seen
 * is collected target by target.
 */
#ifndef HP_OBSERVE_WATCH_H
#define HP_OBSERVE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "observe/observer.h"

struct hp_watch;

/* How many targets were called often enough, of those that are to be, and all calls. */
struct hp_exercised {
	size_t exercised, wanted;
	uint64_t calls;
};

/* How long a window lasts. It ends early when SIGINT, SIGTERM or SIGHUP comes. */
struct hp_window {
	enum hp_pm_state state; /* what its calls are counted under; HP_PM_OFF before and after */
	uint64_t for_ns;	/* at most so long; 0: until the workload ends */
	const char *exercise;	/* a shell command to run in it, or NULL; its end ends the window */
	bool until_exercised;	/* or once every target had @min_calls calls at @role */
	uint64_t min_calls;	/* 0 is taken as 1 */
	enum hp_point_role role;
	/* Says so instead, where what is a target is not one of the watch's; or NULL. */
	void (*count)(void *arg, struct hp_exercised *out);
	void *count_arg;
	bool uninterruptible; /* a signal does not end it: undoing runs because of one */
	const char *what;     /* for the progress line: "verifying", … */
};

/* What became of a window. */
struct hp_window_result {
	uint64_t ns;		/* how long it was */
	bool exercised;		/* a workload was run, */
	bool exercise_finished; /* ended by itself, */
	int exercise_status;	/* and with this status */
	bool interrupted;
};

/* One point of one target, as it was observed. */
struct hp_watch_point {
	bool armed;
	struct hp_point point;
	enum hp_method method;
	struct hp_error obstacle; /* why it is not armed */
	struct hp_counts counts;  /* of the state asked for; misses may be HP_COUNT_UNKNOWN */
	struct hp_caller *callers;
	size_t caller_count;
};

/* What was seen of one target in one state. */
struct hp_watch_result {
	struct hp_watch_point point[HP_POINT_ROLES];
};

void hp_watch_result_free(struct hp_watch_result *result);

/* A watch over @opts->targets targets; nothing is attached. It belongs to the caller. */
int hp_watch__open(struct hp_watch **out, const struct hp_observer_opts *opts,
		   struct hp_error *err);
void hp_watch__close(struct hp_watch *watch);
HP_DEFINE_CLEANUP(struct hp_watch *, hp_watch__close)

struct hp_observer *hp_watch__observer(struct hp_watch *watch);

/*
 * Arm one point. A point that cannot be armed is kept with its obstacle, for the report; the
 * return value says whether it is armed (0) or not (negative errno).
 */
int hp_watch__arm(struct hp_watch *watch, size_t target, const struct hp_point *point, bool time);
void hp_watch__disarm(struct hp_watch *watch, size_t target, enum hp_point_role role);

/* Target @i need not be called for a window to be over. */
void hp_watch__set_optional(struct hp_watch *watch, size_t target);

/* Run a window. Fails only when the workload cannot be started. */
int hp_watch__run(struct hp_watch *watch, const struct hp_window *window,
		  struct hp_window_result *result, struct hp_error *err);

/* What was seen of @target in @state; free it with hp_watch_result_free(). */
int hp_watch__collect(struct hp_watch *watch, size_t target, enum hp_pm_state state,
		      struct hp_watch_result *result);

#endif
