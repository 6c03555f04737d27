// SPDX-License-Identifier: GPL-2.0
/* The targets as their file has them: read, checked and planned once for all processes that map it. */
#include "engines/proc/bodies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct known {
	const struct hp_elf *elf;
	struct hp_body *bodies;
};

struct hp_bodies {
	struct known *items;
	size_t count;
	size_t forward_count;
};

int hp_bodies__open(struct hp_bodies **out, size_t forward_count)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->forward_count = forward_count;
	return 0;
}

static void free_bodies(struct hp_body *bodies, size_t count)
{
	for (size_t i = 0; bodies && i < count; i++)
		free(bodies[i].code);
	free(bodies);
}

void hp_bodies__close(struct hp_bodies *bodies)
{
	for (size_t i = 0; i < bodies->count; i++)
		free_bodies(bodies->items[i].bodies, bodies->forward_count);
	free(bodies->items);
	free(bodies);
}

static int read_body(struct hp_body *body, struct hp_elf *elf, const struct hp_forward *f,
		     struct hp_error *err)
{
	uint8_t hash[HP_HOTFIX_HASH_BYTES];
	size_t len = f->size + HP_ARCH_ENTRY_MAX;

	body->code = malloc(len);
	if (!body->code)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	if (hp_elf__read(elf, f->address, body->code, len)) {
		len = f->size;
		if (hp_elf__read(elf, f->address, body->code, len))
			return hp_fail(err, HP_E_PROC_CODE,
				       "the code of %s is not in the target file", f->target);
	}
	hp_hotfix__hash(body->code, f->size, hash);
	if (memcmp(hash, f->sha256, sizeof(hash)))
		return hp_fail(
			err, HP_E_PROC_CODE,
			"the code of %s in the target file is not what the hotfix was made for",
			f->target);
	if (hp_arch__plan_entry(body->code, len, f->size, &body->entry))
		return hp_fail(err, HP_E_TARGET_SHORT, "%s has no room for a jump", f->target);
	memcpy(body->original, body->code,
	       len < sizeof(body->original) ? len : sizeof(body->original));
	return 0;
}

/* The hotfix will write, or call, where its metadata says that something of the target is. */
static int check_reverse(struct hp_elf *elf, const struct hp_reverse *r, struct hp_error *err)
{
	if (!r->in_target ||
	    (hp_elf__is_loaded(elf, r->address) && (!r->slot || hp_elf__is_loaded(elf, r->slot))))
		return 0;
	return hp_fail(err, HP_E_HOTFIX,
		       "the hotfix file is damaged: %s lies outside of the target", r->name);
}

int hp_bodies__get(struct hp_bodies *bodies, struct hp_elf *elf, const struct hp_hotfix_meta *meta,
		   const struct hp_body **out, struct hp_error *err)
{
	struct known *grown;
	struct hp_body *read;
	int ret = 0;

	for (size_t i = 0; i < bodies->count; i++)
		if (bodies->items[i].elf == elf) {
			*out = bodies->items[i].bodies;
			return 0;
		}
	if (!hp_elf__build_id(elf) || !hp_build_id__equal(hp_elf__build_id(elf), &meta->target_id))
		return hp_fail(err, HP_E_BUILD_ID, "another build of the target is mapped");
	read = calloc(bodies->forward_count + 1, sizeof(*read));
	grown = realloc(bodies->items, (bodies->count + 1) * sizeof(*grown));
	if (grown)
		bodies->items = grown;
	if (!read || !grown)
		ret = hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < bodies->forward_count && !ret; i++)
		ret = read_body(&read[i], elf, &meta->forward[i], err);
	for (size_t i = 0; i < meta->reverse_count && !ret; i++)
		ret = check_reverse(elf, &meta->reverse[i], err);
	if (ret) {
		free_bodies(read, bodies->forward_count);
		return ret;
	}
	grown[bodies->count++] = (struct known){ elf, read };
	*out = read;
	return 0;
}
