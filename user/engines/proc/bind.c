// SPDX-License-Identifier: GPL-2.0
/*
 * Where in one process the symbols of a hotfix are. Other libraries' symbols are looked up in the
 * dynamic linker's list of objects, the program first (gABI, "Shared Object Dependencies"), read
 * from the process: r_debug and link_map of <link.h>, the interface that debuggers use.
 */
#include "engines/proc/bind.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/proc/memory.h"

#define MAX_OBJECTS 4096
#define MAX_DYNAMIC 512

/* One object of the list. */
struct loaded {
	uint64_t bias;
	struct hp_elf *elf;
};

struct loaded_list {
	struct loaded *items;
	size_t count;
};

static int read_auxv(pid_t pid, uint64_t *phdr, uint64_t *phnum)
{
	_cleanup_close_ int fd = -1;
	Elf64_auxv_t entry;
	char path[32];

	*phdr = *phnum = 0;
	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (read(fd, &entry, sizeof(entry)) == sizeof(entry) && entry.a_type != AT_NULL) {
		if (entry.a_type == AT_PHDR)
			*phdr = entry.a_un.a_val;
		else if (entry.a_type == AT_PHNUM)
			*phnum = entry.a_un.a_val;
	}
	return *phdr && *phnum && *phnum < 256 ? 0 : -ENOENT;
}

/*
 * A program that was started by naming it to the dynamic linker (ld.so PROGRAM): to the kernel that
 * linker is the program, and it has a symbol for the debugger. 0 when it has none.
 */
static uint64_t find_linker(const struct hp_bind_place *place, uint64_t phdr,
			    struct hp_objects *objects)
{
	const struct hp_map *map = hp_maps__at(place->maps, phdr);
	struct hp_elf_symbol found;
	struct hp_elf *elf;

	if (!map || !map->inode || hp_objects__get(objects, place->pid, map, &elf, NULL) ||
	    hp_elf__find_dynamic(elf, "_r_debug", NULL, &found))
		return 0;
	return map->start - map->offset + found.address;
}

/*
 * The address of the dynamic linker's r_debug, from the program's DT_DEBUG: 0 when it has none.
 * -EBUSY: it has a dynamic linker that has not begun yet.
 */
static int find_r_debug(const struct hp_bind_place *place, struct hp_objects *objects,
			uint64_t *address)
{
	uint64_t phdr, phnum, bias = 0, dynamic = 0;
	Elf64_Phdr headers[256];
	bool linked = false;
	Elf64_Dyn dyn;

	*address = 0;
	if (read_auxv(place->pid, &phdr, &phnum) ||
	    hp_memory__read(place->pid, phdr, headers, phnum * sizeof(headers[0])))
		return 0;
	for (uint64_t i = 0; i < phnum; i++) {
		if (headers[i].p_type == PT_PHDR)
			bias = phdr - headers[i].p_vaddr;
		else if (headers[i].p_type == PT_DYNAMIC)
			dynamic = headers[i].p_vaddr;
		else if (headers[i].p_type == PT_INTERP)
			linked = true;
	}
	if (!linked)
		*address = find_linker(place, phdr, objects);
	if (!dynamic || *address)
		return 0;
	for (size_t i = 0; i < MAX_DYNAMIC; i++) {
		if (hp_memory__read(place->pid, bias + dynamic + i * sizeof(dyn), &dyn,
				    sizeof(dyn)) ||
		    dyn.d_tag == DT_NULL)
			return 0;
		if (dyn.d_tag == DT_DEBUG) {
			*address = dyn.d_un.d_ptr;
			return linked && !*address ? -EBUSY : 0;
		}
	}
	return 0;
}

