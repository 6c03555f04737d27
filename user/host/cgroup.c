// SPDX-License-Identifier: GPL-2.0
/* The processes of a control group (cgroups(7), systemd.unit(5)). */
#include "host/cgroup.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MAX_ROOTS 16

/* The places where hierarchies of control groups are mounted, that of version 2 first. */
struct roots {
	char paths[MAX_ROOTS][PATH_MAX];
	size_t count;
};

/* "… MOUNT-POINT OPTIONS … - TYPE SOURCE …" (proc(5), /proc/PID/mountinfo). */
static void read_roots(struct roots *roots, const char *type)
{
	_cleanup_file_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0 && roots->count < MAX_ROOTS) {
		const char *behind = strstr(line, " - ");
		char found[32], point[PATH_MAX];

		if (behind && sscanf(behind + 3, "%31s", found) == 1 && !strcmp(found, type) &&
		    sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1)
			strcpy(roots->paths[roots->count++], point);
	}
}

static struct roots *find_roots(struct hp_error *err)
{
	struct roots *roots = calloc(1, sizeof(*roots));

	if (!roots) {
		hp_fail(err, HP_E_NOMEM, "out of memory");
		return NULL;
	}
	read_roots(roots, "cgroup2");
	read_roots(roots, "cgroup");
	if (roots->count)
		return roots;
	free(roots);
	hp_fail(err, HP_E_CGROUP, "no hierarchy of control groups is mounted");
	return NULL;
}

static bool is_cgroup(const char *path)
{
	char procs[PATH_MAX];

	return snprintf(procs, sizeof(procs), "%s/cgroup.procs", path) < (int)sizeof(procs) &&
	       !access(procs, R_OK);
}

int hp_cgroup__find(char path[PATH_MAX], const char *name, struct hp_error *err)
{
	_cleanup_free_ struct roots *roots = find_roots(err);

	if (!roots)
		return -ENOENT;
	for (size_t i = 0; i < roots->count; i++) {
		if (snprintf(path, PATH_MAX, "%s/%s", roots->paths[i], name) < PATH_MAX &&
		    is_cgroup(path))
			return 0;
	}
	if (snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && is_cgroup(path))
		return 0;
	return hp_fail(err, HP_E_CGROUP, "there is no control group %s", name);
}

/* Open a walk over the folders below @path. */
static FTS *walk(const char *path)
{
	char *const paths[] = { (char *)path, NULL };

	return fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
}

/* The folder called @name below @root: 1 when there is one, -ENOTUNIQ when there are more. */
static int find_below(char path[PATH_MAX], const char *root, const char *name)
{
	FTS *fts = walk(root);
	FTSENT *entry;
	int found = 0;

	while (fts && (entry = fts_read(fts))) {
		if (entry->fts_info != FTS_D || strcmp(entry->fts_name, name) ||
		    strlen(entry->fts_path) >= PATH_MAX)
			continue;
		strcpy(path, entry->fts_path);
		found++;
	}
	if (fts)
		fts_close(fts);
	return found > 1 ? -ENOTUNIQ : found;
}

int hp_cgroup__find_unit(char path[PATH_MAX], const char *name, struct hp_error *err)
{
	_cleanup_free_ struct roots *roots = find_roots(err);
	char full[NAME_MAX + 1];

	if (!roots)
		return -ENOENT;
	if (!*name || strchr(name, '/') ||
	    snprintf(full, sizeof(full), "%s%s", name, strchr(name, '.') ? "" : ".service") >=
		    (int)sizeof(full))
		return hp_fail(err, HP_E_USAGE, "'%s' is no name of a unit", name);
	for (size_t i = 0; i < roots->count; i++) {
		int ret = find_below(path, roots->paths[i], full);

		if (ret == -ENOTUNIQ)
			return hp_fail(
				err, HP_E_CGROUP,
				"more than one control group is called %s: name it by --cgroup",
				full);
		if (ret)
			return 0;
	}
	return hp_fail(err, HP_E_CGROUP, "the unit %s has no control group: it does not run", full);
}

static int read_pids(const char *folder, pid_t **pids, size_t *count)
{
	char path[PATH_MAX];
	_cleanup_file_ FILE *f = NULL;
	int pid;

	if (snprintf(path, sizeof(path), "%s/cgroup.procs", folder) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	f = fopen(path, "re");
	/* A group of threads has no processes of its own: the group above has them; or it is gone. */
	while (f && fscanf(f, "%d", &pid) == 1) {
		pid_t *grown = realloc(*pids, (*count + 1) * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*pids = grown;
		if (pid > 0) /* 0: of another pid namespace */
			grown[(*count)++] = pid;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int hp_cgroup__pids(const char *path, pid_t **out, size_t *count, struct hp_error *err)
{
	FTS *fts = walk(path);
	FTSENT *entry;
	int ret = fts ? 0 : -errno;

	*out = NULL;
	*count = 0;
	while (!ret && (entry = fts_read(fts)))
		if (entry->fts_info == FTS_D)
			ret = read_pids(entry->fts_path, out, count);
	if (fts)
		fts_close(fts);
	if (ret) {
		free(*out);
		*out = NULL;
		*count = 0;
		return hp_fail_errno(err, HP_E_CGROUP, ret, "cannot read the processes of %s",
				     path);
	}
	if (*count)
		qsort(*out, *count, sizeof(**out), by_number);
	return 0;
}
