// SPDX-License-Identifier: GPL-2.0
/* Where in one process the symbols of a hotfix are. */
#include "engines/proc/bind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engines/proc/link_map.h"
#include "engines/proc/memory.h"

static bool is_in_target(const struct hp_bind_place *place, uint64_t value)
{
	return hp_elf__is_loaded(place->target, value - place->target_bias);
}

/*
 * What the target itself uses in place of its own symbol at *@value, when that is another object's.
 * A slot that leads to the target, elsewhere, the dynamic linker has not filled in yet (lazy binding).
 */
static void find_in_place_of(const struct hp_link_map *list, const struct hp_image_symbol *symbol,
			     const struct hp_bind_place *place, uint64_t *value, bool *indirect)
{
	bool found_indirect = false;
	uint64_t found;

	if (hp_memory__read(place->pid, place->target_bias + symbol->reverse->slot, &found,
			    sizeof(found)) ||
	    found == *value)
		return;
	if ((is_in_target(place, found) || !hp_maps__at(place->maps, found)) &&
	    (hp_link_map__find(list, symbol->name, symbol->version, &found, &found_indirect) ||
	     is_in_target(place, found)))
		return;
	*value = found;
	*indirect = found_indirect;
}

static int bind_all(struct hp_binding *out, const struct hp_image *image,
		    const struct hp_bind_place *place, struct hp_objects *objects,
		    struct hp_error *err)
{
	struct hp_link_map list = { 0 };
	bool have_list = false;
	int ret = 0;

	for (size_t i = 0; i < image->symbol_count && !ret; i++) {
		const struct hp_image_symbol *s = &image->symbols[i];

		if (s->defined) {
			out->values[i] = place->hotfix_bias + s->address;
			continue;
		}
		if (!s->reverse)
			continue;
		if (s->reverse->in_target) {
			out->values[i] = place->target_bias + s->reverse->address;
			out->indirect[i] = s->reverse->indirect;
			if (!s->reverse->slot)
				continue;
		}
		if (!have_list)
			ret = hp_link_map__read(&list, place->pid, place->maps, objects);
		have_list = true;
		if (ret)
			break;
		if (s->reverse->in_target)
			find_in_place_of(&list, s, place, &out->values[i], &out->indirect[i]);
		else if (hp_link_map__find(&list, s->name, s->version, &out->values[i],
					   &out->indirect[i]) &&
			 !s->weak)
			ret = hp_fail(err, HP_E_PROC_UNBOUND, "no object of process %d has %s%s%s",
				      place->pid, s->name, s->version ? "@" : "", s->version ?: "");
	}
	hp_link_map__free(&list);
	return ret;
}

int hp_binding__make(struct hp_binding *out, const struct hp_image *image,
		     const struct hp_bind_place *place, struct hp_objects *objects,
		     struct hp_error *err)
{
	int ret;

	out->count = image->symbol_count;
	out->values = calloc(out->count + 1, sizeof(*out->values));
	out->indirect = calloc(out->count + 1, sizeof(*out->indirect));
	ret = out->values && out->indirect ? bind_all(out, image, place, objects, err) : -ENOMEM;
	if (ret == -ENOMEM)
		hp_fail(err, HP_E_NOMEM, "out of memory");
	if (ret == -EBUSY)
		hp_fail(err, HP_E_PROC_BUSY, "the dynamic linker of process %d is loading objects",
			place->pid);
	if (ret)
		hp_binding__free(out);
	return ret;
}

void hp_binding__free(struct hp_binding *binding)
{
	free(binding->values);
	free(binding->indirect);
	memset(binding, 0, sizeof(*binding));
}
