// SPDX-License-Identifier: GPL-2.0
/* From the options of a rule to the rule. */
#include "verbs/guard_rule.h"

#include <string.h>

#include "engines/guard/rule.h"

bool hp_guard_rule_opts__given(const struct hp_guard_rule_opts *opts)
{
	return opts->value || opts->cgroup || opts->exe || opts->sites || opts->uids.count ||
	       opts->args.count || opts->percent >= 0 || opts->expires_ns != HP_GUARD_NO_TIME ||
	       opts->observe_only || opts->enforce || opts->force;
}

static int set_sites(struct hp_guard_rule *rule, const char *which, struct hp_error *err)
{
	if (!strcmp(which, "all"))
		rule->flags |= HP_GUARD_ALL_SITES;
	else if (!strcmp(which, "refused"))
		rule->flags &= ~(__u32)HP_GUARD_ALL_SITES;
	else
		return hp_fail(err, HP_E_USAGE, "--sites takes refused or all, not '%s'", which);
	return 0;
}

int hp_guard_rule_opts__set(const struct hp_guard_rule_opts *opts, struct hp_guard_rule *rule,
			    struct hp_error *err)
{
	int ret = 0;

	if (opts->observe_only && opts->enforce)
		return hp_fail(err, HP_E_USAGE, "--observe-only and --enforce exclude each other");
	if (opts->value)
		ret = hp_guard_rule__set_value(rule, opts->value, err);
	if (!ret && opts->uids.count)
		ret = hp_guard_rule__set_uids(rule, opts->uids.items, opts->uids.count, err);
	if (!ret && opts->cgroup)
		ret = hp_guard_rule__set_cgroup(rule, opts->cgroup, err);
	if (!ret && opts->exe)
		ret = hp_guard_rule__set_exe(rule, opts->exe, err);
	if (!ret && opts->sites)
		ret = set_sites(rule, opts->sites, err);
	if (opts->percent >= 0)
		hp_guard_rule__set_percent(rule, opts->percent);
	if (opts->expires_ns != HP_GUARD_NO_TIME)
		hp_guard_rule__set_expiry(rule, opts->expires_ns);
	return ret;
}
