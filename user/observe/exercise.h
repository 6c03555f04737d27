/* SPDX-License-Identifier: GPL-2.0 */
/* --exercise: a workload whose calls the observer can tell from all others. */
#ifndef HP_OBSERVE_EXERCISE_H
#define HP_OBSERVE_EXERCISE_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "observe/observer.h"

struct hp_exercise;

/*
 * Start `/bin/sh -c @command`, its standard output on our standard error (ours is the report's).
 * Before the shell runs, its task is marked in @obs, and every task that it forks is marked too.
 * The shell dies with us. 0 or a negative errno with @err filled.
 */
int hp_exercise__start(struct hp_exercise **out, const char *command, struct hp_observer *obs,
		       struct hp_error *err);

/* Wait up to @ms for its end. True once it has ended. */
bool hp_exercise__wait(struct hp_exercise *ex, int ms);

/* Its exit status as a shell gives it: 128 + n for signal n; -1 while it runs. */
int hp_exercise__status(const struct hp_exercise *ex);

/* Kill what still runs of it (its process group) and free. */
void hp_exercise__close(struct hp_exercise *ex);
HP_DEFINE_CLEANUP(struct hp_exercise *, hp_exercise__close)

#endif
