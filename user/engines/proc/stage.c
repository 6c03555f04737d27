// SPDX-License-Identifier: GPL-2.0
/*
 * The copy of a hotfix that processes map. They must not map the author's file: when it is built
 * again, the code of all of them would change.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engines/proc/session.h"

/* Not below /run, which Debian mounts noexec. */
#define STATE_DIR "/var/lib/hotproof"

static int copy(int from, int to)
{
	char buf[64 * 1024];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, buf, sizeof(buf), at)) > 0) {
		/* The last part that fits on a disk is written, and the next one says that it is full. */
		for (ssize_t done = 0, part; done < n; done += part) {
			part = write(to, buf + done, (size_t)(n - done));
			if (part <= 0)
				return part ? -errno : -EIO;
		}
		at += n;
	}
	return n < 0 ? -errno : 0;
}

static bool is_same(int a, int b)
{
	char x[16 * 1024], y[16 * 1024];
	off_t at = 0;
	ssize_t n, m;

	do {
		n = pread(a, x, sizeof(x), at);
		m = pread(b, y, sizeof(y), at);
		if (n < 0 || n != m || memcmp(x, y, (size_t)n))
			return false;
		at += n;
	} while (n);
	return true;
}

/* A copy that is there already, ours, and whole. */
static bool is_staged(const char *path, int source, struct stat *st)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && !fstat(fd, st) && S_ISREG(st->st_mode) && st->st_uid == geteuid() &&
	       !(st->st_mode & 022) && is_same(fd, source);
}

static int make_folder(const char *path)
{
	return mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
}

int hp_stage__make(struct hp_proc *proc, struct hp_error *err)
{
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(proc->hotfix);
	struct hp_elf *elf = hp_hotfix__elf(proc->hotfix);
	const char *state = getenv("HOTPROOF_STATE_DIR") ?: STATE_DIR;
	char folder[PATH_MAX], temp[PATH_MAX], hex[HP_BUILD_ID_TEXT_MAX];
	int source = hp_elf__fd(elf), fd, ret;

	if (proc->staged[0])
		return 0;
	hp_build_id__format(hp_elf__build_id(elf), hex);
	if (snprintf(folder, sizeof(folder), "%s/hotfixes", state) >= (int)sizeof(folder) ||
	    snprintf(temp, sizeof(temp), "%s/hotproof-%s-%s.so.%d", folder, meta->id, hex,
		     getpid()) >= (int)sizeof(temp) ||
	    snprintf(proc->staged, sizeof(proc->staged), "%s/hotproof-%s-%s.so", folder, meta->id,
		     hex) >= (int)sizeof(proc->staged)) {
		proc->staged[0] = '\0';
		return hp_fail(err, HP_E_STAGE, "HOTPROOF_STATE_DIR is too long");
	}
	if (is_staged(proc->staged, source, &proc->staged_stat))
		return 0;
	ret = make_folder(state);
	ret = ret ?: make_folder(folder);
	fd = ret ? ret : open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (!ret && fd < 0)
		ret = -errno;
	if (!ret) {
		ret = copy(source, fd);
		if (!ret && (fchmod(fd, 0644) || fsync(fd) || fstat(fd, &proc->staged_stat)))
			ret = -errno;
		close(fd);
		if (!ret && rename(temp, proc->staged))
			ret = -errno;
		if (ret)
			unlink(temp);
	}
	if (!ret)
		return 0;
	hp_fail_errno(err, HP_E_STAGE, ret, "cannot write %s", proc->staged);
	proc->staged[0] = '\0';
	return ret;
}
