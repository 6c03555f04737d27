/* SPDX-License-Identifier: GPL-2.0 */
/* The mappings of one process, from /proc/PID/maps. */
#ifndef HP_HOST_MAPS_H
#define HP_HOST_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct hp_map {
	uint64_t start, end;
	uint64_t offset; /* in the file */
	uint64_t inode;	 /* 0: no file */
	uint32_t major, minor;
	int prot; /* PROT_* */
	bool deleted;
	char *path; /* "" for none; "[heap]" and the like; without " (deleted)" */
};

struct hp_maps {
	struct hp_map *items; /* by address */
	size_t count;
};

/* Read them; free with hp_maps__free(). 0 or a negative errno. */
int hp_maps__read(struct hp_maps *maps, pid_t pid);
void hp_maps__free(struct hp_maps *maps);

/* The mapping that holds @address, or NULL. */
const struct hp_map *hp_maps__at(const struct hp_maps *maps, uint64_t address);

/* Parse one line of /proc/PID/maps, without its newline; the path is the caller's. */
int hp_map__parse(struct hp_map *map, const char *line);

/*
 * The name under which the file of @map can be opened whatever namespace the process is in and
 * whether or not the file was deleted (proc(5), map_files); returns @path.
 */
const char *hp_map__file(const struct hp_map *map, pid_t pid, char path[64]);

#endif
