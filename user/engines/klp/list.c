// SPDX-License-Identifier: GPL-2.0
/* The kernel's own list of livepatches, record by record through the BPF cursor. */
#include "engines/klp/list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "engines/klp/sysfs.h"
#include "bpf/klp_list.lskel.h"

#define RECORDS_MAX 65536 /* a list that a freed node bent into a circle ends here */
#define WALKS_MAX   16
#define WALK_PAUSE  (2 * HP_NSEC_PER_MSEC)

/* One walk: the records as they came. They hold no padding, so equal lists are equal bytes. */
struct walk {
	struct hp_klp_step *steps;
	size_t count;
	size_t room;
	uint64_t transition_patch; /* klp_transition_patch */
	int target_state;
};

static void walk_free(struct walk *walk)
{
	free(walk->steps);
}

static int walk_append(struct walk *walk, const struct hp_klp_step *step)
{
	if (walk->count == walk->room) {
		size_t room = walk->room ? walk->room * 2 : 16;
		struct hp_klp_step *grown = realloc(walk->steps, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		walk->steps = grown;
		walk->room = room;
	}
	walk->steps[walk->count++] = *step;
	return 0;
}

static uint64_t read_word(struct hp_klp_reader *reader, const char *variable)
{
	struct hp_klp_symbol symbol;

	return hp_klp_reader__find(reader, "vmlinux", variable, &symbol) ? 0 : symbol.word;
}

/* 0 for a whole walk, -EAGAIN when the list changed under it. */
static int walk_once(struct hp_klp_reader *reader, struct walk *walk)
{
	struct hp_klp_step *step = &reader->list->bss->hp_step;
	int ret;

	walk->count = 0;
	walk->transition_patch = read_word(reader, "klp_transition_patch");
	walk->target_state = (int)read_word(reader, "klp_target_state");
	memset(step, 0, sizeof(*step));
	step->head = reader->klp_patches;
	for (;;) {
		/* The union's rest would be the last record's. */
		memset(&step->p, 0, sizeof(*step) - offsetof(struct hp_klp_step, p));
		ret = hp_klp_reader__run(reader->list->progs.hp_klp_next.prog_fd);
		if (ret)
			return ret;
		if (step->error || walk->count >= RECORDS_MAX)
			return -EAGAIN;
		if (step->kind == HP_KLP_END)
			return 0;
		ret = walk_append(walk, step);
		if (ret)
			return ret;
	}
}

static bool same(const struct walk *a, const struct walk *b)
{
	return a->count == b->count && a->transition_patch == b->transition_patch &&
	       a->target_state == b->target_state &&
	       (!a->count || !memcmp(a->steps, b->steps, a->count * sizeof(*a->steps)));
}

/* "symbol [module]", as %ps prints it, to "symbol"; an address that has no symbol to "". */
static void copy_symbol(char *to, size_t size, const char *from)
{
	if (!strncmp(from, "0x", 2))
		from = "";
	snprintf(to, size, "%.*s", (int)strcspn(from, " "), from);
}

static int add_patch(struct hp_klp_snapshot *snap, const struct hp_klp_step *step,
		     uint64_t transition_patch)
{
	struct hp_klp_patch *patch = hp_klp_snapshot__add_patch(snap);

	if (!patch)
		return -ENOMEM;
	snprintf(patch->name, sizeof(patch->name), "%s", step->p.name);
	patch->enabled = step->p.enabled;
	patch->replace = step->p.replace;
	patch->forced = step->p.forced;
	patch->transition = step->p.address == transition_patch;
	return 0;
}

static int add_object(struct hp_klp_patch *patch, const struct hp_klp_step *step)
{
	struct hp_klp_object *object = hp_klp_patch__add_object(patch);

	if (!object)
		return -ENOMEM;
	snprintf(object->name, sizeof(object->name), "%s",
		 step->o.name[0] ? step->o.name : "vmlinux");
	object->loaded = step->o.loaded;
	object->patched = step->o.patched;
	return 0;
}

static int add_func(struct hp_klp_object *object, const struct hp_klp_step *step)
{
	const struct hp_klp_func_record *r = &step->f;
	struct hp_klp_func *func = hp_klp_object__add_func(object);

	if (!func)
		return -ENOMEM;
	snprintf(func->old_name, sizeof(func->old_name), "%s", r->old_name);
	copy_symbol(func->new_name, sizeof(func->new_name), r->new_name);
	func->address = r->address;
	func->sympos = r->sympos;
	func->old_addr = r->old_func;
	func->new_addr = r->new_func;
	func->old_size = r->old_size;
	func->new_size = r->new_size;
	func->nop = r->nop;
	func->patched = r->patched;
	func->transition = r->transition;
	func->have_ops = r->ops_found;
	func->ops_flags = r->ops_flags;
	func->trampoline = r->trampoline;
	func->trampoline_size = r->trampoline_size;
	func->top_func = r->top_func;
	copy_symbol(func->ops_func, sizeof(func->ops_func), r->ops_func_name);
	func->have_entry = r->entry_read;
	memcpy(func->entry, r->entry, sizeof(func->entry));
	return 0;
}

static int build(struct hp_klp_snapshot *snap, const struct walk *walk)
{
	struct hp_klp_patch *patch;
	int ret = 0;

	for (size_t i = 0; i < walk->count && !ret; i++) {
		const struct hp_klp_step *step = &walk->steps[i];

		patch = snap->count ? &snap->patches[snap->count - 1] : NULL;
		if (step->kind == HP_KLP_PATCH)
			ret = add_patch(snap, step, walk->transition_patch);
		else if (step->kind == HP_KLP_OBJECT)
			ret = add_object(patch, step);
		else
			ret = add_func(&patch->objects[patch->object_count - 1], step);
	}
	return ret;
}

static int read_stable(struct hp_klp_reader *reader, struct walk *walk, bool *unstable,
		       struct hp_error *err)
{
	const struct timespec pause = { .tv_nsec = WALK_PAUSE };
	__cleanup(walk_free) struct walk last = { 0 };
	int ret = -EAGAIN, last_ret = -EAGAIN;

	for (int i = 0; i < WALKS_MAX; i++) {
		if (i > 1)
			nanosleep(&pause, NULL);
		ret = walk_once(reader, walk);
		if (ret && ret != -EAGAIN)
			return hp_fail_errno(err, HP_E_KLP_READER, ret,
					     "cannot walk the kernel's livepatch list");
		if (!ret && !last_ret && same(walk, &last))
			return 0;
		if (i < WALKS_MAX - 1) {
			struct walk swap = last;

			last = *walk;
			*walk = swap;
			last_ret = ret;
		}
	}
	if (ret)
		return hp_fail(err, HP_E_KLP_UNSTABLE,
			       "the kernel's livepatch list changed during each of %d walks",
			       WALKS_MAX);
	*unstable = true;
	return 0;
}

int hp_klp_list__read(struct hp_klp_reader *reader, struct hp_klp_snapshot **out,
		      struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_klp_snapshot__free) struct hp_klp_snapshot *snap = NULL;
	__cleanup(walk_free) struct walk walk = { 0 };
	struct hp_klp_symbol symbol;
	int ret = hp_klp_reader__find_list(reader, err);

	if (ret)
		return ret;
	snap = calloc(1, sizeof(*snap));
	if (!snap)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	snap->source = HP_KLP_FROM_KERNEL;
	ret = read_stable(reader, &walk, &snap->unstable, err);
	if (ret)
		return ret;
	if (build(snap, &walk))
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	snap->target_state = walk.transition_patch ? walk.target_state : -1;
	snap->ftrace_disabled = hp_klp_sysfs__ftrace_disabled(NULL);
	if (!hp_klp_reader__find(reader, "vmlinux", "ftrace_disabled", &symbol))
		snap->ftrace_disabled = (int)symbol.word != 0;
	hp_klp_snapshot__resolve(snap);
	*out = snap;
	snap = NULL;
	return 0;
}
