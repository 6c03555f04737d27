/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard engine: a kernel function's calls are taken over by an fmod_ret or LSM program that
 * returns an error in its place. What it decides by is the patch map, which outlives the loader.
 */
#ifndef HP_ENGINES_GUARD_GUARD_H
#define HP_ENGINES_GUARD_GUARD_H

#include "engines/engine.h"
#include "engines/guard/state.h"
#include "host/btf.h"
#include "hotfix/guard_object.h"

extern const struct hp_engine hp_guard_engine;

/* A guard as it is asked for; ->hotfix is what the engine's functions are given. */
struct hp_guard_hotfix {
	struct hp_hotfix hotfix; /* name; no file */
	const char *function;
	const struct hp_guard_object *code; /* an author's, of ->function and ->kind; NULL: none */
	enum hp_guard_kind kind;	    /* 0: the first that works */
	struct hp_guard_rule rule;	    /* without conditions: they need the function's types */
	const char *const *args;	    /* these are the conditions, */
	size_t arg_count;
	bool args_given; /* (of a change: they replace those that are there) */
	bool observe_only;
	bool force;	   /* also when it would refuse hotproof's own way back */
	uint64_t deadline; /* of hp_now_ns(): for the lock, and to be switched at all */
};

/* What a change took, in nanoseconds, in this order; 0 for what was not done. */
struct hp_guard_times {
	uint64_t lock;
	uint64_t load; /* types, conditions, program */
	uint64_t attach;
	uint64_t pin;
	uint64_t test;	   /* of the way back */
	uint64_t activate; /* from the write to the patch map until no CPU decides by the old */
	uint64_t detach; /* unpinned, and detached with that unless somebody else holds the link */
};

/* Of the last change; and how many calls of the way back it would turn away. */
const struct hp_guard_times *hp_guard_engine__times(const struct hp_engine_state *state);
uint64_t hp_guard_engine__way_back_hits(const struct hp_engine_state *state);

/*
 * Would this kernel take it? Its program is loaded and attached to nothing, nobody is waited for, and whether a
 * guard of that name is there already is not asked.
 */
int hp_guard_engine__try(struct hp_engine_state *state, const struct hp_guard_hotfix *g,
			 struct hp_error *err);

/* The kernel's types, read when first needed; NULL when there are none. */
struct hp_btf *hp_guard_engine__btf(struct hp_engine_state *state);

/*
 * Take the lock, by @deadline, and read the rule that holds for guard @name, to be changed. Refused
 * for a guard that is unfinished or was made by another version.
 */
int hp_guard_engine__begin_change(struct hp_engine_state *state, const char *name,
				  uint64_t deadline, struct hp_guard_rule *rule, bool *observe_only,
				  struct hp_error *err);

/*
 * Let the rule of @change hold for the guard of that name: enforced, or observed only. One store
 * switches; the program stays. Of the conditions, those that are there stay unless args_given.
 */
int hp_guard_engine__change(struct hp_engine_state *state, const struct hp_guard_hotfix *change,
			    struct hp_error *err);

#endif
