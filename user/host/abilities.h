/* SPDX-License-Identifier: GPL-2.0 */
/* Which verbs and engines work on this host, given what it can do. */
#ifndef HP_HOST_ABILITIES_H
#define HP_HOST_ABILITIES_H

#include "host/features.h"

#define HP_NEEDS_MAX   12
#define HP_CHOICES_MAX 3

/* Any one of these features will do; a list of needs ends with one of no choices. */
struct hp_need {
	enum hp_feature_id choice[HP_CHOICES_MAX];
	uint8_t count;
};

struct hp_ability {
	const char *name;
	bool engine;			    /* otherwise a verb */
	struct hp_need needs[HP_NEEDS_MAX]; /* without one of these it does not work at all */
	struct hp_need wants[HP_NEEDS_MAX]; /* without one of these it works, with less */
};

enum hp_ability_state {
	HP_ABILITY_WORKS,
	HP_ABILITY_LIMITED, /* works, without something */
	HP_ABILITY_NOT_HERE,
};

/* What follows for one ability. The pointers lead into the table of abilities. */
struct hp_outcome {
	const struct hp_ability *ability;
	enum hp_ability_state state;
	const struct hp_need *blocked_by[HP_NEEDS_MAX];
	size_t blocked_count;
	const struct hp_need *without[HP_NEEDS_MAX];
	size_t without_count;
};

/* The @i-th ability, or NULL behind the last one. */
const struct hp_ability *hp_ability__row(size_t i);

/* The ability called @name, or NULL. */
const struct hp_ability *hp_ability__find(const char *name);

/* Try what @ability needs and wants, as far as that is not known yet. */
void hp_ability__judge(const struct hp_ability *ability, struct hp_features *features,
		       struct hp_outcome *out);

/* 0 when @ability works here, if with less; otherwise a negative errno with the cause in @err. */
int hp_ability__require(const struct hp_ability *ability, struct hp_features *features,
			struct hp_error *err);

const char *hp_ability_state_name(enum hp_ability_state state);

/* "fentry or kprobe" */
void hp_need__describe(const struct hp_need *need, char *buf, size_t size);

#endif
