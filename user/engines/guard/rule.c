// SPDX-License-Identifier: GPL-2.0
/* Rules of guards: users, cgroups, programs and errors as the kernel has them. */
#include "engines/guard/rule.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "engines/guard/state.h"
#include "host/namespaces.h"

#define ERRNO_MAX      4095 /* MAX_ERRNO of the kernel */
#define ERRNO_NAMED    256
#define CGROUP_MOUNT   "/sys/fs/cgroup"
#define CGROUP_MOUNT_2 CGROUP_MOUNT "/unified" /* beside version 1 */

void hp_guard_rule__init(struct hp_guard_rule *rule)
{
	memset(rule, 0, sizeof(*rule));
	rule->percent = HP_GUARD_PERCENT;
}

const char *hp_errno_name(int number)
{
	return number > 0 && number < ERRNO_NAMED ? strerrorname_np(number) ?: "" : "";
}

/* The number that @word means, 0: none. Some have a second name, of which the C library tells one. */
static int errno_of(const char *word)
{
	static const struct {
		const char *name;
		int number;
	} others[] = { { "EWOULDBLOCK", EWOULDBLOCK },
		       { "EDEADLOCK", EDEADLOCK },
		       { "ENOTSUP", ENOTSUP } };

	for (int i = 1; word[0] && i < ERRNO_NAMED; i++)
		if (!strcmp(hp_errno_name(i), word))
			return i;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(others[i].name, word))
			return others[i].number;
	return 0;
}

int hp_guard_rule__set_value(struct hp_guard_rule *rule, const char *text, struct hp_error *err)
{
	const char *word = text[0] == '-' ? text + 1 : text;
	char *end;
	long value;

	if (!strcmp(text, "any")) {
		rule->value = 0;
		return 0;
	}
	value = errno_of(word);
	if (value) {
		rule->value = (__s32)-value;
		return 0;
	}
	errno = 0;
	value = strtol(word, &end, 10);
	if (errno || *end || word[0] < '0' || word[0] > '9' || value < 1 || value > ERRNO_MAX)
		return hp_fail(err, HP_E_GUARD_RETURN,
			       "'%s' is no error that a function can return", text);
	rule->value = (__s32)-value;
	return 0;
}

int hp_guard_rule__set_uids(struct hp_guard_rule *rule, const char *const *texts, size_t count,
			    struct hp_error *err)
{
	__u32 uids[HP_GUARD_UIDS];

	if (count == 1 && !strcmp(texts[0], "any")) {
		rule->uid_count = 0;
		return 0;
	}
	if (count > HP_GUARD_UIDS)
		return hp_fail(err, HP_E_GUARD_SCOPE, "a guard knows at most %d users",
			       HP_GUARD_UIDS);
	for (size_t i = 0; i < count; i++) {
		const struct passwd *user;
		unsigned long number;
		char *end;

		errno = 0;
		number = strtoul(texts[i], &end, 10);
		if (texts[i][0] >= '0' && texts[i][0] <= '9' && !*end && !errno &&
		    number < UINT32_MAX) {
			uids[i] = (__u32)number;
			continue;
		}
		user = getpwnam(texts[i]);
		if (!user)
			return hp_fail(err, HP_E_GUARD_SCOPE, "there is no user '%s'", texts[i]);
		uids[i] = user->pw_uid;
	}
	memcpy(rule->uids, uids, count * sizeof(uids[0]));
	rule->uid_count = (__u32)count;
	return 0;
}

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* How many of the folders above @path are cgroups: what the kernel calls its level. */
static int level_of(const char *path)
{
	char *parent = strdup(path), *slash;
	int level = 0;

	while (parent && (slash = strrchr(parent, '/')) && slash != parent) {
		*slash = '\0';
		if (!is_cgroup2(parent))
			break;
		level++;
	}
	free(parent);
	return level;
}

int hp_guard_rule__set_cgroup(struct hp_guard_rule *rule, const char *path, struct hp_error *err)
{
	const char *mount = is_cgroup2(CGROUP_MOUNT_2) ? CGROUP_MOUNT_2 : CGROUP_MOUNT;
	_cleanup_free_ char *joined = NULL, *real = NULL;
	struct stat st;

	if (!strcmp(path, "any")) {
		rule->flags &= ~(__u32)HP_GUARD_BY_CGROUP;
		rule->cgroup_path[0] = '\0';
		return 0;
	}
	/* The root, which is everybody, has a name of its own: "/". */
	if (!*path)
		return hp_fail(err, HP_E_GUARD_SCOPE, "'' is no name of a cgroup");
	/* The kernel numbers levels from the root of all, not from that of a container. */
	if (!hp_ns__is_initial("cgroup", HP_NS_CGROUP))
		return hp_fail(err, HP_E_GUARD_SCOPE,
			       "cgroups cannot be told apart from within a cgroup namespace");
	if (is_cgroup2(path))
		real = realpath(path, NULL);
	else if (asprintf(&joined, "%s/%s", mount, path) > 0 && is_cgroup2(joined))
		real = realpath(joined, NULL);
	if (!real || stat(real, &st) || !S_ISDIR(st.st_mode))
		return hp_fail(err, HP_E_GUARD_SCOPE, "there is no cgroup (version 2) '%s'", path);
	if (strlen(real) >= sizeof(rule->cgroup_path))
		return hp_fail(err, HP_E_GUARD_SCOPE, "the path of cgroup '%s' is too long", path);
	/* A cgroup's id is its inode number (cgroup_id(), include/linux/cgroup.h). */
	rule->cgroup_id = st.st_ino;
	rule->cgroup_level = (__u32)level_of(real);
	rule->flags |= HP_GUARD_BY_CGROUP;
	strcpy(rule->cgroup_path, real);
	return 0;
}

