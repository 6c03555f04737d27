/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guard that is pinned: its patch map, its counters, its link. Everything is read from the kernel's
 * objects, so any process can, not only the one that made it.
 */
#ifndef HP_ENGINES_GUARD_STATE_H
#define HP_ENGINES_GUARD_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "engines/engine.h"
#include "engines/guard/pins.h"
#include "hotproof/guard.h"

struct hp_guard {
	char name[HP_GUARD_NAME_MAX];
	int fd[HP_PINS];	      /* negative: a negative errno, why it is not there */
	struct hp_guard_patch *patch; /* mapped, shared with the program; NULL: not readable */
	bool foreign;		      /* its patch map has another version of the format */
};

/* Sums over all shards, and what the kernel itself counts. */
struct hp_guard_counts {
	struct hp_guard_counters sum; /* first_ns the smallest, last_ns the largest */
	uint64_t missed; /* calls for which the kernel did not run the program: they passed */
};

struct hp_guard_caller_line {
	struct hp_guard_caller caller;
	struct hp_guard_caller_calls calls;
};

struct hp_guard_site_line {
	uint64_t address; /* behind the call */
	struct hp_guard_site_calls calls;
};

/* What a guard does now. */
enum hp_guard_status {
	HP_GUARD_IS_UNFINISHED, /* its loader is at work or died: it does nothing */
	HP_GUARD_IS_OBSERVING,
	HP_GUARD_IS_ENFORCING,
	HP_GUARD_IS_EXPIRED, /* its time is over: it does nothing */
	HP_GUARD_IS_FOREIGN, /* it cannot be read: another version made it */
};

/*
 * Open what is pinned under @name. 0 also when parts are missing; -ENOENT, with @err filled, when
 * there is no such guard at all. hp_guard__close() it.
 */
int hp_guard__open(struct hp_guard *guard, const char *name, struct hp_error *err);
void hp_guard__close(struct hp_guard *guard);

/* The id of its patch map, by which it is told from another guard of that name; 0: it has none. */
uint32_t hp_guard__id(const struct hp_guard *guard);

enum hp_guard_status hp_guard__status(const struct hp_guard *guard);
const char *hp_guard_status_name(enum hp_guard_status status);

/* The state that the patch map says, and the rule that holds; NULL without a patch map. */
enum hp_guard_state hp_guard__state(const struct hp_guard *guard);
const struct hp_guard_rule *hp_guard__rule(const struct hp_guard *guard);

/*
 * Writers only, with the lock. Put @rule beside the one that holds, to be tested by @testers or to
 * hold next; then make it hold with @state: one store, seen by every CPU at once. Returns when no
 * CPU decides by the old one any more. The end of a test is not waited for: a call that is still at
 * it asks for its testers, which have made theirs.
 */
void hp_guard__put(struct hp_guard *guard, const struct hp_guard_rule *rule);
void hp_guard__test(struct hp_guard *guard, bool on);
void hp_guard__flip(struct hp_guard *guard, enum hp_guard_state state);

/* The word that says that nothing is turned away any more; the rule stays. Returns as above. */
void hp_guard__switch_off(struct hp_guard *guard);

int hp_guard__counts(const struct hp_guard *guard, struct hp_guard_counts *out,
		     struct hp_error *err);

/* Who was turned away or observed, most calls first; *lines is malloc'ed. */
int hp_guard__callers(const struct hp_guard *guard, struct hp_guard_caller_line **lines,
		      size_t *count, struct hp_error *err);

/* The call sites that calls were counted for, most calls first; *lines is malloc'ed. */
int hp_guard__sites(const struct hp_guard *guard, struct hp_guard_site_line **lines, size_t *count,
		    struct hp_error *err);

/* Is the program in place that decides by this patch map? */
void hp_guard__read_back(const struct hp_guard *guard, struct hp_read_back *out);

/*
 * Did its loader die, or has somebody taken its link away? Then it does nothing, and what is left of
 * it can go. Why, in one line. Only with the lock: otherwise its loader may be at work.
 */
bool hp_guard__is_left_over(const struct hp_guard *guard, char *why, size_t size);

/* Nanoseconds of CLOCK_BOOTTIME, the clock that bpf_ktime_get_boot_ns() reads too. */
uint64_t hp_boot_ns(void);

#endif
