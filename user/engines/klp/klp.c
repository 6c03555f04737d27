// SPDX-License-Identifier: GPL-2.0
/* The klp engine's table: livepatches found, loaded, followed, read back and removed. */
#include "engines/klp/klp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "engines/klp/list.h"
#include "engines/klp/loader.h"
#include "engines/klp/sysfs.h"
#include "engines/klp/tasks.h"
#include "host/kallsyms.h"
#include "observe/point.h"

#define RETRY_NS (5 * HP_NSEC_PER_MSEC)

struct hp_engine_state {
	struct hp_klp_reader *reader;
};

static void klp_close(struct hp_engine_state *state)
{
	if (!state)
		return;
	hp_klp_reader__close(state->reader);
	free(state);
}

static int klp_open(struct hp_engine_state **out, struct hp_error *err)
{
	struct hp_engine_state *state = calloc(1, sizeof(*state));
	int ret;

	*out = NULL;
	if (!state)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = hp_klp_reader__open(&state->reader, err);
	ret = ret ?: hp_klp_reader__find_list(state->reader, err);
	if (ret) {
		klp_close(state);
		return ret;
	}
	*out = state;
	return 0;
}

/* A module that is no livepatch must not be unloaded by mistake: taint flag K, kernel/panic.c. */
static bool is_livepatch_module(const char *name)
{
	_cleanup_close_ int fd = -1;
	char path[128], taint[32] = "";

	snprintf(path, sizeof(path), "/sys/module/%.63s/taint", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, taint, sizeof(taint) - 1) > 0 && strchr(taint, 'K');
}

/* vmlinux is loaded once; a module that is built in has a folder in sysfs, but no targets. */
static uint64_t load_of(const char *object)
{
	return strcmp(object, "vmlinux") ? hp_klp_sysfs__load(NULL, object) : 0;
}

static void read_old_body(struct hp_klp_reader *reader, struct hp_target *t)
{
	struct hp_klp_body body;

	hp_klp_reader__body(reader, t->old_addr, t->old_size, &body);
	t->old_loops = body.loops;
	t->old_branch = (uint32_t)body.branch.offset;
	t->old_branch_depth = (uint32_t)body.branch.depth;
}

static int klp_discover(struct hp_engine_state *state, const char *hotfix, struct hp_target **out,
			size_t *count, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_klp_snapshot__free) struct hp_klp_snapshot *snap = NULL;
	const struct hp_klp_patch *patch = NULL;
	int ret = hp_klp_list__read(state->reader, &snap, err);

	if (ret)
		return ret;
	if (hotfix) {
		patch = hp_klp_snapshot__find(snap, hotfix);
		if (!patch && is_livepatch_module(hotfix)) {
			/* Disabled or replaced, and not unloaded yet. */
			*out = calloc(1, sizeof(**out));
			*count = 0;
			return *out ? 0 : hp_fail(err, HP_E_NOMEM, "out of memory");
		}
		if (!patch)
			return hp_fail(err, HP_E_KLP_NOT_LOADED, "no livepatch named %s is loaded",
				       hotfix);
	}
	if (hp_klp_snapshot__targets(snap, patch, out, count))
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < *count; i++) {
		struct hp_target *t = &(*out)[i];

		t->old_load = load_of(t->object);
		t->new_load = load_of(t->hotfix);
		if (t->old_addr)
			read_old_body(state->reader, t);
		if (t->new_addr) {
			struct hp_klp_body body;

			hp_klp_reader__body(state->reader, t->new_addr, t->new_size, &body);
			t->new_loops = body.loops;
		}
	}
	return 0;
}

/* From the symbol table: the only way that knows positions. */
static int find_by_table(const struct hp_kallsyms *symbols, struct hp_target *t,
			 struct hp_error *err)
{
	struct hp_symbol symbol;
	int ret = hp_kallsyms__find(symbols, t->object, t->symbol, t->sympos, &symbol);

	if (ret == -ENOTUNIQ)
		return hp_fail(err, HP_E_KLP_AMBIGUOUS, "%s has %zu functions named %s", t->object,
			       hp_kallsyms__count(symbols, t->object, t->symbol), t->symbol);
	if (ret)
		return ret;
	t->old_addr = symbol.address;
	t->old_size = symbol.size;
	return 0;
}

/*
 * By the kernel's own search. It finds the first of several functions of a name; loading the
 * livepatch is refused then (klp_find_object_symbol()), so no call is taken for another's.
 */
