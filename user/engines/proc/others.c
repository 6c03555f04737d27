// SPDX-License-Identifier: GPL-2.0
/*
 * Other hotfixes in a process: what lies there of the same id, with another sequence number. They
 * are read from the files that the process maps, so nobody needs the file that was applied then.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engines/proc/session.h"

/* Mappings of hotfixes are known by their file's name first, so that not every file is opened. */
struct hp_elf *hp_attempt__hotfix_behind(struct hp_attempt *a, const struct hp_map *map)
{
	const char *base = strrchr(map->path, '/');
	struct hp_elf *elf;

	if (!map->inode || !base ||
	    (strncmp(base + 1, "hotproof-", 9) && strncmp(base + 1, "memfd:hotproof-", 15)))
		return NULL;
	return hp_objects__get(a->proc->objects, a->process->pid, map, &elf, NULL) ? NULL : elf;
}

/* The hotfix in the file that @map maps, opened once for all processes; NULL when it is none. */
static struct hp_proc *open_other(struct hp_attempt *a, const struct hp_map *map)
{
	struct hp_elf *elf = hp_attempt__hotfix_behind(a, map);
	struct hp_proc *proc = a->proc, *other, **grown;
	char path[64];

	if (!elf || !hp_elf__build_id(elf))
		return NULL;
	for (size_t i = 0; i < proc->other_count; i++)
		if (hp_build_id__equal(hp_elf__build_id(elf),
				       hp_elf__build_id(hp_hotfix__elf(proc->others[i]->hotfix))))
			return proc->others[i];
	if (hp_proc__open(&other, hp_map__file(map, a->process->pid, path), NULL))
		return NULL;
	grown = realloc(proc->others, (proc->other_count + 1) * sizeof(*grown));
	if (!grown) {
		hp_proc__close(other);
		return NULL;
	}
	proc->others = grown;
	grown[proc->other_count++] = other;
	return other;
}

static bool is_same_id(const struct hp_proc *a, const struct hp_proc *b)
{
	const struct hp_hotfix_meta *x = hp_hotfix__meta(a->hotfix),
				    *y = hp_hotfix__meta(b->hotfix);

	return !strcmp(x->id, y->id) && hp_build_id__equal(&x->target_id, &y->target_id);
}

const struct hp_hotfix_meta *hp_attempt__same_id_behind(struct hp_attempt *a,
							const struct hp_map *map)
{
	struct hp_proc *other = open_other(a, map);

	return other && is_same_id(a->proc, other) ? hp_hotfix__meta(other->hotfix) : NULL;
}

int hp_attempt__find_other(struct hp_attempt *a, struct hp_error *err)
{
	const struct hp_build_id *own = hp_elf__build_id(hp_hotfix__elf(a->proc->hotfix));

	for (size_t i = 0; i < a->maps.count; i++) {
		const struct hp_map *map = &a->maps.items[i];
		struct hp_proc *other = map->offset ? NULL : open_other(a, map);
		int ret;

		if (!other || !is_same_id(a->proc, other) ||
		    hp_build_id__equal(own, hp_elf__build_id(hp_hotfix__elf(other->hotfix))))
			continue;
		if (a->other)
			return hp_fail(err, HP_E_PROC_PARTIAL,
				       "process %d maps several hotfixes called %s",
				       a->process->pid, hp_hotfix__meta(other->hotfix)->id);
		a->other = calloc(1, sizeof(*a->other));
		if (!a->other)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		ret = hp_attempt__open(a->other, other, a->process, err);
		if (ret)
			return ret;
	}
	return 0;
}

size_t hp_attempt__in_place(struct hp_attempt *a)
{
	size_t count = hp_hotfix__meta(a->proc->hotfix)->forward_count, in_place = 0;

	for (size_t i = 0; i < count; i++)
		in_place += hp_attempt__read_back(a, &a->sites[i], NULL).redirect ==
			    HP_REDIRECT_IN_PLACE;
	return in_place;
}

int hp_attempt__check_other(struct hp_attempt *a, struct hp_error *err)
{
	const struct hp_hotfix_meta *own = hp_hotfix__meta(a->proc->hotfix), *meta;

	if (!a->other)
		return 0;
	meta = hp_hotfix__meta(a->other->proc->hotfix);
	if (meta->sequence >= own->sequence)
		return hp_fail(err, HP_E_PROC_SEQUENCE,
			       "process %d has %s of %s with sequence number %" PRIu64
			       ", and this one has %" PRIu64,
			       a->process->pid,
			       meta->sequence == own->sequence ? "another build" : "a version",
			       own->id, meta->sequence, own->sequence);
	if (hp_attempt__in_place(a->other) != meta->forward_count)
		return hp_fail(err, HP_E_PROC_PARTIAL,
			       "process %d has %s with sequence number %" PRIu64 " by half",
			       a->process->pid, own->id, meta->sequence);
	return 0;
}
