// SPDX-License-Identifier: GPL-2.0
/* The guard engine's table, and changing a guard that is in place. */
#include "engines/guard/guard.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "engines/guard/cond.h"
#include "engines/guard/load.h"
#include "engines/guard/rule.h"
#include "engines/guard/way_back.h"
#include "host/features.h"
#include "host/kallsyms.h"
#include "host/namespaces.h"

struct hp_engine_state {
	struct hp_btf *btf;	      /* NULL until asked for */
	struct hp_features *features; /* likewise */
	struct hp_guard_program *program;
	struct hp_guard_rule rule; /* what is prepared: with its conditions */
	struct hp_guard_times times;
	uint64_t hits;
	int lock;
};

static const struct hp_guard_hotfix *guard_of(const struct hp_hotfix *hotfix)
{
	return (const struct hp_guard_hotfix *)((const char *)hotfix -
						offsetof(struct hp_guard_hotfix, hotfix));
}

const struct hp_guard_times *hp_guard_engine__times(const struct hp_engine_state *state)
{
	return &state->times;
}

uint64_t hp_guard_engine__way_back_hits(const struct hp_engine_state *state)
{
	return state->hits;
}

static int guard_open(struct hp_engine_state **out, struct hp_error *err)
{
	int ret = hp_bpffs__check_mount(err);

	*out = NULL;
	if (ret)
		return ret;
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	(*out)->lock = -1;
	return 0;
}

static void guard_close(struct hp_engine_state *state)
{
	if (state->program)
		hp_guard_program__close(state->program);
	if (state->btf)
		hp_btf__close(state->btf);
	if (state->features)
		hp_features__close(state->features);
	if (state->lock >= 0)
		close(state->lock);
	free(state);
}

struct hp_btf *hp_guard_engine__btf(struct hp_engine_state *state)
{
	if (!state->btf && hp_btf__open(&state->btf))
		state->btf = NULL;
	return state->btf;
}

static int need_types(struct hp_engine_state *state, struct hp_error *err)
{
	int ret = 0;

	if (!state->features)
		ret = hp_features__open(&state->features, err);
	if (ret || (hp_guard_engine__btf(state) && !hp_btf__load(state->btf)))
		return ret;
	ret = hp_features__require(state->features, HP_FEATURE_BTF, err);
	return ret ?: hp_fail(err, HP_E_GUARD_LOAD, "the kernel's BTF cannot be read");
}

static int take_lock(struct hp_engine_state *state, uint64_t deadline, struct hp_error *err)
{
	uint64_t start = hp_now_ns();

	if (state->lock < 0)
		state->lock = hp_bpffs__lock(deadline, err);
	state->times.lock += hp_now_ns() - start;
	return state->lock < 0 ? state->lock : 0;
}

static int discover(struct hp_engine_state *state, const char *hotfix, struct hp_target **out,
		    size_t *count, struct hp_error *err)
{
	_cleanup_free_ hp_guard_name *names = NULL;
	size_t found = 0;
	int ret = hp_pins__list(&names, &found, err);

	*count = 0;
	*out = ret ? NULL : calloc(found + 1, sizeof(**out));
	if (ret || !*out)
		return ret ?: hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < found; i++) {
		struct hp_target *t = &(*out)[*count];
		struct hp_guard guard;

		if (hotfix && strcmp(hotfix, names[i]))
			continue;
		if (hp_guard__open(&guard, names[i], NULL))
			continue;
		snprintf(t->hotfix, sizeof(t->hotfix), "%s", names[i]);
		snprintf(t->object, sizeof(t->object), "vmlinux");
		if (guard.patch)
			snprintf(t->symbol, sizeof(t->symbol), "%s", guard.patch->function);
		t->patched = hp_guard__state(&guard) != HP_GUARD_OFF;
		t->entry_taken = guard.fd[HP_PIN_LINK] >= 0;
		hp_guard__close(&guard);
		(*count)++;
	}
	return 0;
}

static int resolve(struct hp_engine_state *state, const struct hp_kallsyms *symbols,
		   struct hp_target *targets, size_t count, struct hp_error *err)
{
	struct hp_symbol symbol;

	for (size_t i = 0; symbols && i < count; i++)
		if (!hp_kallsyms__find(symbols, targets[i].object, targets[i].symbol, 0, &symbol))
			targets[i].old_addr = symbol.address;
	return 0;
}