static int find_by_kernel(struct hp_klp_reader *reader, struct hp_target *t, struct hp_error *err)
{
	struct hp_klp_symbol symbol;
	int ret = hp_klp_reader__find(reader, t->object, t->symbol, &symbol);

	if (ret == -EPERM)
		return hp_fail(err, HP_E_KLP_HIDDEN, "the kernel hides the address of %s",
			       t->symbol);
	if (ret)
		return ret;
	t->old_addr = symbol.address;
	t->old_size = symbol.size;
	return 0;
}

static int klp_resolve(struct hp_engine_state *state, const struct hp_kallsyms *symbols,
		       struct hp_target *targets, size_t count, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_klp_snapshot__free) struct hp_klp_snapshot *snap = NULL;
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *own = NULL;
	struct hp_klp_symbol text;
	int ret = hp_klp_list__read(state->reader, &snap, err);

	for (size_t i = 0; !ret && i < count; i++) {
		struct hp_target *t = &targets[i];

		if (t->sympos && !symbols) {
			ret = hp_kallsyms__open(&own, NULL, err);
			if (ret)
				return ret;
			symbols = own;
		}
		ret = symbols ? find_by_table(symbols, t, err)
			      : find_by_kernel(state->reader, t, err);
		if (ret == -ENOENT) {
			ret = 0;
			if (strcmp(t->object, "vmlinux") &&
			    !hp_klp_sysfs__module_live(NULL, t->object))
				continue; /* patched when its module comes */
			ret = hp_fail(err, HP_E_KLP_NO_SYMBOL, "%s has no function %s%s%.0lu",
				      t->object, t->symbol, t->sympos > 1 ? " at position " : "",
				      t->sympos > 1 ? (unsigned long)t->sympos : 0ul);
		}
		if (ret)
			return ret;
		t->old_load = load_of(t->object);
		t->entry_taken = hp_klp_snapshot__redirects(snap, t->old_addr);
		t->entry_size = 0;
		if (!hp_klp_reader__at(state->reader, t->old_addr, &text))
			t->entry_size = (uint32_t)hp_klp_entry__size(text.bytes);
		read_old_body(state->reader, t);
	}
	return ret;
}

/* kernel.ftrace_enabled; 1 where it cannot be read. */
static bool ftrace_enabled(void)
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/ftrace_enabled", O_RDONLY | O_CLOEXEC);
	char c;

	return fd < 0 || read(fd, &c, 1) != 1 || c != '0';
}

static int klp_prepare(struct hp_engine_state *state, const struct hp_hotfix *hotfix,
		       struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_klp_snapshot__free) struct hp_klp_snapshot *snap = NULL;
	struct hp_klp_symbol text;
	int ret;

	if (hp_klp_sysfs__module_exists(NULL, hotfix->name))
		return hp_fail(err, HP_E_MODULE_EXISTS, "a module named %s is loaded already",
			       hotfix->name);
	ret = hp_klp_list__read(state->reader, &snap, err);
	if (ret)
		return ret;
	if (snap->ftrace_disabled == 1)
		return hp_fail(err, HP_E_KLP_FTRACE_DEAD,
			       "ftrace has stopped itself: nothing can be redirected");
	if (!ftrace_enabled())
		return hp_fail(err, HP_E_KLP_FTRACE_OFF, "ftrace is switched off");
	/* __klp_enable_patch() takes one transition at a time. */
	for (size_t i = 0; i < snap->count; i++)
		if (snap->patches[i].transition)
			return hp_fail(err, HP_E_KLP_BUSY, "livepatch %s is in transition",
				       snap->patches[i].name);
	for (size_t i = 0; i < hotfix->target_count; i++) {
		const struct hp_target *t = &hotfix->targets[i];

		if (!t->old_addr || hp_klp_reader__at(state->reader, t->old_addr, &text))
			continue;
		if (!hp_klp_entry__traceable(text.bytes))
			return hp_fail(err, HP_E_KLP_NOT_TRACED,
				       "%s of %s does not begin with a call to ftrace", t->symbol,
				       t->object);
	}
	return 0;
}

static int klp_activate(struct hp_engine_state *state, const struct hp_hotfix *hotfix,
			struct hp_error *err)
{
	return hp_klp_loader__load(hotfix->fd, hotfix->name, err);
}

static int klp_progress(struct hp_engine_state *state, const char *hotfix, bool stacks,
			struct hp_progress *out, struct hp_error *err)
{
	int transition = hp_klp_sysfs__transition(NULL, hotfix);
	int enabled = hp_klp_sysfs__enabled(NULL, hotfix);
	bool complete = transition != 1 || enabled < 0;
	int ret;

