// SPDX-License-Identifier: GPL-2.0
/* The mappings of one process, from /proc/PID/maps. */
#include "host/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define DELETED " (deleted)"

/* A number and what ends it, which may be the end of the line as well when that is a space. */
static bool take_number(const char **line, unsigned int base, char end, uint64_t *value)
{
	const char *at = *line;

	for (*value = 0;; at++) {
		unsigned int digit = *at >= '0' && *at <= '9'	? (unsigned int)(*at - '0')
				     : *at >= 'a' && *at <= 'f' ? (unsigned int)(*at - 'a') + 10
								: base;

		if (digit >= base)
			break;
		*value = *value * base + digit;
	}
	if (at == *line || (*at != end && (*at || end != ' ')))
		return false;
	*line = at + (*at != '\0');
	return true;
}

int hp_map__parse(struct hp_map *map, const char *line)
{
	uint64_t major, minor;
	const char *perms;
	size_t len;

	/* By hand: sscanf() takes longer than the kernel does to print the line. */
	memset(map, 0, sizeof(*map));
	if (!take_number(&line, 16, '-', &map->start) || !take_number(&line, 16, ' ', &map->end))
		return -EINVAL;
	perms = line;
	if (strnlen(line, 5) < 5 || line[4] != ' ')
		return -EINVAL;
	line += 5;
	if (!take_number(&line, 16, ' ', &map->offset) || !take_number(&line, 16, ':', &major) ||
	    !take_number(&line, 16, ' ', &minor) || !take_number(&line, 10, ' ', &map->inode))
		return -EINVAL;
	map->major = (uint32_t)major;
	map->minor = (uint32_t)minor;
	map->prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
		    (perms[2] == 'x' ? PROT_EXEC : 0);
	map->path = strdup(line + strspn(line, " "));
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
	char name[32], buffer[4096]; /* outlives the stream */
	_cleanup_file_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	size_t room = 0, size = 0;
	ssize_t len;

	memset(maps, 0, sizeof(*maps));
	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	f = fopen(name, "re");
	if (!f)
		return -errno;
	/* As much as the kernel gives at once: it looks for its place again at each read. */
	setvbuf(f, buffer, _IOFBF, sizeof(buffer));
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