/* The replacement of a function that is livepatched is no security hook any more. */
static int check_not_livepatched(const char *function, struct hp_error *err)
{
	char pattern[HP_GUARD_FUNCTION_MAX + 64];
	glob_t found = { 0 };
	int ret = 0;

	snprintf(pattern, sizeof(pattern), "/sys/kernel/livepatch/*/vmlinux/%s,*", function);
	if (!glob(pattern, GLOB_NOSORT, NULL, &found) && found.gl_pathc) {
		const char *patch = found.gl_pathv[0] + strlen("/sys/kernel/livepatch/");

		ret = hp_fail(err, HP_E_GUARD_LIVEPATCHED, "%s is replaced by the livepatch %.*s",
			      function, (int)strcspn(patch, "/"), patch);
	}
	globfree(&found);
	return ret;
}

static int check_free(const char *name, struct hp_error *err)
{
	struct hp_guard guard;
	enum hp_guard_status status;

	if (hp_guard__open(&guard, name, NULL))
		return 0;
	status = hp_guard__status(&guard);
	hp_guard__close(&guard);
	/* With the lock in hand: whoever began it is dead. */
	if (status == HP_GUARD_IS_UNFINISHED)
		return hp_pins__remove(name, err);
	return hp_fail(err, HP_E_GUARD_EXISTS, "there is a guard %s (%s)", name,
		       hp_guard_status_name(status));
}

static int parse_args(struct hp_engine_state *state, const struct hp_guard_hotfix *g,
		      const char *function, enum hp_guard_kind kind, struct hp_guard_rule *rule,
		      struct hp_error *err)
{
	const struct btf *types;
	int id, ret = 0;

	rule->cond_count = (__u32)g->arg_count;
	if (!g->arg_count)
		return 0;
	types = hp_btf__vmlinux(state->btf);
	id = hp_guard_attach_id(state->btf, function, kind);
	if (!types || id < 0)
		return hp_fail(err, HP_E_GUARD_UNKNOWN, "this kernel has no function %s", function);
	if (g->arg_count > HP_GUARD_CONDS)
		return hp_fail(err, HP_E_GUARD_ARG, "a guard has at most %d conditions",
			       HP_GUARD_CONDS);
	for (size_t i = 0; !ret && i < g->arg_count; i++)
		ret = hp_guard_cond__parse(&rule->conds[i], types, (uint32_t)id, g->args[i], err);
	return ret;
}

static int check_value(const struct hp_guard_rule *rule, bool code, struct hp_error *err)
{
	if (rule->value || code)
		return 0;
	return hp_fail(err, HP_E_GUARD_RETURN,
		       "a guard without code cannot answer with anything: name an error");
}

/* What needs no lock: the function and the program, up to the verifier. */
static int load(struct hp_engine_state *state, const struct hp_guard_hotfix *g,
		struct hp_error *err)
{
	struct hp_guard_patch patch = { .magic = HP_GUARD_MAGIC, .version = HP_GUARD_VERSION };
	int ret;

	strcpy(patch.name, g->hotfix.name);
	strcpy(patch.function, g->function);
	patch.made_time = (__u64)time(NULL);
	ret = need_types(state, err);
	ret = ret ?: check_not_livepatched(g->function, err);
	ret = ret
		      ?: hp_guard_program__load(&state->program, state->btf, state->features,
						&patch, g->kind, g->code, err);
	if (ret)
		return ret;
	state->rule = g->rule;
	state->rule.set_time = patch.made_time;
	return parse_args(state, g, g->function, hp_guard_program__kind(state->program),
			  &state->rule, err);
}

static int check_names(const struct hp_guard_hotfix *g, struct hp_error *err)
{
	int ret = hp_pins__check_name(g->hotfix.name, err);

	if (!ret && strlen(g->function) >= HP_GUARD_FUNCTION_MAX)
		ret = hp_fail(err, HP_E_GUARD_UNKNOWN, "this kernel has no function %s",
			      g->function);
	return ret ?: check_value(&g->rule, g->code != NULL, err);
}

int hp_guard_engine__try(struct hp_engine_state *state, const struct hp_guard_hotfix *g,
			 struct hp_error *err)
{
	int ret = check_names(g, err);

	return ret ?: load(state, g, err);
}

static int prepare(struct hp_engine_state *state, const struct hp_hotfix *hotfix,
		   struct hp_error *err)
{
	const struct hp_guard_hotfix *g = guard_of(hotfix);
	uint64_t start;
	int ret = check_names(g, err);

	ret = ret ?: take_lock(state, g->deadline, err);
	ret = ret ?: check_free(hotfix->name, err);
	start = hp_now_ns();
	ret = ret ?: load(state, g, err);
	state->times.load = hp_now_ns() - start;
	return ret;
}

