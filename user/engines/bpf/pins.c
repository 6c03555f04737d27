// SPDX-License-Identifier: GPL-2.0
/* Where the links of an applied hotfix are pinned. */
#include "engines/bpf/pins.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <bpf/bpf.h>

#include "host/bpffs.h"

#define PREFIX "replace-"

/* Names with a dot are refused by the file system; no hotfix's name begins with this. */
#define UNFINISHED "~"

typedef char pin_path[768];

bool hp_link_pins__unfinished(const struct hp_link_pin *pin)
{
	return pin->hotfix[0] == UNFINISHED[0];
}

int hp_link_pins__get(const struct hp_link_pin *pin)
{
	pin_path path;
	int fd;

	snprintf(path, sizeof(path), HP_PINS_ROOT "/%s/" PREFIX "%s", pin->hotfix, pin->function);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* Call @each for the names in @path; a folder that is not there has none. */
static int for_each_name(const char *path, int (*each)(const char *name, void *arg), void *arg)
{
	_cleanup_dir_ DIR *dir = opendir(path);
	const struct dirent *entry;
	int ret = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!ret && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			ret = each(entry->d_name, arg);
	return ret;
}

struct listing {
	struct hp_link_pin *pins;
	size_t count;
	const char *hotfix;
};

static int add_pin(const char *name, void *arg)
{
	struct listing *l = arg;
	struct hp_link_pin *grown;

	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return 0;
	grown = realloc(l->pins, (l->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	l->pins = grown;
	snprintf(grown[l->count].hotfix, sizeof(grown->hotfix), "%s", l->hotfix);
	snprintf(grown[l->count].function, sizeof(grown->function), "%s", name + strlen(PREFIX));
	l->count++;
	return 0;
}

static int add_hotfix(const char *name, void *arg)
{
	struct listing *l = arg;
	char path[512];

	snprintf(path, sizeof(path), HP_PINS_ROOT "/%s", name);
	l->hotfix = name;
	return for_each_name(path, add_pin, l);
}

static int by_name(const void *a, const void *b)
{
	const struct hp_link_pin *x = a, *y = b;
	int order = strcmp(x->hotfix, y->hotfix);

	return order ?: strcmp(x->function, y->function);
}

int hp_link_pins__list(struct hp_link_pin **out, size_t *count, struct hp_error *err)
{
	struct listing l = { 0 };
	int ret = for_each_name(HP_PINS_ROOT, add_hotfix, &l);

	if (ret) {
		free(l.pins);
		return hp_fail_errno(err, HP_E_PIN, ret, "%s cannot be read", HP_PINS_ROOT);
	}
	if (l.count)
		qsort(l.pins, l.count, sizeof(*l.pins), by_name);
	*out = l.pins;
	*count = l.count;
	return 0;
}

static int unlink_pin(const char *name, void *arg)
{
	pin_path path;

	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

static void folder_of(const char *prefix, const char *hotfix, char *out, size_t size)
{
	snprintf(out, size, HP_PINS_ROOT "/%s%s", prefix, hotfix);
}

/* What is there of ours, and the folder if that was all. */
static int remove_folder(const char *path)
{
	int ret = for_each_name(path, unlink_pin, (void *)path);

	if (ret)
		return ret;
	return rmdir(path) && errno != ENOENT ? -errno : 0;
}

int hp_link_pins__sweep(const char *hotfix, struct hp_error *err)
{
	char path[256];
	int ret;

	folder_of(UNFINISHED, hotfix, path, sizeof(path));
	ret = remove_folder(path);
	if (ret)
		return hp_fail_errno(err, HP_E_PIN, ret, "%s cannot be removed", path);
	hp_link_pins__tidy();
	return 0;
}

void hp_link_pins__tidy(void)
{
	rmdir(HP_PINS_ROOT); /* as long as nothing else is there */
}

int hp_link_pins__remove(const char *hotfix, struct hp_error *err)
{
	char whole[256], unfinished[256];
	int ret = hp_link_pins__sweep(hotfix, err);

	if (ret)
		return ret;
	folder_of("", hotfix, whole, sizeof(whole));
	folder_of(UNFINISHED, hotfix, unfinished, sizeof(unfinished));
	if (rename(whole, unfinished))
		return errno == ENOENT ? 0
				       : hp_fail_errno(err, HP_E_PIN, -errno,
						       "%s cannot be removed", whole);
	return hp_link_pins__sweep(hotfix, err);
}

bool hp_link_pins__are_there(const char *hotfix)
{
	char whole[256];

	folder_of("", hotfix, whole, sizeof(whole));
	return !access(whole, F_OK);
}

int hp_link_pins__check_room(const char *hotfix, const char *leaving, struct hp_error *err)
{
	struct statfs fs;

	if (access(HP_BPFFS, W_OK))
		return hp_fail_errno(err, HP_E_PIN, -errno, "nothing can be pinned in " HP_BPFFS);
	if (statfs(HP_PINS_ROOT, &fs))
		return errno == ENOENT ? 0
				       : hp_fail_errno(err, HP_E_PIN, -errno,
						       HP_PINS_ROOT " cannot be read");
	/* Something else was mounted over it. */
	if (fs.f_type != BPF_FS_MAGIC || access(HP_PINS_ROOT "/.", W_OK))
		return hp_fail(err, HP_E_PIN,
			       HP_PINS_ROOT " is no folder in a BPF file system that can be "
					    "written");
	if (hp_link_pins__are_there(hotfix) && strcmp(hotfix, leaving))
		return hp_fail(err, HP_E_BPF_EXISTS, HP_PINS_ROOT "/%s is there already", hotfix);
	return 0;
}

/* Under the name that nobody reads. After an error there may be some. */
static int pin_unfinished(const char *hotfix, const char *const *functions, const int *fds,
			  size_t count, struct hp_error *err)
{
	char unfinished[256];
	pin_path pin;
	int ret = hp_link_pins__sweep(hotfix, err); /* of one that was killed */

	if (ret)
		return ret;
	folder_of(UNFINISHED, hotfix, unfinished, sizeof(unfinished));
	if (mkdir(HP_PINS_ROOT, 0700) && errno != EEXIST)
		return hp_fail_errno(err, HP_E_PIN, -errno, "%s cannot be made", HP_PINS_ROOT);
	if (mkdir(unfinished, 0700))
		ret = hp_fail_errno(err, HP_E_PIN, -errno, "%s cannot be made", unfinished);
	for (size_t i = 0; i < count && !ret; i++) {
		snprintf(pin, sizeof(pin), "%s/" PREFIX "%s", unfinished, functions[i]);
		if (bpf_obj_pin(fds[i], pin))
			ret = hp_fail_errno(err, HP_E_PIN, -errno, "%s cannot be made", pin);
	}
	return ret;
}

int hp_link_pins__rehearse(const char *hotfix, const char *const *functions, const int *fds,
			   size_t count, struct hp_error *err)
{
	int ret = pin_unfinished(hotfix, functions, fds, count, err);

	return hp_link_pins__sweep(hotfix, ret ? NULL : err) ?: ret;
}

int hp_link_pins__pin(const char *hotfix, const char *const *functions, const int *fds,
		      size_t count, struct hp_error *err)
{
	char whole[256], unfinished[256];
	int ret;

	folder_of("", hotfix, whole, sizeof(whole));
	folder_of(UNFINISHED, hotfix, unfinished, sizeof(unfinished));
	if (!access(whole, F_OK))
		return hp_fail(err, HP_E_BPF_EXISTS, "%s is there already", whole);
	ret = pin_unfinished(hotfix, functions, fds, count, err);
	if (!ret && rename(unfinished, whole))
		ret = hp_fail_errno(err, HP_E_PIN, -errno, "%s cannot be made", whole);
	if (ret)
		hp_link_pins__sweep(hotfix, NULL);
	return ret;
}

/* Folders too that have no pin yet, or none any more. */
static int add_unfinished(const char *name, void *arg)
{
	struct listing *l = arg;
	struct hp_link_pin *grown;

	if (name[0] != UNFINISHED[0])
		return 0;
	grown = realloc(l->pins, (l->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	l->pins = grown;
	memset(&grown[l->count], 0, sizeof(*grown));
	snprintf(grown[l->count++].hotfix, sizeof(grown->hotfix), "%s", name + 1);
	return 0;
}

int hp_link_pins__list_unfinished(struct hp_link_pin **out, size_t *count, struct hp_error *err)
{
	struct listing l = { 0 };
	int ret = for_each_name(HP_PINS_ROOT, add_unfinished, &l);

	if (ret) {
		free(l.pins);
		return hp_fail_errno(err, HP_E_PIN, ret, "%s cannot be read", HP_PINS_ROOT);
	}
	*out = l.pins;
	*count = l.count;
	return 0;
}