	/* The tasks of a finished transition are all "undefined", klp_complete_transition(). */
	ret = hp_klp_tasks__read(state->reader, complete ? -1 : enabled, stacks && !complete, out,
				 err);
	if (ret)
		return ret;
	/* It may have ended while the tasks were read: then none of them blocks it. */
	complete = complete || hp_klp_sysfs__transition(NULL, hotfix) != 1;
	out->complete = complete;
	if (complete) {
		/* What has not that state is in another livepatch's transition. */
		uint32_t total = out->total;

		hp_progress_free(out);
		*out = (struct hp_progress){ .complete = true, .switched = total, .total = total };
	}
	return 0;
}

static const struct hp_klp_func *find_func(const struct hp_klp_snapshot *snap,
					   const struct hp_target *t,
					   const struct hp_klp_patch **patch,
					   const struct hp_klp_object **object)
{
	*patch = hp_klp_snapshot__find(snap, t->hotfix);
	for (size_t j = 0; *patch && j < (*patch)->object_count; j++) {
		*object = &(*patch)->objects[j];
		if (strcmp((*object)->name, t->object))
			continue;
		for (size_t k = 0; k < (*object)->func_count; k++) {
			const struct hp_klp_func *func = &(*object)->funcs[k];

			/* Position 0 and 1 are the same function, if 0 is accepted at all. */
			if (!strcmp(func->old_name, t->symbol) &&
			    (func->sympos ?: 1) == (t->sympos ?: 1))
				return func;
		}
	}
	return NULL;
}

/*
 * Does a kprobe stand at @offset of the old body? It is an int3, or a jump once it is optimised
 * (arch/x86/kernel/kprobes/opt.c), which it is not on a branch, that may be such a jump itself. True
 * when that is not known.
 */
static bool has_kprobe(struct hp_klp_reader *reader, const struct hp_target *t, uint32_t offset)
{
	struct hp_klp_symbol text;

	if (!t->old_addr || !offset || hp_klp_reader__at(reader, t->old_addr + offset, &text))
		return true;
	return text.bytes[0] == 0xcc || (text.bytes[0] == 0xe9 && offset != t->old_branch);
}

/*
 * No kprobe in the old body, neither behind the entry nor at the branch. While debugfs'
 * kprobes/enabled is 0, one can be placed there, and does nothing.
 */
static bool is_bare(struct hp_klp_reader *reader, const struct hp_target *t)
{
	return !has_kprobe(reader, t, t->entry_size) &&
	       (!t->old_branch || !has_kprobe(reader, t, t->old_branch));
}

static int klp_read_back(struct hp_engine_state *state, const struct hp_target *targets,
			 size_t count, struct hp_read_back *out, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_klp_snapshot__free) struct hp_klp_snapshot *snap = NULL;
	int ret = hp_klp_list__read(state->reader, &snap, err);

	for (size_t i = 0; !ret && i < count; i++) {
		const struct hp_klp_patch *patch;
		const struct hp_klp_object *object;
		const struct hp_klp_func *func = find_func(snap, &targets[i], &patch, &object);

		if (func) {
			hp_klp_snapshot__read_back(snap, patch, object, func, &out[i]);
			out[i].body_bare = is_bare(state->reader, &targets[i]);
			continue;
		}
		out[i].redirect = HP_REDIRECT_ABSENT;
		snprintf(out[i].reason, sizeof(out[i].reason), "%s",
			 patch ? "the livepatch has no such target"
			       : "the livepatch is not loaded");
	}
	return ret;
}

/*
 * With ftrace dead, unregister_ftrace_function() fails, klp_unpatch_func() only warns about it and
 * frees the ops that the entry may still call (kernel/livepatch/patch.c): never start that.
 */
static int check_revertible(struct hp_engine_state *state, const char *hotfix, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_klp_snapshot__free) struct hp_klp_snapshot *snap = NULL;
	const struct hp_klp_patch *patch;
	int ret = hp_klp_list__read(state->reader, &snap, err);

	if (ret)
		return ret;
	patch = hp_klp_snapshot__find(snap, hotfix);
	if (patch && snap->ftrace_disabled == 1)
		return hp_fail(err, HP_E_KLP_FTRACE_DEAD,
			       "ftrace has stopped itself: %s cannot be removed safely", hotfix);
	if (patch && patch->forced)
		return hp_fail(err, HP_E_KLP_FORCED, "the transition of %s was forced", hotfix);
	return 0;
}

