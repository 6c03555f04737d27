// SPDX-License-Identifier: GPL-2.0
/*
 * The objects that the dynamic linker has loaded in one process, by r_debug and link_map of <link.h>, the
 * interface that debuggers use.
 */
#include "engines/proc/link_map.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engines/proc/memory.h"

#define MAX_OBJECTS 4096
#define MAX_DYNAMIC 512

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
static uint64_t find_linker(pid_t pid, const struct hp_maps *maps, struct hp_objects *objects,
			    uint64_t phdr)
{
	const struct hp_map *map = hp_maps__at(maps, phdr);
	struct hp_elf_symbol found;
	struct hp_elf *elf;

	if (!map || !map->inode || hp_objects__get(objects, pid, map, &elf, NULL) ||
	    hp_elf__find_dynamic(elf, "_r_debug", NULL, &found))
		return 0;
	return map->start - map->offset + found.address;
}

/*
 * The address of the dynamic linker's r_debug, from the program's DT_DEBUG: 0 when it has none.
 * -EBUSY: it has a dynamic linker that has not begun yet.
 */
static int find_r_debug(pid_t pid, const struct hp_maps *maps, struct hp_objects *objects,
			uint64_t *address)
{
	uint64_t phdr, phnum, bias = 0, dynamic = 0;
	Elf64_Phdr headers[256];
	bool linked = false;
	Elf64_Dyn dyn;

	*address = 0;
	if (read_auxv(pid, &phdr, &phnum) ||
	    hp_memory__read(pid, phdr, headers, phnum * sizeof(headers[0])))
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
		*address = find_linker(pid, maps, objects, phdr);
	if (!dynamic || *address)
		return 0;
	for (size_t i = 0; i < MAX_DYNAMIC; i++) {
		if (hp_memory__read(pid, bias + dynamic + i * sizeof(dyn), &dyn, sizeof(dyn)) ||
		    dyn.d_tag == DT_NULL)
			return 0;
		if (dyn.d_tag == DT_DEBUG) {
			*address = dyn.d_un.d_ptr;
			return linked && !*address ? -EBUSY : 0;
		}
	}
	return 0;
}

static int add(struct hp_link_map *list, pid_t pid, const struct hp_maps *maps,
	       struct hp_objects *objects, const struct link_map *entry)
{
	const struct hp_map *map = hp_maps__at(maps, (uint64_t)(uintptr_t)entry->l_ld);
	struct hp_link_map_object *grown;
	struct hp_elf *elf;

	/* The vDSO has no file. */
	if (!map || !map->inode || hp_objects__get(objects, pid, map, &elf, NULL))
		return 0;
	grown = realloc(list->items, (list->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->items = grown;
	grown[list->count++] = (struct hp_link_map_object){ entry->l_addr, elf };
	return 0;
}

int hp_link_map__read(struct hp_link_map *list, pid_t pid, const struct hp_maps *maps,
		      struct hp_objects *objects)
{
	struct r_debug debug = { 0 };
	struct link_map entry = { 0 };
	uint64_t at;
	int ret = find_r_debug(pid, maps, objects, &at);

	/* A static program has none: only its own symbols are to be had. */
	if (ret || !at || hp_memory__read(pid, at, &debug, sizeof(debug)))
		return ret;
	if (!debug.r_map || debug.r_state != RT_CONSISTENT)
		return -EBUSY;
	at = (uint64_t)(uintptr_t)debug.r_map;
	for (size_t i = 0; i < MAX_OBJECTS && at && !ret; i++) {
		if (hp_memory__read(pid, at, &entry, sizeof(entry)))
			break;
		ret = add(list, pid, maps, objects, &entry);
		at = (uint64_t)(uintptr_t)entry.l_next;
	}
	return ret;
}

int hp_link_map__find(const struct hp_link_map *list, const char *name, const char *version,
		      uint64_t *value, bool *indirect)
{
	for (size_t i = 0; i < list->count; i++) {
		struct hp_elf_symbol found;

		if (hp_elf__find_dynamic(list->items[i].elf, name, version, &found) ||
		    found.type == STT_TLS)
			continue;
		*value = list->items[i].bias + found.address;
		*indirect = found.type == STT_GNU_IFUNC;
		return 0;
	}
	return -ENOENT;
}

void hp_link_map__free(struct hp_link_map *list)
{
	free(list->items);
}
