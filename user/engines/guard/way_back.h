/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Would a guard refuse hotproof's own way back? It is walked while the rule is only tested: every
 * call of it that the rule would turn away is counted, and passes.
 */
#ifndef HP_ENGINES_GUARD_WAY_BACK_H
#define HP_ENGINES_GUARD_WAY_BACK_H

#include <stdint.h>

#include "base/error.h"
#include "engines/guard/state.h"

/* The operand of the verb guard by which hotproof runs itself for the test. */
#define HP_WAY_BACK "way-back"

/*
 * Try @rule on @guard, whatever that does meanwhile: a second hotproof is started, which does what
 * removing the guard takes. *hits is the number of its calls, and of ours, that @rule would turn
 * away. With the lock.
 */
int hp_way_back__test(struct hp_guard *guard, const struct hp_guard_rule *rule, uint64_t *hits,
		      struct hp_error *err);

/* What that second hotproof does. */
int hp_way_back__walk(const char *name, struct hp_error *err);

#endif