static int add_loaded(struct loaded_list *list, const struct hp_bind_place *place,
		      const struct link_map *entry, struct hp_objects *objects)
{
	const struct hp_map *map = hp_maps__at(place->maps, (uint64_t)(uintptr_t)entry->l_ld);
	struct loaded *grown;
	struct hp_elf *elf;

	/* The vDSO has no file. */
	if (!map || !map->inode || hp_objects__get(objects, place->pid, map, &elf, NULL))
		return 0;
	grown = realloc(list->items, (list->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->items = grown;
	grown[list->count++] = (struct loaded){ entry->l_addr, elf };
	return 0;
}

/*
 * -EBUSY while the dynamic linker is at work: what a process is about to use is not in the list yet,
 * and the target's slots are empty.
 */
static int read_list(struct loaded_list *list, const struct hp_bind_place *place,
		     struct hp_objects *objects)
{
	struct r_debug debug = { 0 };
	struct link_map entry = { 0 };
	uint64_t at;
	int ret = find_r_debug(place, objects, &at);

	/* A static program has none: only its own symbols are to be had. */
	if (ret || !at || hp_memory__read(place->pid, at, &debug, sizeof(debug)))
		return ret;
	if (!debug.r_map || debug.r_state != RT_CONSISTENT)
		return -EBUSY;
	at = (uint64_t)(uintptr_t)debug.r_map;
	for (size_t i = 0; i < MAX_OBJECTS && at && !ret; i++) {
		if (hp_memory__read(place->pid, at, &entry, sizeof(entry)))
			break;
		ret = add_loaded(list, place, &entry, objects);
		at = (uint64_t)(uintptr_t)entry.l_next;
	}
	return ret;
}

/* Look @symbol up in the list. -ENOENT when nobody has it. */
static int find_in_list(const struct loaded_list *list, const struct hp_image_symbol *symbol,
			uint64_t *value, bool *indirect)
{
	for (size_t i = 0; i < list->count; i++) {
		struct hp_elf_symbol found;

		if (hp_elf__find_dynamic(list->items[i].elf, symbol->name, symbol->version,
					 &found) ||
		    found.type == STT_TLS)
			continue;
		*value = list->items[i].bias + found.address;
		*indirect = found.type == STT_GNU_IFUNC;
		return 0;
	}
	return -ENOENT;
}

static bool is_in_target(const struct hp_bind_place *place, uint64_t value)
{
	for (size_t i = 0; i < hp_elf__segment_count(place->target); i++) {
		const GElf_Phdr *p = hp_elf__segment(place->target, i);

		if (p->p_type == PT_LOAD && value - place->target_bias >= p->p_vaddr &&
		    value - place->target_bias - p->p_vaddr < p->p_memsz)
			return true;
	}
	return false;
}

/*
 * What the target itself uses in place of its own symbol at *@value, when that is another object's.
 * A slot that leads to the target, elsewhere, the dynamic linker has not filled in yet (lazy binding).
 */
static void find_in_place_of(const struct loaded_list *list, const struct hp_image_symbol *symbol,
			     const struct hp_bind_place *place, uint64_t *value, bool *indirect)
{
	bool found_indirect = false;
	uint64_t found;

	if (hp_memory__read(place->pid, place->target_bias + symbol->reverse->slot, &found,
			    sizeof(found)) ||
	    found == *value)
		return;
	if (is_in_target(place, found) || !hp_maps__at(place->maps, found))
		if (find_in_list(list, symbol, &found, &found_indirect) ||
		    is_in_target(place, found))
			return;
	*value = found;
	*indirect = found_indirect;
}

static int bind_all(struct hp_binding *out, const struct hp_image *image,
		    const struct hp_bind_place *place, struct hp_objects *objects,
		    struct hp_error *err)
{
	struct loaded_list list = { 0 };
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
			ret = read_list(&list, place, objects);
		have_list = true;
		if (ret)
			break;
		if (s->reverse->in_target)
			find_in_place_of(&list, s, place, &out->values[i], &out->indirect[i]);
		else if (find_in_list(&list, s, &out->values[i], &out->indirect[i]) && !s->weak)
			ret = hp_fail(err, HP_E_PROC_UNBOUND, "no object of process %d has %s%s%s",
				      place->pid, s->name, s->version ? "@" : "", s->version ?: "");
	}
	free(list.items);
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
