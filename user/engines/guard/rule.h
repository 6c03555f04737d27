/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A rule from what people write. Each function sets one thing and leaves the others; "any" lifts a
 * limit. What cannot be found on this host is refused with HP_E_GUARD_SCOPE.
 */
#ifndef HP_ENGINES_GUARD_RULE_H
#define HP_ENGINES_GUARD_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "hotproof/guard.h"

/* No limit at all, and no value yet. */
void hp_guard_rule__init(struct hp_guard_rule *rule);

/* "EPERM", "-EPERM" or "1": what the callers get; "any": what the guard's code says. */
int hp_guard_rule__set_value(struct hp_guard_rule *rule, const char *text, struct hp_error *err);

/* Names or numbers of users. */
int hp_guard_rule__set_uids(struct hp_guard_rule *rule, const char *const *texts, size_t count,
			    struct hp_error *err);

/* A cgroup of version 2, absolute or below its mount; those in it are in scope too. */
int hp_guard_rule__set_cgroup(struct hp_guard_rule *rule, const char *path, struct hp_error *err);

/* The program that a process runs, by its file: device and inode, whatever its name; no script. */
int hp_guard_rule__set_exe(struct hp_guard_rule *rule, const char *path, struct hp_error *err);

/*
 * Is what was named not there any more, or another one by now, as from here it looks? Calls are compared with
 * what was there when it was named.
 */
bool hp_guard_rule__cgroup_gone(const struct hp_guard_rule *rule);
bool hp_guard_rule__exe_gone(const struct hp_guard_rule *rule);

/* 0 to 100 percent of the processes. */
void hp_guard_rule__set_percent(struct hp_guard_rule *rule, double percent);

/* It ends in so many nanoseconds; 0: never. */
void hp_guard_rule__set_expiry(struct hp_guard_rule *rule, uint64_t in_ns);

/* "EPERM" for 1; "" when the number has no name. */
const char *hp_errno_name(int number);

#endif
