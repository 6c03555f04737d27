/* SPDX-License-Identifier: GPL-2.0 */
/* Files that are costly to make and may be thrown away at any time. */
#ifndef HP_HOST_CACHE_H
#define HP_HOST_CACHE_H

#include <stddef.h>

/*
 * Open the cache folder, made where it is missing: @dir; when NULL $HOTPROOF_CACHE_DIR; else
 * /var/cache/hotproof for root; else $XDG_CACHE_HOME/hotproof or ~/.cache/hotproof.
 * Returns a file descriptor or a negative errno.
 */
int hp_cache__open(const char *dir);

/*
 * Open @name in the cache for reading. -ENOENT when it is not there, -EPERM when somebody else
 * than this user or root could have written it.
 */
int hp_cache__get(int cache, const char *name);

/* A cache file that is being written. Nobody sees it before hp_cache__commit(). */
struct hp_cache_file {
	int fd;	   /* owned by the caller */
	int cache; /* -1: it is not in the cache, and will be gone when it is closed */
	char name[128];
	char temp[160]; /* its name meanwhile, "" while it has none */
};

/* Where a new file can be made, best first. */
enum hp_cache_place {
	HP_CACHE_PLACE_CACHE, /* in the cache */
	HP_CACHE_PLACE_TMP,   /* an unnamed file in $TMPDIR, /var/tmp or /tmp */
	HP_CACHE_PLACE_MEMORY,
	HP_CACHE_PLACES,
};

int hp_cache__begin(struct hp_cache_file *file, enum hp_cache_place place, int cache,
		    const char *name);

/* Give the finished file its name. On failure it can be used for as long as it is open. */
int hp_cache__commit(struct hp_cache_file *file);

/* Close the file and remove what there is of it. */
void hp_cache__abort(struct hp_cache_file *file);

#endif
