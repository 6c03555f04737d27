// SPDX-License-Identifier: GPL-2.0
/* Livepatches of one moment, kept in the shape of the kernel's lists. */
#include "engines/klp/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Append a zeroed element to an array that is owned by its parent. */
static void *append(void **array, size_t *count, size_t size)
{
	char *grown = realloc(*array, (*count + 1) * size);

	if (!grown)
		return NULL;
	*array = grown;
	return memset(grown + (*count)++ * size, 0, size);
}

struct hp_klp_patch *hp_klp_snapshot__add_patch(struct hp_klp_snapshot *snap)
{
	return append((void **)&snap->patches, &snap->count, sizeof(*snap->patches));
}

struct hp_klp_object *hp_klp_patch__add_object(struct hp_klp_patch *patch)
{
	return append((void **)&patch->objects, &patch->object_count, sizeof(*patch->objects));
}

struct hp_klp_func *hp_klp_object__add_func(struct hp_klp_object *object)
{
	return append((void **)&object->funcs, &object->func_count, sizeof(*object->funcs));
}

void hp_klp_snapshot__free(struct hp_klp_snapshot *snap)
{
	size_t i, j;

	if (!snap)
		return;
	for (i = 0; i < snap->count; i++) {
		for (j = 0; j < snap->patches[i].object_count; j++)
			free(snap->patches[i].objects[j].funcs);
		free(snap->patches[i].objects);
	}
	free(snap->patches);
	free(snap);
}

const struct hp_klp_patch *hp_klp_snapshot__find(const struct hp_klp_snapshot *snap,
						 const char *name)
{
	for (size_t i = 0; i < snap->count; i++)
		if (!strcmp(snap->patches[i].name, name))
			return &snap->patches[i];
	return NULL;
}

/* The livepatch that owns the klp_func at @address. */
static const struct hp_klp_patch *owner_of(const struct hp_klp_snapshot *snap, uint64_t address)
{
	size_t i, j, k;

	for (i = 0; i < snap->count; i++)
		for (j = 0; j < snap->patches[i].object_count; j++) {
			const struct hp_klp_object *object = &snap->patches[i].objects[j];

			for (k = 0; k < object->func_count; k++)
				if (object->funcs[k].address == address)
					return &snap->patches[i];
		}
	return NULL;
}

void hp_klp_snapshot__resolve(struct hp_klp_snapshot *snap)
{
	size_t i, j, k;

	for (i = 0; i < snap->count; i++)
		for (j = 0; j < snap->patches[i].object_count; j++) {
			struct hp_klp_object *object = &snap->patches[i].objects[j];

			for (k = 0; k < object->func_count; k++) {
				struct hp_klp_func *func = &object->funcs[k];
				const struct hp_klp_patch *top;

				if (!func->have_ops)
					continue;
				top = owner_of(snap, func->top_func);
				func->ops_known = top;
				if (top && func->top_func != func->address)
					memcpy(func->superseded_by, top->name, sizeof(top->name));
			}
		}
}

bool hp_klp_snapshot__redirects(const struct hp_klp_snapshot *snap, uint64_t address)
{
	size_t i, j, k;

	for (i = 0; i < snap->count; i++)
		for (j = 0; j < snap->patches[i].object_count; j++) {
			const struct hp_klp_object *object = &snap->patches[i].objects[j];

			for (k = 0; k < object->func_count; k++)
				if (object->funcs[k].patched &&
				    object->funcs[k].old_addr == address)
					return true;
		}
	return false;
}

/* The same source is often built again: a later version of a livepatch has the names of the first. */
static bool name_is_shared(const struct hp_klp_snapshot *snap, const struct hp_klp_func *func)
{
	for (size_t i = 0; i < snap->count; i++)
		for (size_t j = 0; j < snap->patches[i].object_count; j++) {
			const struct hp_klp_object *object = &snap->patches[i].objects[j];

			for (size_t k = 0; k < object->func_count; k++)
				if (object->funcs[k].new_addr != func->new_addr &&
				    !strcmp(object->funcs[k].new_name, func->new_name))
					return true;
		}
	return false;
}

static void fill_target(struct hp_target *t, const struct hp_klp_snapshot *snap,
			const struct hp_klp_patch *patch, const struct hp_klp_object *object,
			const struct hp_klp_func *func)
{
	memcpy(t->hotfix, patch->name, sizeof(t->hotfix));
	memcpy(t->object, object->name, sizeof(t->object));
	memcpy(t->symbol, func->old_name, sizeof(t->symbol));
	memcpy(t->replacement, func->new_name, sizeof(t->replacement));
	memcpy(t->superseded_by, func->superseded_by, sizeof(t->superseded_by));
	t->sympos = func->sympos;
	t->old_addr = func->old_addr;
	t->new_addr = func->new_addr;
	t->old_size = func->old_size;
	t->new_size = func->new_size;
	t->patched = func->patched;
	t->transition = func->transition;
	t->entry_taken = hp_klp_snapshot__redirects(snap, func->old_addr);
	t->new_shared = name_is_shared(snap, func);
	if (func->have_entry)
		t->entry_size = (uint32_t)hp_klp_entry__size(func->entry);
}

int hp_klp_snapshot__targets(const struct hp_klp_snapshot *snap, const struct hp_klp_patch *patch,
			     struct hp_target **out, size_t *count)
{
	struct hp_target *targets = NULL;
	size_t i, j, k, n = 0;

	for (i = 0; i < snap->count; i++) {
		const struct hp_klp_patch *p = &snap->patches[i];

		if (patch && p != patch)
			continue;
		for (j = 0; j < p->object_count; j++)
			for (k = 0; k < p->objects[j].func_count; k++) {
				struct hp_target *t;

				if (p->objects[j].funcs[k].nop)
					continue;
				t = append((void **)&targets, &n, sizeof(*targets));
				if (!t) {
					free(targets);
					return -ENOMEM;
				}
				fill_target(t, snap, p, &p->objects[j], &p->objects[j].funcs[k]);
			}
	}
	*out = targets;
	*count = n;
	return 0;
}
