// SPDX-License-Identifier: GPL-2.0
/* /sys/kernel/livepatch and /sys/module: Documentation/ABI/testing/sysfs-kernel-livepatch. */
#include "engines/klp/sysfs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engines/klp/list.h"

#define PATH_LEN 1400 /* two module names and a symbol */

static const char *root_or_default(const char *root)
{
	return root ? root : "/sys";
}

/* The first line of a small file, without its newline. */
static int read_line(const char *path, char *out, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, out, size - 1);
	if (n < 0)
		return -errno;
	out[n] = 0;
	out[strcspn(out, "\n")] = 0;
	return 0;
}

static int read_number(const char *path)
{
	char text[32];
	int ret = read_line(path, text, sizeof(text));

	if (ret)
		return ret;
	if (!isdigit((unsigned char)text[0]))
		return -EPROTO;
	return atoi(text);
}

static int read_switch(const char *root, const char *name, const char *which)
{
	char path[PATH_LEN];
	int ret;

	snprintf(path, sizeof(path), "%s/kernel/livepatch/%s/%s", root_or_default(root), name,
		 which);
	ret = read_number(path);
	return ret == -ENODEV ? -ENOENT : ret; /* removed while it was open */
}

int hp_klp_sysfs__enabled(const char *root, const char *name)
{
	return read_switch(root, name, "enabled");
}

int hp_klp_sysfs__transition(const char *root, const char *name)
{
	return read_switch(root, name, "transition");
}

static bool exists(const char *root, const char *folder, const char *name)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/%s/%s", root_or_default(root), folder, name);
	return access(path, F_OK) == 0;
}

bool hp_klp_sysfs__exists(const char *root, const char *name)
{
	return exists(root, "kernel/livepatch", name);
}

bool hp_klp_sysfs__module_exists(const char *root, const char *name)
{
	return exists(root, "module", name);
}

bool hp_klp_sysfs__module_live(const char *root, const char *name)
{
	char path[PATH_LEN], state[16];

	snprintf(path, sizeof(path), "%s/module/%s/initstate", root_or_default(root), name);
	return !read_line(path, state, sizeof(state)) && !strcmp(state, "live");
}

int hp_klp_sysfs__refcount(const char *root, const char *name)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/module/%s/refcnt", root_or_default(root), name);
	return read_number(path);
}

/*
 * Each loading makes a folder of its own. Its inode number is the kernfs node's id, which is given
 * out in turn, with a generation above its 32 bits (fs/kernfs/dir.c: __kernfs_new_node()).
 */
uint64_t hp_klp_sysfs__load(const char *root, const char *name)
{
	char path[PATH_LEN];
	struct stat st;

	snprintf(path, sizeof(path), "%s/module/%s", root_or_default(root), name);
	return stat(path, &st) ? 0 : st.st_ino;
}

void hp_klp_sysfs__srcversion(const char *root, const char *name, char *out, size_t size)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/module/%s/srcversion", root_or_default(root), name);
	if (read_line(path, out, size))
		out[0] = 0;
}

int hp_klp_sysfs__set_enabled(const char *root, const char *name, bool enabled,
			      struct hp_error *err)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_LEN];
	int ret;

	snprintf(path, sizeof(path), "%s/kernel/livepatch/%s/enabled", root_or_default(root), name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENODEV))
		return hp_fail(err, HP_E_KLP_NOT_LOADED, "no livepatch named %s is loaded", name);
	if (fd < 0)
		return hp_fail_errno(err, HP_E_KLP_CONTROL, -errno, "cannot open %s", path);
	if (write(fd, enabled ? "1" : "0", 1) == 1)
		return 0;
	ret = -errno;
	switch (ret) {
	case -EINVAL: /* it is as wanted already, or __klp_disable_patch() refused */
		if (hp_klp_sysfs__enabled(root, name) == enabled)
			return 0;
		return hp_fail_errno(err, HP_E_KLP_REFUSED, ret, "the kernel does not %s %s",
				     enabled ? "enable" : "disable", name);
	case -EBUSY:
		return hp_fail(err, HP_E_KLP_BUSY,
			       "%s cannot be %s: another livepatch is in transition", name,
			       enabled ? "enabled" : "disabled");
	case -ENODEV:
	case -ENOENT:
		return hp_fail(err, HP_E_KLP_NOT_LOADED, "no livepatch named %s is loaded", name);
	}
	return hp_fail_errno(err, HP_E_KLP_CONTROL, ret, "cannot write %s", path);
}

