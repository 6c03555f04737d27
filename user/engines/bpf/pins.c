// SPDX-License-Identifier: GPL-2.0
/* Where the links of an applied hotfix are pinned. */
#include "engines/bpf/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include <bpf/bpf.h>

#include "base/clock.h"

#define BPFFS	"/sys/fs/bpf"
#define ROOT	BPFFS "/hotproof"
#define PREFIX	"replace-"
#define LOCK_NS (10 * 1000 * 1000)

/* Names with a dot are refused by the file system; no hotfix's name begins with this. */
#define UNFINISHED "~"

typedef char pin_path[768];

int hp_link_pins__check_mount(struct hp_error *err)
{
	struct statfs fs;

	if (statfs(BPFFS, &fs) || fs.f_type != BPF_FS_MAGIC)
		return hp_fail(err, HP_E_BPF_PIN, "no BPF file system is mounted at %s", BPFFS);
	return 0;
}

int hp_link_pins__lock(uint64_t deadline, struct hp_error *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_NS };
	int fd = open(BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return hp_fail_errno(err, HP_E_BPF_PIN, -errno, "%s cannot be opened", BPFFS);
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			int ret = hp_fail_errno(err, HP_E_BPF_PIN, -errno, "%s cannot be locked",
						BPFFS);

			close(fd);
			return ret;
		}
		if (hp_now_ns() >= deadline) {
			close(fd);
			return hp_fail(err, HP_E_BUDGET,
				       "another hotproof is changing BPF programs, and has not "
				       "ended within the budget");
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

int hp_link_pins__get(const struct hp_link_pin *pin)
{
	pin_path path;
	int fd;

	snprintf(path, sizeof(path), ROOT "/%s/" PREFIX "%s", pin->hotfix, pin->function);
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

	snprintf(path, sizeof(path), ROOT "/%s", name);
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
	int ret = for_each_name(ROOT, add_hotfix, &l);

	if (ret) {
		free(l.pins);
		return hp_fail_errno(err, HP_E_BPF_PIN, ret, "%s cannot be read", ROOT);
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

/* What is there of ours, and the folder if that was all. */
static int remove_folder(const char *name)
{
	char path[256];
	int ret;

	snprintf(path, sizeof(path), ROOT "/%s", name);
	ret = for_each_name(path, unlink_pin, path);
	if (ret)
		return ret;
	return rmdir(path) && errno != ENOENT ? -errno : 0;
}

int hp_link_pins__remove(const char *hotfix, struct hp_error *err)
{
	char unfinished[80];
	int ret = remove_folder(hotfix);

	snprintf(unfinished, sizeof(unfinished), UNFINISHED "%s", hotfix);
	ret = ret ?: remove_folder(unfinished);
	if (ret)
		return hp_fail_errno(err, HP_E_BPF_PIN, ret, "the pins of %s cannot be removed",
				     hotfix);
	rmdir(ROOT); /* as long as nothing else is there */
	return 0;
}

int hp_link_pins__pin(const char *hotfix, const char *const *functions, const int *fds,
		      size_t count, struct hp_error *err)
{
	char unfinished[80];
	char from[256], to[256];
	pin_path pin;
	int ret = 0;

	snprintf(unfinished, sizeof(unfinished), UNFINISHED "%s", hotfix);
	snprintf(from, sizeof(from), ROOT "/%s", unfinished);
	snprintf(to, sizeof(to), ROOT "/%s", hotfix);
	if (!access(to, F_OK))
		return hp_fail(err, HP_E_BPF_EXISTS, "%s is there already", to);
	remove_folder(unfinished); /* of one that was killed */
	if (mkdir(ROOT, 0700) && errno != EEXIST)
		return hp_fail_errno(err, HP_E_BPF_PIN, -errno, "%s cannot be made", ROOT);
	if (mkdir(from, 0700))
		return hp_fail_errno(err, HP_E_BPF_PIN, -errno, "%s cannot be made", from);
	for (size_t i = 0; i < count && !ret; i++) {
		snprintf(pin, sizeof(pin), "%s/" PREFIX "%s", from, functions[i]);
		if (bpf_obj_pin(fds[i], pin))
			ret = hp_fail_errno(err, HP_E_BPF_PIN, -errno, "%s cannot be made", pin);
	}
	if (!ret && rename(from, to))
		ret = hp_fail_errno(err, HP_E_BPF_PIN, -errno, "%s cannot be made", to);
	if (ret) {
		remove_folder(unfinished);
		rmdir(ROOT);
	}
	return ret;
}
