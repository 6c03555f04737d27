/* SPDX-License-Identifier: GPL-2.0 */
/* Following an activation, or its reversal, to its end or to a deadline. */
#ifndef HP_ENGINES_FOLLOW_H
#define HP_ENGINES_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "engines/engine.h"

enum hp_follow {
	HP_FOLLOW_COMPLETE,
	HP_FOLLOW_TIMEOUT,
	HP_FOLLOW_INTERRUPTED,
};

/*
 * Follow @hotfix until its transition is complete, @deadline (hp_now_ns()) passes, or, if
 * @interruptible, a signal asks to stop, showing a live line that begins with @what: reach, time left, who blocks. @last is
 * the last progress seen; when it is not complete, its blockers have their stacks. Free it with
 * hp_progress_free(). Returns an enum hp_follow or a negative errno with @err filled.
 */
int hp_follow(const struct hp_engine *engine, struct hp_engine_state *state, const char *hotfix,
	      const char *what, uint64_t deadline, bool interruptible, struct hp_progress *last,
	      struct hp_error *err);

#endif