static bool is_folder(int at, const char *name)
{
	struct stat st;

	return name[0] != '.' && !fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) &&
	       S_ISDIR(st.st_mode);
}

static DIR *open_folder_at(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	if (fd < 0)
		return NULL;
	dir = fdopendir(fd);
	if (!dir)
		close(fd);
	return dir;
}

/* A function is a folder "symbol,position"; the position is 1 for a unique symbol as well. */
static int read_func(struct hp_klp_object *object, const char *folder)
{
	struct hp_klp_func *func = hp_klp_object__add_func(object);
	const char *comma = strrchr(folder, ',');
	size_t len = comma ? (size_t)(comma - folder) : strlen(folder);

	if (!func)
		return -ENOMEM;
	snprintf(func->old_name, sizeof(func->old_name), "%.*s", (int)len, folder);
	func->sympos = comma ? strtoull(comma + 1, NULL, 10) : 0;
	if (func->sympos == 1)
		func->sympos = 0;
	return 0;
}

static int read_object(const char *root, struct hp_klp_patch *patch, int at, const char *name)
{
	struct hp_klp_object *object = hp_klp_patch__add_object(patch);
	_cleanup_dir_ DIR *dir = open_folder_at(at, name);
	struct dirent *entry;

	if (!object)
		return -ENOMEM;
	snprintf(object->name, sizeof(object->name), "%.*s", HP_NAME_MAX - 1, name);
	object->loaded = !strcmp(name, "vmlinux") || hp_klp_sysfs__module_live(root, name);
	object->patched = object->loaded && patch->enabled;
	if (!dir)
		return 0; /* went away */
	while ((entry = readdir(dir)))
		if (is_folder(dirfd(dir), entry->d_name) && read_func(object, entry->d_name))
			return -ENOMEM;
	return 0;
}

static int read_patch(const char *root, struct hp_klp_snapshot *snap, int at, const char *name)
{
	_cleanup_dir_ DIR *dir = open_folder_at(at, name);
	int enabled = hp_klp_sysfs__enabled(root, name);
	int transition = hp_klp_sysfs__transition(root, name);
	struct hp_klp_patch *patch;
	struct dirent *entry;

	if (!dir || enabled < 0 || transition < 0)
		return 0; /* went away */
	patch = hp_klp_snapshot__add_patch(snap);
	if (!patch)
		return -ENOMEM;
	snprintf(patch->name, sizeof(patch->name), "%.*s", HP_NAME_MAX - 1, name);
	patch->enabled = enabled;
	patch->transition = transition;
	if (transition)
		snap->target_state = enabled;
	while ((entry = readdir(dir)))
		if (is_folder(dirfd(dir), entry->d_name) &&
		    read_object(root, patch, dirfd(dir), entry->d_name))
			return -ENOMEM;
	return 0;
}

int hp_klp_sysfs__ftrace_disabled(const char *proc)
{
	char path[PATH_LEN], value[16];
	int ret;

	/* ftrace_enable_sysctl() answers nothing else once ftrace is dead. */
	snprintf(path, sizeof(path), "%s/sys/kernel/ftrace_enabled", proc ? proc : "/proc");
	ret = read_line(path, value, sizeof(value));
	return ret == -ENODEV ? 1 : ret ? -1 : 0;
}

int hp_klp_list__read_sysfs(const char *root, struct hp_klp_snapshot **out, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_klp_snapshot__free) struct hp_klp_snapshot *snap = NULL;
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/kernel", root_or_default(root));
	if (access(path, F_OK))
		return hp_fail_errno(err, HP_E_KLP_SYSFS, -errno, "cannot read %s", path);
	snprintf(path, sizeof(path), "%s/kernel/livepatch", root_or_default(root));
	dir = opendir(path);
	if (!dir && errno == ENOENT)
		return hp_fail(err, HP_E_KLP_UNSUPPORTED,
			       "this kernel has no livepatching (%s is missing)", path);
	if (!dir)
		return hp_fail_errno(err, HP_E_KLP_SYSFS, -errno, "cannot read %s", path);
	snap = calloc(1, sizeof(*snap));
	if (!snap)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	snap->source = HP_KLP_FROM_SYSFS;
	snap->target_state = -1;
	snap->ftrace_disabled = hp_klp_sysfs__ftrace_disabled(NULL);
	while ((entry = readdir(dir)))
		if (is_folder(dirfd(dir), entry->d_name) &&
		    read_patch(root, snap, dirfd(dir), entry->d_name))
			return hp_fail(err, HP_E_NOMEM, "out of memory");
	*out = snap;
	snap = NULL;
	return 0;
}
