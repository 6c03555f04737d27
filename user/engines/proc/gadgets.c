// SPDX-License-Identifier: GPL-2.0
/* Where in a process the code lies that system calls are made with: found in its files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "engines/proc/inject.h"

struct known_text {
	uint64_t inode, offset;
	uint32_t major, minor;
	size_t syscall, restore; /* offsets in the mapping, SIZE_MAX for none */
};

struct hp_gadget_cache {
	struct known_text *items;
	size_t count;
};

int hp_gadget_cache__open(struct hp_gadget_cache **out)
{
	hp_arch_call__learn();
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void hp_gadget_cache__close(struct hp_gadget_cache *cache)
{
	free(cache->items);
	free(cache);
}

static const struct known_text *look(struct hp_gadget_cache *cache, pid_t pid,
				     const struct hp_map *map)
{
	size_t len = map->end - map->start;
	struct known_text *grown, *item;
	_cleanup_close_ int fd = -1;
	_cleanup_free_ uint8_t *text = NULL;
	char path[64];
	ssize_t n;

	for (size_t i = 0; i < cache->count; i++) {
		item = &cache->items[i];
		if (item->inode == map->inode && item->major == map->major &&
		    item->minor == map->minor && item->offset == map->offset)
			return item;
	}
	fd = open(hp_map__file(map, pid, path), O_RDONLY | O_CLOEXEC);
	text = malloc(len);
	grown = realloc(cache->items, (cache->count + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	cache->items = grown;
	if (fd < 0 || !text)
		return NULL;
	n = pread(fd, text, len, (off_t)map->offset);
	if (n < 0)
		return NULL;
	item = &grown[cache->count++];
	*item = (struct known_text){
		.inode = map->inode, .offset = map->offset, .major = map->major, .minor = map->minor
	};
	hp_arch__find_gadgets(text, (size_t)n, &item->syscall, &item->restore);
	return item;
}

int hp_gadget_cache__find(struct hp_gadget_cache *cache, pid_t pid, const struct hp_maps *maps,
			  struct hp_arch_gadgets *out, struct hp_error *err)
{
	*out = (struct hp_arch_gadgets){ 0 };
	for (size_t i = 0; i < maps->count && !(out->syscall && out->restore); i++) {
		const struct hp_map *map = &maps->items[i];
		const struct known_text *known;

		if (!map->inode || !(map->prot & PROT_EXEC))
			continue;
		known = look(cache, pid, map);
		if (!known)
			continue;
		if (known->syscall != SIZE_MAX && !out->syscall)
			out->syscall = map->start + known->syscall;
		if (known->restore != SIZE_MAX && !out->restore)
			out->restore = map->start + known->restore;
	}
	if (out->syscall && out->restore)
		return 0;
	return hp_fail(err, HP_E_PROC_INJECT,
		       "process %d has no C library with the code that system calls are made with",
		       pid);
}