static int klp_revert(struct hp_engine_state *state, const char *hotfix, uint64_t deadline,
		      struct hp_error *err)
{
	const struct timespec pause = { .tv_nsec = RETRY_NS };
	int ret = check_revertible(state, hotfix, err);

	if (ret)
		return ret;
	if (!hp_klp_sysfs__exists(NULL, hotfix)) {
		if (is_livepatch_module(hotfix))
			return 0; /* disabled already, and not unloaded yet */
		return hp_fail(err, HP_E_KLP_NOT_LOADED, "no livepatch named %s is loaded", hotfix);
	}
	/* Another livepatch's transition usually ends soon. */
	for (;;) {
		struct hp_error last = { 0 };

		ret = hp_klp_sysfs__set_enabled(NULL, hotfix, false, &last);
		if (!ret || last.reason == HP_E_KLP_NOT_LOADED) {
			hp_progress_end();
			return 0;
		}
		if (last.reason != HP_E_KLP_BUSY || hp_now_ns() >= deadline) {
			if (err && err->reason == HP_E_NONE)
				*err = last;
			hp_progress_end();
			return ret;
		}
		hp_progress("waiting for another livepatch's transition");
		nanosleep(&pause, NULL);
	}
}

static int klp_cancel_revert(struct hp_engine_state *state, const char *hotfix,
			     struct hp_error *err)
{
	return hp_klp_sysfs__set_enabled(NULL, hotfix, true, err);
}

static int klp_finish(struct hp_engine_state *state, const char *hotfix, uint64_t deadline,
		      struct hp_error *err)
{
	int ret = hp_klp_loader__wait_disabled(hotfix, deadline, err);

	if (ret || !hp_klp_sysfs__module_exists(NULL, hotfix))
		return ret;
	if (!is_livepatch_module(hotfix))
		return hp_fail(err, HP_E_KLP_NOT_LOADED, "module %s is no livepatch", hotfix);
	return hp_klp_loader__unload(hotfix, deadline, err);
}

/*
 * The entry of the target sees every call until a livepatch takes it. From then on no trampoline
 * may stand there; a kprobe may, it shares ftrace with the livepatch. Old code is seen behind the
 * call to ftrace, where only calls that were not redirected come.
 */
static int klp_point(const struct hp_target *target, enum hp_point_role role,
		     struct hp_point *point)
{
	bool new = role == HP_POINT_NEW_ENTRY;

	memset(point, 0, sizeof(*point));
	point->role = role;
	point->address = new ? target->new_addr : target->old_addr;
	if (!point->address)
		return -ENOENT;
	if (role == HP_POINT_OLD_BODY) {
		if (!target->entry_size)
			return -ENOENT;
		point->offset = target->entry_size;
		point->at_most = target->old_loops;
		/*
		 * The kernel makes no jump of a kprobe on a branch (can_boost(), kernel/kprobes/core.c of
		 * arch/x86), so that it need not wait for RCU tasks to take it away. No redirected call
		 * comes there to pay for the breakpoint.
		 */
		point->better_offset = target->old_branch;
		point->better_depth = target->old_branch_depth;
	}
	/*
	 * The kernel and its modules are built alike: the same call opens both. Where a loop comes by
	 * behind it, the entry itself is the one place that every call passes once.
	 */
	if (new && !target->new_loops)
		point->better_offset = target->entry_size;
	snprintf(point->object, sizeof(point->object), "%s", new ? target->hotfix : target->object);
	snprintf(point->symbol, sizeof(point->symbol), "%s",
		 new ? target->replacement : target->symbol);
	/* A trampoline finds its function by name: with several of that name, the first. */
	point->trampoline = (new && !target->new_shared) ||
			    (role == HP_POINT_OLD_ENTRY && !target->entry_taken &&
			     !target->patched && !target->sympos);
	return 0;
}

const struct hp_engine hp_klp_engine = {
	.name = "klp",
	.redirects = "functions of the kernel and of its modules",
	.open = klp_open,
	.close = klp_close,
	.discover = klp_discover,
	.resolve = klp_resolve,
	.prepare = klp_prepare,
	.activate = klp_activate,
	.progress = klp_progress,
	.read_back = klp_read_back,
	.revert = klp_revert,
	.cancel_revert = klp_cancel_revert,
	.finish = klp_finish,
	.point = klp_point,
};
