// SPDX-License-Identifier: GPL-2.0
/* Where the file of each installed kernel module is: modules.dep of depmod, see modules.dep(5). */
#include "host/module_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

struct file {
	char *path; /* relative to dir, or absolute (depmod of a module outside of the tree) */
	char *name; /* as the kernel spells it */
};

struct hp_module_files {
	char dir[PATH_MAX];
	struct file *files;
	size_t count, cap;
};

/* "kernel/fs/nfs/nfs-v4.ko.xz" is the module nfs_v4. NULL when that is no module. */
static char *module_name(const char *path)
{
	const char *base = strrchr(path, '/');
	char *name = strdup(base ? base + 1 : path), *p;

	if (!name)
		return NULL;
	p = strstr(name, ".ko");
	if (!p || (p[3] && p[3] != '.')) {
		free(name);
		return NULL;
	}
	*p = '\0';
	for (p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	return name;
}

static int add(struct hp_module_files *files, const char *path)
{
	struct file *file;

	if (files->count == files->cap) {
		size_t cap = files->cap ? 2 * files->cap : 1024;
		struct file *list = realloc(files->files, cap * sizeof(*list));

		if (!list)
			return -ENOMEM;
		files->files = list;
		files->cap = cap;
	}
	file = &files->files[files->count];
	file->name = module_name(path);
	if (!file->name)
		return 0;
	file->path = strdup(path);
	if (!file->path) {
		free(file->name);
		return -ENOMEM;
	}
	files->count++;
	return 0;
}

static int read_list(struct hp_module_files *files)
{
	char path[PATH_MAX + 16];
	_cleanup_free_ char *line = NULL;
	_cleanup_file_ FILE *f = NULL;
	size_t cap = 0;
	int ret = 0;

	snprintf(path, sizeof(path), "%s/modules.dep", files->dir);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!ret && getline(&line, &cap, f) > 0) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon = '\0';
		ret = add(files, line);
	}
	return ret;
}

int hp_module_files__open(struct hp_module_files **out, const char *dir)
{
	__cleanup(hp_cleanup_hp_module_files__close) struct hp_module_files *files =
		calloc(1, sizeof(*files));
	struct utsname uts;
	int ret;

	if (!files)
		return -ENOMEM;
	uname(&uts);
	if (dir)
		snprintf(files->dir, sizeof(files->dir), "%s", dir);
	else
		snprintf(files->dir, sizeof(files->dir), "/lib/modules/%s", uts.release);
	ret = read_list(files);
	if (ret)
		return ret;
	*out = files;
	files = NULL;
	return 0;
}

void hp_module_files__close(struct hp_module_files *files)
{
	size_t i;

	if (!files)
		return;
	for (i = 0; i < files->count; i++) {
		free(files->files[i].name);
		free(files->files[i].path);
	}
	free(files->files);
	free(files);
}

int hp_module_files__find(const struct hp_module_files *files, const char *module, char *path,
			  size_t size)
{
	size_t i;

	for (i = 0; i < files->count; i++) {
		const struct file *file = &files->files[i];
		int n;

		if (strcmp(file->name, module) != 0)
			continue;
		if (file->path[0] == '/')
			n = snprintf(path, size, "%s", file->path);
		else
			n = snprintf(path, size, "%s/%s", files->dir, file->path);
		return (size_t)n < size ? 0 : -ENAMETOOLONG;
	}
	return -ENOENT;
}