/* Refuse what would refuse its own removal. */
static int check_way_back(struct hp_engine_state *state, struct hp_guard *guard,
			  const struct hp_guard_rule *rule, bool force, struct hp_error *err)
{
	uint64_t start = hp_now_ns();
	int ret = 0;

	/* The program knows processes by the numbers that they have outside. */
	if (hp_ns__is_initial("pid", HP_NS_PID))
		ret = hp_way_back__test(guard, rule, &state->hits, err);
	else if (!force)
		ret = hp_fail(err, HP_E_GUARD_WAY_BACK,
			      "whether %s would refuse its own removal cannot be tested in a pid "
			      "namespace",
			      guard->name);
	state->times.test = hp_now_ns() - start;
	if (ret || !state->hits)
		return ret;
	if (force) {
		hp_warn("%s would turn away calls (%llu of them) by which hotproof removes it: --force",
			guard->name, (unsigned long long)state->hits);
		return 0;
	}
	return hp_fail(err, HP_E_GUARD_WAY_BACK,
		       "%s of %s would turn away calls (%llu of them) by which hotproof removes it",
		       guard->name, guard->patch->function, (unsigned long long)state->hits);
}

/* The last moment at which nothing is turned away yet. */
static int check_budget(const struct hp_guard_hotfix *g, struct hp_error *err)
{
	if (hp_now_ns() < g->deadline)
		return 0;
	return hp_fail(err, HP_E_BUDGET, "the budget was used up before %s was switched",
		       g->hotfix.name);
}

/* The one write. */
static void switch_on(struct hp_engine_state *state, struct hp_guard *guard,
		      const struct hp_guard_rule *rule, bool observe_only)
{
	uint64_t start;

	hp_guard__put(guard, rule);
	start = hp_now_ns();
	hp_guard__flip(guard, observe_only ? HP_GUARD_OBSERVE : HP_GUARD_ENFORCE);
	state->times.activate = hp_now_ns() - start;
}

static int pin_all(struct hp_engine_state *state, const char *name, struct hp_error *err)
{
	struct hp_guard_program *program = state->program;
	uint64_t start = hp_now_ns();
	int ret;

	ret = hp_pins__make(name, err);
	if (ret == -EEXIST)
		return hp_fail(err, HP_E_GUARD_EXISTS, "another hotfix is called %s", name);
	for (int pin = 0; !ret && pin < HP_PIN_LINK; pin++)
		ret = hp_pins__pin(name, (enum hp_pin)pin,
				   hp_guard_program__fd(program, (enum hp_pin)pin), err);
	if (ret)
		return ret;
	state->times.pin = hp_now_ns() - start;
	start = hp_now_ns();
	ret = hp_guard_program__attach(program, err);
	state->times.attach = hp_now_ns() - start;
	start = hp_now_ns();
	ret = ret
		      ?: hp_pins__pin(name, HP_PIN_LINK, hp_guard_program__fd(program, HP_PIN_LINK),
				      err);
	state->times.pin += hp_now_ns() - start;
	return ret;
}

/*
 * Everything is in place, and does nothing, before the patch map is written: a loader that dies on
 * the way leaves the function as it was.
 */
static int activate(struct hp_engine_state *state, const struct hp_hotfix *hotfix,
		    struct hp_error *err)
{
	const struct hp_guard_hotfix *g = guard_of(hotfix);
	struct hp_guard guard = { 0 };
	struct hp_error ignored = { 0 };
	int ret;

	ret = pin_all(state, hotfix->name, err);
	if (err && err->reason == HP_E_GUARD_EXISTS)
		return ret;
	ret = ret ?: hp_guard__open(&guard, hotfix->name, err);
	if (!ret && !guard.patch)
		ret = hp_fail(err, HP_E_INTERNAL, "the patch map cannot be mapped");
	if (!ret && !g->observe_only)
		ret = check_way_back(state, &guard, &state->rule, g->force, err);
	ret = ret ?: check_budget(g, err);
	if (!ret)
		switch_on(state, &guard, &state->rule, g->observe_only);
	hp_guard__close(&guard);
	if (ret && hp_pins__remove(hotfix->name, &ignored))
		hp_warn("%s", ignored.message);
	return ret;
}

/* A store to a map is seen by every CPU at once. */
static int progress(struct hp_engine_state *state, const char *hotfix, bool stacks,
		    struct hp_progress *out, struct hp_error *err)
{
	memset(out, 0, sizeof(*out));
	out->complete = true;
	return 0;
}

