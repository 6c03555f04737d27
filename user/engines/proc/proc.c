// SPDX-License-Identifier: GPL-2.0
/* The proc engine: what its callers see of it. */
#include "engines/proc/proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engines/proc/session.h"

int hp_proc__open(struct hp_proc **out, const char *path, struct hp_error *err)
{
	struct hp_proc *proc = calloc(1, sizeof(*proc));
	int ret;

	if (!proc)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = hp_hotfix__open(&proc->hotfix, path, err);
	ret = ret ?: hp_image__read(&proc->image, proc->hotfix, err);
	if (!ret && (hp_objects__open(&proc->objects) || hp_gadget_cache__open(&proc->gadgets) ||
		     hp_bodies__open(&proc->bodies, hp_hotfix__meta(proc->hotfix)->forward_count)))
		ret = hp_fail(err, HP_E_NOMEM, "out of memory");
	if (ret) {
		hp_proc__close(proc);
		return ret;
	}
	*out = proc;
	return 0;
}

void hp_proc__close(struct hp_proc *proc)
{
	for (size_t i = 0; i < proc->other_count; i++)
		hp_proc__close(proc->others[i]);
	free(proc->others);
	if (proc->bodies)
		hp_bodies__close(proc->bodies);
	if (proc->gadgets)
		hp_gadget_cache__close(proc->gadgets);
	if (proc->objects)
		hp_objects__close(proc->objects);
	if (proc->image)
		hp_image__free(proc->image);
	if (proc->hotfix)
		hp_hotfix__close(proc->hotfix);
	free(proc);
}

const struct hp_hotfix *hp_proc__hotfix(const struct hp_proc *proc)
{
	return proc->hotfix;
}

int hp_proc__stage(struct hp_proc *proc, const char **path, struct hp_error *err)
{
	*path = proc->staged;
	return hp_stage__make(proc, err);
}

const char *hp_outcome_name(enum hp_outcome outcome)
{
	static const char *const names[] = {
		[HP_OUTCOME_FAILED] = "failed",	      [HP_OUTCOME_APPLIED] = "applied",
		[HP_OUTCOME_ALREADY] = "already",     [HP_OUTCOME_ELIGIBLE] = "eligible",
		[HP_OUTCOME_REVERTED] = "reverted",   [HP_OUTCOME_NOT_APPLIED] = "not-applied",
		[HP_OUTCOME_LINGERING] = "lingering", [HP_OUTCOME_GONE] = "gone",
		[HP_OUTCOME_REPLACED] = "replaced",
	};

	return names[outcome];
}

static void decide_state(struct hp_proc_look *look, size_t count)
{
	size_t in_place = 0;
	bool altered = false;

	for (size_t i = 0; i < count; i++) {
		in_place += look->targets[i].redirect == HP_REDIRECT_IN_PLACE;
		altered |= look->targets[i].redirect != HP_REDIRECT_IN_PLACE &&
			   look->targets[i].redirect != HP_REDIRECT_SUPERSEDED &&
			   look->targets[i].redirect != HP_REDIRECT_ABSENT;
	}
	if (altered)
		look->state = HP_PROC_ALTERED;
	else if (look->hotfix_bias)
		look->state = in_place == count ? HP_PROC_APPLIED : HP_PROC_PARTIAL;
	else
		look->state = HP_PROC_ABSENT;
}

static void fill_file(struct hp_proc_file *file, const struct hp_map *map, pid_t pid)
{
	file->inode = map->inode;
	file->major = map->major;
	file->minor = map->minor;
	hp_map__file(map, pid, file->path);
}

int hp_proc__object(struct hp_proc *proc, pid_t pid, const struct hp_map *map, struct hp_elf **elf,
		    uint64_t *bias)
{
	return hp_objects__get(proc->objects, pid, map, elf, NULL)
		       ?: hp_elf__bias(*elf, map->start, map->offset, bias);
}

void hp_proc__where(struct hp_proc *proc, pid_t pid, const struct hp_maps *maps, uint64_t address,
		    struct hp_proc_where *out)
{
	const struct hp_map *map = hp_maps__at(maps, address - 1);
	const char *base = map ? strrchr(map->path, '/') : NULL, *symbol;
	struct hp_elf *elf;
	uint64_t bias;

	memset(out, 0, sizeof(*out));
	out->address = address;
	if (!base || !map->inode || hp_proc__object(proc, pid, map, &elf, &bias))
		return;
	snprintf(out->object, sizeof(out->object), "%.63s", base + 1);
	out->address = address - bias;
	/* A call may be the last instruction of its function. */
	if (hp_elf__symbol_at(elf, out->address - 1, &symbol, &out->offset))
		return;
	out->offset++;
	snprintf(out->symbol, sizeof(out->symbol), "%.127s", symbol);
}

void hp_proc__target_file(const struct hp_process *process, struct hp_proc_file *file)
{
	struct hp_map map = {
		.start = process->start,
		.end = process->end,
		.inode = process->inode,
		.major = process->major,
		.minor = process->minor,
	};

	fill_file(file, &map, process->pid);
}

