// SPDX-License-Identifier: GPL-2.0
/* The bpf engine: its table of functions. */
#include "engines/bpf/bpf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/log.h"
#include "engines/bpf/change.h"
#include "engines/bpf/handover.h"
#include "engines/bpf/load.h"
#include "engines/bpf/pins.h"
#include "host/bpffs.h"
#include "observe/point.h"

struct hp_engine_state {
	struct hp_bpf_object *object;
	const struct hp_bpf_program *program;
	struct hp_bpf_activation *activation;
	struct hp_held_links
		before; /* the hotfix that lets the functions go; none: they are free */
};

static int bpf_engine_open(struct hp_engine_state **out, struct hp_error *err)
{
	struct hp_engine_state *state = calloc(1, sizeof(*state));

	if (!state)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	*out = state;
	return 0;
}

static void bpf_engine_close(struct hp_engine_state *state)
{
	hp_held_links__close(&state->before);
	free(state);
}

void hp_bpf_engine__take(struct hp_engine_state *state, struct hp_bpf_object *object,
			 const struct hp_bpf_program *program, struct hp_bpf_activation *activation)
{
	state->activation = activation;
	state->object = object;
	state->program = program;
}

/* The object of a target: a name may be that of several programs, the id tells them apart. */
static void name_object(struct hp_target *t, const char *name, uint32_t id)
{
	snprintf(t->object, sizeof(t->object), "%s[%u]", name, id);
}

static void set_old(struct hp_target *t, const struct hp_bpf_program *program,
		    const struct hp_bpf_function *function)
{
	name_object(t, program->name, program->id);
	snprintf(t->symbol, sizeof(t->symbol), "%s", function->name);
	t->old_program = program->id;
	t->old_addr = function->address;
	t->old_size = function->size;
	t->exclusive = true;
}

struct hp_target *hp_bpf_engine__targets(const struct hp_bpf_object *object,
					 const struct hp_bpf_program *program)
{
	struct hp_target *targets = calloc(object->forward_count + 1, sizeof(*targets));

	for (size_t i = 0; targets && i < object->forward_count; i++) {
		const struct hp_bpf_forward *forward = &object->forwards[i];
		const struct hp_bpf_function *f =
			hp_bpf_program__function(program, forward->target);
		struct hp_target *t = &targets[i];

		if (f)
			set_old(t, program, f);
		name_object(t, program->name, program->id);
		snprintf(t->hotfix, sizeof(t->hotfix), "%s", object->name);
		snprintf(t->symbol, sizeof(t->symbol), "%s", forward->target);
		snprintf(t->replacement, sizeof(t->replacement), "%s", forward->replacement);
	}
	return targets;
}

/* One target from what a link says; -ENOENT: the link is gone, or replaces nothing. */
static int describe_link(int fd, const char *hotfix, struct hp_target *out, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_bpf_program__close) struct hp_bpf_program *old = NULL, *new = NULL;
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);
	struct hp_error gone = { 0 };
	int ret;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.type != BPF_LINK_TYPE_TRACING)
		return -ENOENT;
	ret = hp_bpf_program__open(&old, info.tracing.target_obj_id, &gone);
	ret = ret ?: hp_bpf_program__open(&new, info.prog_id, &gone);
	if (ret && gone.reason == HP_E_BPF_NO_PROGRAM)
		return -ENOENT;
	if (ret) {
		if (err)
			*err = gone;
		return ret;
	}
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < old->function_count; i++)
		if (old->functions[i].type_id == info.tracing.target_btf_id)
			set_old(out, old, &old->functions[i]);
	if (!out->symbol[0])
		return -ENOENT;
	snprintf(out->hotfix, sizeof(out->hotfix), "%s", hotfix);
	out->new_program = new->id;
	out->patched = true;
	out->entry_taken = true;
	if (new->function_count) {
		snprintf(out->replacement, sizeof(out->replacement), "%s", new->functions[0].name);
		out->new_addr = new->functions[0].address;
		out->new_size = new->functions[0].size;
	}
	return 0;
}

