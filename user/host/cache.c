// SPDX-License-Identifier: GPL-2.0
/* Files that are costly to make and may be thrown away at any time. */
#include "host/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define SYSTEM_CACHE "/var/cache/hotproof"

/* mkdir -p. The cache holds nothing secret (a kernel that every user can read). */
static int make_folders(char *path)
{
	char *slash = path;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		if (mkdir(path, 0755) && errno != EEXIST && errno != EROFS && errno != EACCES) {
			*slash = '/';
			return -errno;
		}
		*slash = '/';
	}
	return mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
}

static int open_folder(const char *path)
{
	char copy[PATH_MAX];
	int fd, ret;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy))
		return -ENAMETOOLONG;
	ret = make_folders(copy);
	if (ret)
		return ret;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int hp_cache__open(const char *dir)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char path[PATH_MAX];

	if (!dir)
		dir = getenv("HOTPROOF_CACHE_DIR");
	if (dir && *dir)
		return open_folder(dir);
	if (geteuid() == 0) {
		int fd = open_folder(SYSTEM_CACHE);

		if (fd >= 0 && faccessat(fd, ".", W_OK, AT_EACCESS) == 0)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	/* The specification wants a relative XDG_CACHE_HOME to be ignored. */
	if (xdg && *xdg == '/')
		snprintf(path, sizeof(path), "%s/hotproof", xdg);
	else if (home && *home == '/')
		snprintf(path, sizeof(path), "%s/.cache/hotproof", home);
	else
		return -ENOENT;
	return open_folder(path);
}

int hp_cache__get(int cache, const char *name)
{
	_cleanup_close_ int fd = openat(cache, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	int ret;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	ret = fd;
	fd = -1;
	return ret;
}

/* O_TMPFILE leaves nothing behind when hotproof is killed, but 9p and NFS do not have it. */
static int begin_in_cache(struct hp_cache_file *file, int cache, const char *name)
{
	snprintf(file->name, sizeof(file->name), "%s", name);
	file->cache = cache;
	file->fd = openat(cache, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
	if (file->fd >= 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)
		return -errno;
	snprintf(file->temp, sizeof(file->temp), ".%s.%d", file->name, (int)getpid());
	file->fd =
		openat(cache, file->temp, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (file->fd < 0) {
		file->temp[0] = '\0';
		return -errno;
	}
	return 0;
}

static int begin_in_tmp(struct hp_cache_file *file)
{
	const char *const dirs[] = { getenv("TMPDIR"), "/var/tmp", "/tmp" };
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (!dirs[i] || (size_t)snprintf(path, sizeof(path), "%s/hotproof-XXXXXX",
						 dirs[i]) >= sizeof(path))
			continue;
		file->fd = mkostemp(path, O_CLOEXEC);
		if (file->fd >= 0) {
			unlink(path);
			return 0;
		}
	}
	return -errno;
}

int hp_cache__begin(struct hp_cache_file *file, enum hp_cache_place place, int cache,
		    const char *name)
{
	*file = (struct hp_cache_file){ .fd = -1, .cache = -1 };
	switch (place) {
	case HP_CACHE_PLACE_CACHE:
		return cache < 0 ? cache : begin_in_cache(file, cache, name);
	case HP_CACHE_PLACE_TMP:
		return begin_in_tmp(file);
	case HP_CACHE_PLACE_MEMORY:
		file->fd = memfd_create("hotproof-cache", MFD_CLOEXEC);
		return file->fd < 0 ? -errno : 0;
	default:
		return -EINVAL;
	}
}

int hp_cache__commit(struct hp_cache_file *file)
{
	char self[64];

	if (file->cache < 0)
		return 0;
	/* What has the name must be whole, after a power failure too. */
	if (fdatasync(file->fd))
		return -errno;
	if (!file->temp[0]) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
		snprintf(file->temp, sizeof(file->temp), ".%s.%d", file->name, (int)getpid());
		if (linkat(AT_FDCWD, self, file->cache, file->temp, AT_SYMLINK_FOLLOW)) {
			file->temp[0] = '\0';
			return -errno;
		}
	}
	/* linkat() cannot replace a broken file of that name, rename can. */
	if (renameat(file->cache, file->temp, file->cache, file->name)) {
		int ret = -errno;

		unlinkat(file->cache, file->temp, 0);
		file->temp[0] = '\0';
		return ret;
	}
	file->temp[0] = '\0';
	return 0;
}

void hp_cache__abort(struct hp_cache_file *file)
{
	if (file->cache >= 0 && file->temp[0])
		unlinkat(file->cache, file->temp, 0);
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	file->temp[0] = '\0';
}