_Static_assert(HP_PROC_POINTS_MAX == HP_ARCH_EXITS_MAX, "a point for each exit");

/* As the engine planned it: with the padding behind the function, which is not part of it. */
static int plan(struct hp_elf *target, const struct hp_forward *f, uint8_t *code,
		struct hp_arch_entry *entry)
{
	size_t len = f->size + HP_ARCH_ENTRY_MAX;

	if (hp_elf__read(target, f->address, code, len)) {
		len = f->size;
		if (hp_elf__read(target, f->address, code, len))
			return -EFAULT;
	}
	return hp_arch__plan_entry(code, len, f->size, entry);
}

static int old_body(struct hp_proc *proc, const struct hp_process *process,
		    const struct hp_forward *f, struct hp_proc_points *out, struct hp_error *err)
{
	struct hp_map map = { .start = process->start,
			      .end = process->end,
			      .inode = process->inode,
			      .major = process->major,
			      .minor = process->minor };
	_cleanup_free_ uint8_t *code = malloc(f->size + HP_ARCH_ENTRY_MAX);
	struct hp_arch_entry entry;
	struct hp_arch_exits exits;
	struct hp_elf *target;
	int ret;

	if (!code)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = hp_objects__get(proc->objects, process->pid, &map, &target, err);
	if (ret)
		return ret;
	if (plan(target, f, code, &entry))
		return hp_fail(err, HP_E_PROC_CODE, "the code of %s cannot be read", f->target);
	ret = hp_arch__exits(code, f->size, &entry, &exits);
	if (ret == -E2BIG)
		return hp_fail(err, HP_E_ATTACH, "%s branches in too many ways at its entry",
			       f->target);
	if (ret)
		return hp_fail(err, HP_E_ATTACH, "part of %s is no code", f->target);
	out->complete = exits.complete;
	out->at_most = exits.at_most;
	for (size_t i = 0; i < exits.count && !ret; i++) {
		out->at[i].callers = exits.at[i].depth_known;
		out->at[i].depth = exits.at[i].depth;
		out->at[i].offset = exits.at[i].offset;
		ret = hp_elf__offset(target, f->address + exits.at[i].offset,
				     &out->at[i].file_offset);
		out->count++;
	}
	return ret;
}

int hp_proc__points(struct hp_proc *proc, const struct hp_process *process, size_t i,
		    enum hp_point_role role, struct hp_proc_points *out, struct hp_error *err)
{
	const struct hp_forward *f = &hp_hotfix__meta(proc->hotfix)->forward[i];

	memset(out, 0, sizeof(*out));
	switch (role) {
	case HP_POINT_NEW_ENTRY:
		out->at[0].callers = true;
		out->count = 1;
		out->complete = true;
		return hp_elf__offset(hp_hotfix__elf(proc->hotfix), f->new_address,
				      &out->at[0].file_offset);
	case HP_POINT_OLD_BODY:
		return old_body(proc, process, f, out, err);
	default:
		return hp_fail(err, HP_E_INTERNAL, "no probe stands at a patched entry");
	}
}

int hp_proc__look(struct hp_proc *proc, const struct hp_process *process, struct hp_proc_look *look,
		  struct hp_error *err)
{
	size_t count = hp_hotfix__meta(proc->hotfix)->forward_count;
	struct hp_attempt a = { .mem = -1 };
	int ret;

	memset(look, 0, sizeof(*look));
	ret = hp_attempt__open(&a, proc, process, err);
	if (!ret) {
		look->targets = calloc(count, sizeof(*look->targets));
		if (!look->targets)
			ret = hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	if (!ret) {
		const struct hp_map *map = hp_attempt__find_hotfix(&a);

		if (map)
			fill_file(&look->file, map, process->pid);
		look->target_bias = a.target_bias;
		look->hotfix_bias = a.hotfix_bias;
		for (size_t i = 0; i < count; i++)
			look->targets[i] = hp_attempt__read_back(&a, &a.sites[i], &look->error);
		decide_state(look, count);
	}
	hp_attempt__close(&a);
	return ret;
}

void hp_proc_look__free(struct hp_proc_look *look)
{
	free(look->targets);
	memset(look, 0, sizeof(*look));
}

void hp_proc__apply(struct hp_proc *proc, struct hp_outcome_record *records, size_t count,
		    const struct hp_proc_opts *opts)
{
	struct hp_error err = { 0 };

	if (!opts->dry_run && hp_stage__make(proc, &err)) {
		for (size_t i = 0; i < count; i++) {
			records[i].outcome = HP_OUTCOME_FAILED;
			records[i].error = err;
		}
		return;
	}
	hp_crew__run(proc, records, count, opts, hp_apply__attempt, "applying");
}

void hp_proc__revert(struct hp_proc *proc, struct hp_outcome_record *records, size_t count,
		     const struct hp_proc_opts *opts)
{
	hp_crew__run(proc, records, count, opts, hp_revert__attempt, "reverting");
}
