/* SPDX-License-Identifier: GPL-2.0 */
/* The options by which people say whose calls a guard turns away, for guard add and set and for apply. */
#ifndef HP_VERBS_GUARD_RULE_H
#define HP_VERBS_GUARD_RULE_H

#include <stdbool.h>

#include "base/options.h"
#include "engines/guard/guard.h"

#define HP_GUARD_NO_TIME UINT64_MAX

struct hp_guard_rule_opts {
	const char *value, *cgroup, *exe, *sites;
	struct hp_strings uids, args;
	double percent;	     /* negative: not given */
	uint64_t expires_ns; /* HP_GUARD_NO_TIME: not given */
	bool observe_only, enforce, force;
};

#define HP_GUARD_RULE_UNSET                                     \
	{                                                       \
		.percent = -1.0, .expires_ns = HP_GUARD_NO_TIME \
	}

/* @o is a struct hp_guard_rule_opts. */
#define HP_GUARD_RULE_OPTIONS(o)                                                                  \
	{ "return", HP_OPT_STRING, &(o).value, "ERRNO",                                           \
	  "what callers in scope get, such as EPERM" },                                           \
		{ "uid", HP_OPT_STRINGS, &(o).uids, "USER",                                       \
		  "only calls of this user; may be given more than once" },                       \
		{ "cgroup", HP_OPT_ONE, &(o).cgroup, "PATH",                                      \
		  "only of this cgroup and those in it" },                                        \
		{ "exe", HP_OPT_ONE, &(o).exe, "PATH", "only of processes that run this file" },  \
		{ "percent", HP_OPT_PERCENT, &(o).percent, "N",                                   \
		  "only of so many of the processes (100)" },                                     \
		{ "arg", HP_OPT_STRINGS, &(o).args, "'N OP VALUE'",                               \
		  "only with such an argument; may be given more than once" },                    \
		{ "expires", HP_OPT_DURATION, &(o).expires_ns, "TIME",                            \
		  "end by itself after this time; 0s: never" },                                   \
		{ "observe-only", HP_OPT_FLAG, &(o).observe_only, NULL,                           \
		  "let the calls pass, and count them" },                                         \
		{ "force", HP_OPT_FLAG, &(o).force, NULL,                                         \
		  "even if hotproof could not take it away again" },                              \
	{                                                                                         \
		"sites", HP_OPT_STRING, &(o).sites, "WHICH",                                      \
			"calls counted by call site: refused (the default), or all, which costs " \
			"those that pass time"                                                    \
	}

/* Was any of them given? */
bool hp_guard_rule_opts__given(const struct hp_guard_rule_opts *opts);

/* What was given, over what @rule says. The conditions are not among it: the engine reads them. */
int hp_guard_rule_opts__set(const struct hp_guard_rule_opts *opts, struct hp_guard_rule *rule,
			    struct hp_error *err);

#endif
