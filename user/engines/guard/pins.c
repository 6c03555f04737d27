// SPDX-License-Identifier: GPL-2.0
/* The folders of guards in the BPF file system. */
#include "engines/guard/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"

#define REHEARSAL "way-back"

#define PATH_SIZE (sizeof(HP_PINS_ROOT) + HP_GUARD_NAME_MAX + 16)

static const char *const pin_names[HP_PINS] = {
	[HP_PIN_PATCH] = "patch", [HP_PIN_COUNTERS] = "counters", [HP_PIN_CALLERS] = "callers",
	[HP_PIN_SITES] = "sites", [HP_PIN_LINK] = "link",
};

static void folder_of(const char *name, char *out)
{
	snprintf(out, PATH_SIZE, HP_PINS_ROOT "/%.*s", HP_GUARD_NAME_MAX - 1, name);
}

static void pin_of(const char *name, enum hp_pin pin, char *out)
{
	snprintf(out, PATH_SIZE, HP_PINS_ROOT "/%.*s/%s", HP_GUARD_NAME_MAX - 1, name,
		 pin_names[pin]);
}

int hp_pins__check_name(const char *name, struct hp_error *err)
{
	if (strlen(name) < HP_GUARD_NAME_MAX && hp_bpffs__is_name(name))
		return 0;
	return hp_fail(err, HP_E_GUARD_NAME, "'%s' cannot be the name of a guard", name);
}

/*
 * Is the folder @name a guard's? Other hotfixes have folders beside it, with other pins. One that is
 * empty is what is left of a guard whose loader died at once.
 */
static bool is_guard(const char *name)
{
	char path[PATH_SIZE];
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;

	if (hp_pins__check_name(name, NULL))
		return false;
	folder_of(name, path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		bool ours = !strcmp(entry->d_name, REHEARSAL) || entry->d_name[0] == '.';

		for (int pin = 0; pin < HP_PINS; pin++)
			ours |= !strcmp(entry->d_name, pin_names[pin]);
		if (!ours)
			return false;
	}
	return dir != NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int hp_pins__list(hp_guard_name **names, size_t *count, struct hp_error *err)
{
	_cleanup_dir_ DIR *dir = opendir(HP_PINS_ROOT);
	struct dirent *entry;

	*names = NULL;
	*count = 0;
	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return hp_fail_errno(err, HP_E_PIN, -errno, "cannot read " HP_PINS_ROOT);
	while ((entry = readdir(dir))) {
		hp_guard_name *grown;

		if (!is_guard(entry->d_name))
			continue;
		grown = realloc(*names, (*count + 1) * sizeof(*grown));
		if (!grown) {
			free(*names);
			*names = NULL;
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		}
		*names = grown;
		strcpy(grown[(*count)++], entry->d_name);
	}
	if (*count)
		qsort(*names, *count, sizeof(**names), by_name);
	return 0;
}

int hp_pins__make(const char *name, struct hp_error *err)
{
	char path[PATH_SIZE];

	if (mkdir(HP_PINS_ROOT, 0700) && errno != EEXIST)
		return hp_fail_errno(err, HP_E_PIN, -errno, "cannot make " HP_PINS_ROOT);
	folder_of(name, path);
	if (!mkdir(path, 0700))
		return 0;
	if (errno == EEXIST)
		return -EEXIST;
	return hp_fail_errno(err, HP_E_PIN, -errno, "cannot make %s", path);
}

int hp_pins__pin(const char *name, enum hp_pin pin, int fd, struct hp_error *err)
{
	char path[PATH_SIZE];

	pin_of(name, pin, path);
	if (bpf_obj_pin(fd, path))
		return hp_fail_errno(err, HP_E_PIN, -errno, "cannot pin %s", path);
	return 0;
}

int hp_pins__get(const char *name, enum hp_pin pin)
{
	char path[PATH_SIZE];
	int fd;

	pin_of(name, pin, path);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* What a rehearsal makes, and removes in this order. */
static void rehearsal_of(const char *name, char *folder, char *pin)
{
	snprintf(folder, PATH_SIZE, HP_PINS_ROOT "/%.*s/" REHEARSAL, HP_GUARD_NAME_MAX - 1, name);
	snprintf(pin, PATH_SIZE, HP_PINS_ROOT "/%.*s/" REHEARSAL "/pin", HP_GUARD_NAME_MAX - 1,
		 name);
}

int hp_pins__rehearse(const char *name, int fd, struct hp_error *err)
{
	char folder[PATH_SIZE], pin[PATH_SIZE];

	rehearsal_of(name, folder, pin);
	/* Of one that was killed. */
	unlink(pin);
	rmdir(folder);
	if (!mkdir(folder, 0700) && !bpf_obj_pin(fd, pin) && !unlink(pin) && !rmdir(folder))
		return 0;
	hp_fail_errno(err, HP_E_PIN, -errno, "cannot make and remove %s", folder);
	unlink(pin);
	rmdir(folder);
	return -EIO;
}

int hp_pins__check_removable(const char *name, struct hp_error *err)
{
	char path[PATH_SIZE];

	folder_of(name, path);
	if (access(path, W_OK) || access(HP_PINS_ROOT, W_OK))
		return hp_fail_errno(err, HP_E_PIN, -errno, "cannot remove %s", path);
	return 0;
}

void hp_pins__tidy(void)
{
	if (rmdir(HP_PINS_ROOT) && errno != ENOENT && errno != ENOTEMPTY)
		hp_debug("cannot remove " HP_PINS_ROOT ": %s", strerror(errno));
}

int hp_pins__remove(const char *name, struct hp_error *err)
{
	char path[PATH_SIZE], rehearsal[PATH_SIZE];

	for (int pin = HP_PINS - 1; pin >= 0; pin--) {
		pin_of(name, (enum hp_pin)pin, path);
		if (unlink(path) && errno != ENOENT)
			return hp_fail_errno(err, HP_E_PIN, -errno, "cannot remove %s", path);
	}
	rehearsal_of(name, rehearsal, path);
	unlink(path);
	rmdir(rehearsal);
	folder_of(name, path);
	if (rmdir(path) && errno != ENOENT)
		return hp_fail_errno(err, HP_E_PIN, -errno, "cannot remove %s", path);
	hp_pins__tidy();
	return 0;
}