static int read_back(struct hp_engine_state *state, const struct hp_target *targets, size_t count,
		     struct hp_read_back *out, struct hp_error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct hp_guard guard;

		out[i] = (struct hp_read_back){ .redirect = HP_REDIRECT_ABSENT,
						.reason = "there is no such guard" };
		if (hp_guard__open(&guard, targets[i].hotfix, NULL))
			continue;
		hp_guard__read_back(&guard, &out[i]);
		hp_guard__close(&guard);
	}
	return 0;
}

static int revert(struct hp_engine_state *state, const char *hotfix, uint64_t deadline,
		  struct hp_error *err)
{
	struct hp_guard guard;
	uint64_t start;
	int ret = take_lock(state, deadline, err);

	ret = ret ?: hp_guard__open(&guard, hotfix, err);
	if (ret)
		return ret;
	/* One that is switched off, and stays, is neither there nor gone. */
	ret = hp_pins__check_removable(hotfix, err);
	start = hp_now_ns();
	if (!ret && guard.patch)
		hp_guard__switch_off(&guard);
	state->times.activate = hp_now_ns() - start;
	hp_guard__close(&guard);
	return ret;
}

static int cancel_revert(struct hp_engine_state *state, const char *hotfix, struct hp_error *err)
{
	return hp_fail(err, HP_E_INTERNAL, "a guard that is off is not switched on again");
}

static int finish(struct hp_engine_state *state, const char *hotfix, uint64_t deadline,
		  struct hp_error *err)
{
	uint64_t start = hp_now_ns();
	int ret = hp_pins__remove(hotfix, err);

	state->times.detach = hp_now_ns() - start;
	return ret;
}

/* The guard's own program is the only one at the function: it counts what it decides. */
static int point(const struct hp_target *target, enum hp_point_role role, struct hp_point *point)
{
	return -ENOENT;
}

/* The guard @name, if it can be changed; the caller closes it. */
static int open_active(struct hp_guard *guard, const char *name, struct hp_error *err)
{
	struct hp_read_back read_back;
	int ret = hp_guard__open(guard, name, err);

	if (ret)
		return ret;
	hp_guard__read_back(guard, &read_back);
	if (guard->foreign)
		ret = hp_fail(err, HP_E_GUARD_VERSION, "guard %s was made by another hotproof",
			      name);
	else if (read_back.redirect == HP_REDIRECT_BROKEN)
		ret = hp_fail(err, HP_E_GUARD_DAMAGED, "guard %s is broken: %s", name,
			      read_back.reason);
	else if (hp_guard__state(guard) == HP_GUARD_OFF)
		ret = hp_fail(err, HP_E_GUARD_DAMAGED, "guard %s is unfinished", name);
	if (ret)
		hp_guard__close(guard);
	return ret;
}

int hp_guard_engine__begin_change(struct hp_engine_state *state, const char *name,
				  uint64_t deadline, struct hp_guard_rule *rule, bool *observe_only,
				  struct hp_error *err)
{
	struct hp_guard guard;
	int ret = take_lock(state, deadline, err);

	ret = ret ?: open_active(&guard, name, err);
	if (ret)
		return ret;
	*rule = *hp_guard__rule(&guard);
	*observe_only = hp_guard__state(&guard) == HP_GUARD_OBSERVE;
	hp_guard__close(&guard);
	return 0;
}

int hp_guard_engine__change(struct hp_engine_state *state, const struct hp_guard_hotfix *change,
			    struct hp_error *err)
{
	struct hp_guard_rule rule = change->rule;
	uint64_t start = hp_now_ns();
	struct hp_guard guard;
	int ret = open_active(&guard, change->hotfix.name, err);

	if (ret)
		return ret;
	ret = check_value(&rule, guard.patch->code, err);
	if (!ret && change->args_given) {
		ret = need_types(state, err);
		ret = ret
			      ?: parse_args(state, change, guard.patch->function,
					    (enum hp_guard_kind)guard.patch->kind, &rule, err);
		state->times.load = hp_now_ns() - start;
	}
	rule.set_time = (__u64)time(NULL);
	if (!ret && !change->observe_only)
		ret = check_way_back(state, &guard, &rule, change->force, err);
	ret = ret ?: check_budget(change, err);
	if (!ret)
		switch_on(state, &guard, &rule, change->observe_only);
	hp_guard__close(&guard);
	return ret;
}

const struct hp_engine hp_guard_engine = {
	.name = "guard",
	.redirects = "a kernel function that allows fmod_ret or LSM programs",
	.open = guard_open,
	.close = guard_close,
	.discover = discover,
	.resolve = resolve,
	.prepare = prepare,
	.activate = activate,
	.progress = progress,
	.read_back = read_back,
	.revert = revert,
	.cancel_revert = cancel_revert,
	.finish = finish,
	.point = point,
};