bool hp_guard_rule__cgroup_gone(const struct hp_guard_rule *rule)
{
	struct stat st;

	return (rule->flags & HP_GUARD_BY_CGROUP) &&
	       (stat(rule->cgroup_path, &st) || st.st_ino != rule->cgroup_id);
}

/* A line of @path that begins with @prefix, behind it. */
static bool read_line(const char *path, const char *prefix, char *out, size_t size)
{
	_cleanup_file_ FILE *f = fopen(path, "re");
	char line[1024];

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, prefix, strlen(prefix)))
			continue;
		snprintf(out, size, "%s", line + strlen(prefix));
		return true;
	}
	return false;
}

/*
 * Inode and device as the kernel has them in struct file, which stat(2) hides for some file systems
 * (overlayfs, btrfs): the inode from /proc/self/fdinfo, the device from the mount that it names.
 */
static int identify(int fd, struct hp_guard_rule *rule)
{
	char path[64], text[128], prefix[32];
	unsigned int major, minor;
	unsigned long mount, parent;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (!read_line(path, "mnt_id:", text, sizeof(text)))
		return -ENOENT;
	mount = strtoul(text, NULL, 10);
	rule->exe_inode = st.st_ino;
	if (read_line(path, "ino:", text, sizeof(text)))
		rule->exe_inode = strtoull(text, NULL, 10);
	snprintf(prefix, sizeof(prefix), "%lu ", mount);
	if (!read_line("/proc/self/mountinfo", prefix, text, sizeof(text)) ||
	    sscanf(text, "%lu %u:%u", &parent, &major, &minor) != 3)
		return -ENOENT;
	rule->exe_dev = major << 20 | minor;
	return 0;
}

/* What runs is its interpreter. */
static bool is_script(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char head[2];

	return fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) && !memcmp(head, "#!", 2);
}

int hp_guard_rule__set_exe(struct hp_guard_rule *rule, const char *path, struct hp_error *err)
{
	_cleanup_free_ char *real = NULL;
	_cleanup_close_ int fd = -1;
	int ret;

	if (!strcmp(path, "any")) {
		rule->flags &= ~(__u32)HP_GUARD_BY_EXE;
		rule->exe_path[0] = '\0';
		return 0;
	}
	real = realpath(path, NULL);
	fd = real ? open(real, O_PATH | O_CLOEXEC) : -1;
	if (fd < 0)
		return hp_fail_errno(err, HP_E_GUARD_SCOPE, -errno, "cannot open program '%s'",
				     path);
	if (strlen(real) >= sizeof(rule->exe_path))
		return hp_fail(err, HP_E_GUARD_SCOPE, "the path of program '%s' is too long", path);
	ret = identify(fd, rule);
	if (ret)
		return hp_fail_errno(err, HP_E_GUARD_SCOPE, ret, "'%s' is no program", path);
	if (is_script(real))
		return hp_fail(err, HP_E_GUARD_SCOPE,
			       "'%s' is a script: no process runs it, but its interpreter", path);
	rule->flags |= HP_GUARD_BY_EXE;
	strcpy(rule->exe_path, real);
	return 0;
}

bool hp_guard_rule__exe_gone(const struct hp_guard_rule *rule)
{
	struct hp_guard_rule now = { 0 };
	_cleanup_close_ int fd = -1;

	if (!(rule->flags & HP_GUARD_BY_EXE))
		return false;
	fd = open(rule->exe_path, O_PATH | O_CLOEXEC);
	return fd < 0 || identify(fd, &now) || now.exe_inode != rule->exe_inode ||
	       now.exe_dev != rule->exe_dev;
}

/* Some are not rounded to none, nor to all. */
void hp_guard_rule__set_percent(struct hp_guard_rule *rule, double percent)
{
	__u32 hundredths = (__u32)lround(percent * HP_GUARD_PERCENT / 100);

	if (percent > 0 && !hundredths)
		hundredths = 1;
	if (percent < 100 && hundredths == HP_GUARD_PERCENT)
		hundredths = HP_GUARD_PERCENT - 1;
	rule->percent = hundredths;
}

void hp_guard_rule__set_expiry(struct hp_guard_rule *rule, uint64_t in_ns)
{
	rule->expires_ns = in_ns ? hp_boot_ns() + in_ns : 0;
}