static int append(struct hp_target **all, size_t *count, const struct hp_target *target)
{
	struct hp_target *grown = realloc(*all, (*count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	grown[*count] = *target;
	*all = grown;
	(*count)++;
	return 0;
}

/* Those that nobody pinned as a hotfix: another tool's, by the number of the link. */
static int discover_foreign(const char *hotfix, struct hp_target **all, size_t *count,
			    struct hp_error *err)
{
	_cleanup_free_ struct hp_bpf_holder *holders = NULL;
	size_t holder_count, ours = *count;
	struct hp_error why = { 0 };
	int ret = hp_bpf_holders__list(&holders, &holder_count, &why);

	/* Only CAP_SYS_ADMIN sees the links of others; livepatches are seen without it. */
	if (ret == -EPERM && !hotfix) {
		hp_debug("replacements that other tools hold are not seen: %s", why.message);
		return 0;
	}
	if (ret && err)
		*err = why;
	for (size_t i = 0; !ret && i < holder_count; i++) {
		_cleanup_close_ int fd = -1;
		struct hp_target target;
		char name[32];
		bool known = false;

		snprintf(name, sizeof(name), "link:%u", holders[i].link_id);
		if (!holders[i].replaces || (hotfix && strcmp(hotfix, name)))
			continue;
		for (size_t j = 0; j < ours; j++)
			known |= (*all)[j].new_program == holders[i].program_id;
		fd = known ? -1 : bpf_link_get_fd_by_id(holders[i].link_id);
		if (fd < 0)
			continue;
		ret = describe_link(fd, name, &target, err);
		if (!ret && append(all, count, &target))
			ret = hp_fail(err, HP_E_NOMEM, "out of memory");
		if (ret == -ENOENT)
			ret = 0;
	}
	return ret;
}

static int bpf_engine_discover(struct hp_engine_state *state, const char *hotfix,
			       struct hp_target **out, size_t *count, struct hp_error *err)
{
	_cleanup_free_ struct hp_link_pin *pins = NULL;
	_cleanup_free_ struct hp_target *all = NULL;
	size_t pin_count = 0, n = 0;
	struct hp_error why = { 0 };
	int ret = hp_link_pins__list(&pins, &pin_count, &why);

	/* Livepatches are seen by who cannot read the pins. */
	if (ret == -EACCES && !hotfix) {
		hp_debug("what hotproof replaced is not seen: %s", why.message);
		ret = 0;
	}
	if (ret && err)
		*err = why;

	for (size_t i = 0; !ret && i < pin_count; i++) {
		_cleanup_close_ int fd = -1;
		struct hp_target target;

		if (hotfix && strcmp(hotfix, pins[i].hotfix))
			continue;
		fd = hp_link_pins__get(&pins[i]);
		if (fd == -EPERM || fd == -EACCES)
			return hp_fail_errno(err, HP_E_BPF_PRIVILEGE, fd,
					     "the pins of %s cannot be read", pins[i].hotfix);
		ret = fd < 0 ? -ENOENT : describe_link(fd, pins[i].hotfix, &target, err);
		if (!ret && append(&all, &n, &target))
			ret = hp_fail(err, HP_E_NOMEM, "out of memory");
		if (ret == -ENOENT)
			ret = 0; /* taken away meanwhile */
	}
	ret = ret ?: discover_foreign(hotfix, &all, &n, err);
	if (ret)
		return ret;
	*out = all;
	*count = n;
	all = NULL;
	return 0;
}

static int bpf_engine_resolve(struct hp_engine_state *state, const struct hp_kallsyms *symbols,
			      struct hp_target *targets, size_t count, struct hp_error *err)
{
	for (size_t i = 0; i < count; i++)
		if (!hp_bpf_program__function(state->program, targets[i].symbol))
			return hp_fail(err, HP_E_BPF_FUNCTION,
				       "%s of program %u has no function %s", state->program->name,
				       state->program->id, targets[i].symbol);
	return 0;
}

/* The functions of the object, by name. */
static const char **target_names(const struct hp_bpf_object *object)
{
	const char **names = calloc(object->forward_count + 1, sizeof(*names));

	for (size_t i = 0; names && i < object->forward_count; i++)
		names[i] = object->forwards[i].target;
	return names;
}

static int find_handover(struct hp_engine_state *state, struct hp_error *err)
{
	_cleanup_free_ const char **names = target_names(state->object);

	if (!names)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	return hp_handover__find(&state->before, state->program, names,
				 state->object->forward_count, err);
}

/* Only tracing programs are in the way of a handover; what holds a function was looked at. */
static size_t without_replacements(struct hp_bpf_holder *holders, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (!holders[i].replaces)
			holders[kept++] = holders[i];
	return kept;
}

static int bpf_engine_prepare(struct hp_engine_state *state, const struct hp_hotfix *hotfix,
			      struct hp_error *err)
{
	const struct hp_bpf_object *object = state->object;
	_cleanup_free_ struct hp_bpf_holder *holders = NULL;
	size_t holder_count;
	int ret;

	if (object->baseline[0] && strcmp(object->baseline, state->program->tag))
		return hp_fail(err, HP_E_BPF_BASELINE,
			       "%s was made for the program with tag %s, and that of %s is %s",
			       object->path, object->baseline, state->program->name,
			       state->program->tag);
	if (!state->program->btf)
		return hp_fail(err, HP_E_BPF_FUNCTION,
			       "program %u (%s) was loaded without BTF: its functions have no "
			       "signature",
			       state->program->id, state->program->name);
	ret = hp_bpffs__check_mount(err);
	ret = ret ?: bpf_engine_resolve(state, NULL, hotfix->targets, hotfix->target_count, err);
	if (!ret && state->activation->replace)
		ret = find_handover(state, err);
	ret = ret ?: hp_link_pins__check_room(hotfix->name, state->before.hotfix, err);
	ret = ret ?: hp_bpf_holders__list(&holders, &holder_count, err);
	if (!ret && state->before.count)
		holder_count = without_replacements(holders, holder_count);
	for (size_t i = 0; !ret && i < hotfix->target_count; i++)
		ret = hp_bpf_replaceable(state->program,
					 hp_bpf_program__function(state->program,
								  hotfix->targets[i].symbol),
					 holders, holder_count, err);
	/* The verifier has the last word, before the first change. */
	return ret ?: hp_bpf_object__load(state->object, state->program, err);
}

static int bpf_engine_activate(struct hp_engine_state *state, const struct hp_hotfix *hotfix,
			       struct hp_error *err)
{
	struct hp_bpf_activation *a = state->activation;
	struct hp_bpf_change change = {
		.object = state->object,
		.program = state->program,
		.before = &state->before,
	};
	int ret = hp_bpf_change__apply(&change, err);

	if (ret)
		return ret;
	snprintf(a->before, sizeof(a->before), "%s", state->before.hotfix);
	a->gap_ns = change.gap_ns;
	return 0;
}

/* There is no transition: the entry is one jump, written before the link exists. */
static int bpf_engine_progress(struct hp_engine_state *state, const char *hotfix, bool stacks,
			       struct hp_progress *out, struct hp_error *err)
{
	memset(out, 0, sizeof(*out));
	out->complete = true;
	return 0;
}

/* Tail calls into a main function get past its replacement. A kernel that lets a map have it does not say so. */
static void look_for_tail_calls(const struct hp_bpf_program *program,
				const struct hp_bpf_function *f, struct hp_read_back *out)
{
	size_t len = strlen(out->reason);
	char map[48];

	if (f != &program->functions[0] || hp_bpf_tail_calls__find(program->id, map, sizeof(map)))
		return;
	out->bypassed = true;
	snprintf(out->reason + len, sizeof(out->reason) - len,
		 "; tail calls by map %s still run the old code, and cannot be counted", map);
}

static int bpf_engine_read_back(struct hp_engine_state *state, const struct hp_target *targets,
				size_t count, struct hp_read_back *out, struct hp_error *err)
{
	_cleanup_free_ struct hp_bpf_holder *holders = NULL;
	size_t holder_count;
	int ret = hp_bpf_holders__list(&holders, &holder_count, err);

	for (size_t i = 0; !ret && i < count; i++) {
		const struct hp_target *t = &targets[i];
		const struct hp_bpf_holder *in_place = NULL, *other = NULL;
		__cleanup(hp_cleanup_hp_bpf_program__close) struct hp_bpf_program *old = NULL;
		const struct hp_bpf_function *f = NULL;

		if (!hp_bpf_program__open(&old, t->old_program, NULL))
			f = hp_bpf_program__function(old, t->symbol);
		for (size_t j = 0; f && j < holder_count; j++) {
			const struct hp_bpf_holder *h = &holders[j];

			if (!h->replaces || h->target_id != old->id ||
			    h->target_type_id != f->type_id)
				continue;
			if (h->program_id == t->new_program)
				in_place = h;
			else
				other = h;
		}
		if (in_place) {
			out[i].redirect = HP_REDIRECT_IN_PLACE;
			snprintf(out[i].reason, sizeof(out[i].reason),
				 "link %u holds it for program %u", in_place->link_id,
				 in_place->program_id);
			look_for_tail_calls(old, f, &out[i]);
		} else if (other) {
			out[i].redirect = HP_REDIRECT_BROKEN;
			snprintf(out[i].reason, sizeof(out[i].reason),
				 "link %u holds it for program %u, not ours", other->link_id,
				 other->program_id);
		} else {
			out[i].redirect = HP_REDIRECT_ABSENT;
			snprintf(out[i].reason, sizeof(out[i].reason), "%s",
				 f ? "no link replaces it" : "the program is gone");
		}
	}
	return ret;
}

/* Who applies holds the lock already, and what he took over goes back to whom it was taken from. */
static int bpf_engine_revert(struct hp_engine_state *state, const char *hotfix, uint64_t deadline,
			     struct hp_error *err)
{
	_cleanup_close_ int lock = -1;

	if (strchr(hotfix, ':'))
		return hp_fail(err, HP_E_BPF_NOT_APPLIED,
			       "%s was not applied by hotproof: whoever holds it has to let it go",
			       hotfix);
	if (state->object)
		return hp_bpf_change__revert(hotfix, &state->before, err);
	lock = hp_bpffs__lock(deadline, err);
	return lock < 0 ? lock : hp_bpf_change__revert(hotfix, NULL, err);
}

static int bpf_engine_cancel_revert(struct hp_engine_state *state, const char *hotfix,
				    struct hp_error *err)
{
	return hp_fail(err, HP_E_STUCK, "%s is gone already", hotfix);
}

/* The links are gone when revert() returns. */
static int bpf_engine_finish(struct hp_engine_state *state, const char *hotfix, uint64_t deadline,
			     struct hp_error *err)
{
	return 0;
}

static int bpf_engine_point(const struct hp_target *target, enum hp_point_role role,
			    struct hp_point *point)
{
	bool new = role == HP_POINT_NEW_ENTRY;

	memset(point, 0, sizeof(*point));
	point->role = role;
	/* At a replaced entry the kernel itself refuses a trampoline (docs/kernel-hazards.md, 3). */
	if (role == HP_POINT_OLD_BODY)
		return -ENOENT;
	point->program = new ? target->new_program : target->old_program;
	if (!point->program)
		return -ENOENT;
	snprintf(point->symbol, sizeof(point->symbol), "%s",
		 new ? target->replacement : target->symbol);
	snprintf(point->object, sizeof(point->object), "%s", target->object);
	point->trampoline = true;
	return 0;
}

const struct hp_engine hp_bpf_engine = {
	.name = "bpf",
	.redirects = "functions of loaded BPF programs",
	.open = bpf_engine_open,
	.close = bpf_engine_close,
	.discover = bpf_engine_discover,
	.resolve = bpf_engine_resolve,
	.prepare = bpf_engine_prepare,
	.activate = bpf_engine_activate,
	.progress = bpf_engine_progress,
	.read_back = bpf_engine_read_back,
	.revert = bpf_engine_revert,
	.cancel_revert = bpf_engine_cancel_revert,
	.finish = bpf_engine_finish,
	.point = bpf_engine_point,
};
