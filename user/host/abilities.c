// SPDX-License-Identifier: GPL-2.0
/* The table of verbs and engines with what each takes from the host, and reading it. */
#include "host/abilities.h"

#include <stdio.h>
#include <string.h>

#define F(id)                                             \
	{                                                 \
		.choice = { HP_FEATURE_##id }, .count = 1 \
	}
#define EITHER(a, b)                                                     \
	{                                                                \
		.choice = { HP_FEATURE_##a, HP_FEATURE_##b }, .count = 2 \
	}

/*
 * The order of the needs is the order in which they are worth naming: the first one that is not
 * met is the reason that is given.
 */
static const struct hp_ability table[] = {
	{ .name = "check" },
	{ .name = "inspect" },
	{
		.name = "apply",
		.needs = { F(LIVEPATCH), F(MODULE_LOAD), F(KLP_CONTROL), F(FTRACE), F(BPF),
			   EITHER(FENTRY, KPROBE), F(KLP_LIST) },
		.wants = { F(UNSIGNED_MODULES), F(RELIABLE_STACK), F(FENTRY), F(KPROBE),
			   F(MODULE_BTF), F(BPF_IDS), F(TASK_ITER), F(TASK_STACK), F(KALLSYMS),
			   F(KERNEL_IMAGE), F(TP_BTF) },
	},
	{
		.name = "verify",
		.needs = { F(LIVEPATCH), F(BPF), EITHER(FENTRY, KPROBE), F(KLP_LIST) },
		.wants = { F(FTRACE), F(FENTRY), F(KPROBE), F(MODULE_BTF), F(BPF_IDS), F(TASK_ITER),
			   F(KALLSYMS), F(KERNEL_IMAGE), F(TP_BTF) },
	},
	{
		.name = "measure",
		.needs = { F(BPF), EITHER(FENTRY, KPROBE), EITHER(FEXIT, KRETPROBE),
			   F(TASK_STORAGE) },
		.wants = { F(FENTRY), F(FEXIT), F(KPROBE), F(MODULE_BTF), F(BPF_IDS), F(KLP_LIST) },
	},
	{
		.name = "status",
		.needs = { F(LIVEPATCH) },
		.wants = { F(KLP_LIST), F(TASK_ITER), F(TASK_STACK), F(KALLSYMS) },
	},
	{
		.name = "revert",
		.needs = { F(LIVEPATCH), F(KLP_CONTROL), F(MODULE_LOAD) },
		.wants = { EITHER(FENTRY, KPROBE), F(KLP_LIST), F(TASK_ITER), F(TASK_STACK) },
	},
	{
		.name = "recover",
		.needs = { F(LIVEPATCH), F(KLP_CONTROL), F(MODULE_LOAD) },
		.wants = { F(KLP_LIST), F(TASK_STACK) },
	},
	{
		.name = "klp",
		.engine = true,
		.needs = { F(LIVEPATCH), F(MODULE_LOAD), F(KLP_CONTROL), F(FTRACE) },
		.wants = { F(UNSIGNED_MODULES), F(RELIABLE_STACK), F(KLP_LIST), F(TASK_ITER),
			   F(TASK_STACK) },
	},
	{
		.name = "guard",
		.engine = true,
		.needs = { F(BPF), F(BTF), EITHER(FMOD_RET, LSM) },
		.wants = { F(FMOD_RET), F(LSM) },
	},
};

const struct hp_ability *hp_ability__row(size_t i)
{
	return i < sizeof(table) / sizeof(table[0]) ? &table[i] : NULL;
}

const struct hp_ability *hp_ability__find(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

static bool is_met(const struct hp_need *need, struct hp_features *features)
{
	for (size_t i = 0; i < need->count; i++)
		if (hp_features__has(features, need->choice[i]))
			return true;
	return false;
}

static size_t collect_unmet(const struct hp_need *needs, struct hp_features *features,
			    const struct hp_need **unmet)
{
	size_t count = 0;

	for (const struct hp_need *need = needs; need < needs + HP_NEEDS_MAX && need->count; need++)
		if (!is_met(need, features))
			unmet[count++] = need;
	return count;
}

void hp_ability__judge(const struct hp_ability *ability, struct hp_features *features,
		       struct hp_outcome *out)
{
	memset(out, 0, sizeof(*out));
	out->ability = ability;
	out->blocked_count = collect_unmet(ability->needs, features, out->blocked_by);
	out->without_count = collect_unmet(ability->wants, features, out->without);
	out->state = out->blocked_count	  ? HP_ABILITY_NOT_HERE
		     : out->without_count ? HP_ABILITY_LIMITED
					  : HP_ABILITY_WORKS;
}

int hp_ability__require(const struct hp_ability *ability, struct hp_features *features,
			struct hp_error *err)
{
	const struct hp_need *unmet[HP_NEEDS_MAX];
	const struct hp_finding *found;
	char what[96];

	if (!collect_unmet(ability->needs, features, unmet))
		return 0;
	/* Of a choice, the first is the one to have. */
	found = hp_features__get(features, unmet[0]->choice[0]);
	hp_need__describe(unmet[0], what, sizeof(what));
	if (err && err->reason == HP_E_NONE)
		snprintf(err->detail, sizeof(err->detail), "%s", found->log);
	return hp_fail(err, found->cause, "%s does not work here without %s: %s", ability->name,
		       what, found->why);
}

const char *hp_ability_state_name(enum hp_ability_state state)
{
	static const char *const names[] = {
		[HP_ABILITY_WORKS] = "works",
		[HP_ABILITY_LIMITED] = "limited",
		[HP_ABILITY_NOT_HERE] = "not here",
	};

	return names[state];
}

void hp_need__describe(const struct hp_need *need, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < need->count && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? " or " : "",
					hp_feature__row(need->choice[i])->name);
}
