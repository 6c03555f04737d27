// SPDX-License-Identifier: GPL-2.0
/* The mappings of one process, from /proc/PID/maps. */
#include "host/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define DELETED " (deleted)"

int hp_map__parse(struct hp_map *map, const char *line)
{
	char perms[5];
	int path_at = 0;
	size_t len;

	memset(map, 0, sizeof(*map));
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n",
		   &map->start, &map->end, perms, &map->offset, &map->major, &map->minor,
		   &map->inode, &path_at) < 7)
		return -EINVAL;
	map->prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
		    (perms[2] == 'x' ? PROT_EXEC : 0);
	map->path = strdup(path_at ? line + path_at : "");
	if (!map->path)
		return -ENOMEM;
	len = strlen(map->path);
	if (map->inode && len > strlen(DELETED) &&
	    !strcmp(map->path + len - strlen(DELETED), DELETED)) {
		map->path[len - strlen(DELETED)] = '\0';
		map->deleted = true;
	}
	return 0;
}

int hp_maps__read(struct hp_maps *maps, pid_t pid)
{
	_cleanup_file_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	size_t room = 0, size = 0;
	char name[32];
	ssize_t len;

	memset(maps, 0, sizeof(*maps));
	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	f = fopen(name, "re");
	if (!f)
		return -errno;
	while ((len = getline(&line, &size, f)) > 0) {
		int ret;

		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		if (maps->count == room) {
			size_t wanted = room ? 2 * room : 64;
			struct hp_map *grown = realloc(maps->items, wanted * sizeof(*grown));

			if (!grown) {
				hp_maps__free(maps);
				return -ENOMEM;
			}
			maps->items = grown;
			room = wanted;
		}
		ret = hp_map__parse(&maps->items[maps->count], line);
		if (ret) {
			hp_maps__free(maps);
			return ret;
		}
		maps->count++;
	}
	/* A process that is going has no mappings left. */
	return maps->count ? 0 : -ESRCH;
}

void hp_maps__free(struct hp_maps *maps)
{
	for (size_t i = 0; i < maps->count; i++)
		free(maps->items[i].path);
	free(maps->items);
	memset(maps, 0, sizeof(*maps));
}

const struct hp_map *hp_maps__at(const struct hp_maps *maps, uint64_t address)
{
	for (size_t i = 0; i < maps->count; i++)
		if (address >= maps->items[i].start && address < maps->items[i].end)
			return &maps->items[i];
	return NULL;
}

const char *hp_map__file(const struct hp_map *map, pid_t pid, char path[64])
{
	snprintf(path, 64, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, map->start, map->end);
	return path;
}
