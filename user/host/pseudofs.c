// SPDX-License-Identifier: GPL-2.0
/* Files of /proc and of pseudo file systems, even where nobody has mounted these. */
#include "host/pseudofs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"

int hp_pseudofs__open(const char *fstype, const char *mountpoint, const char *file)
{
	_cleanup_close_ int context = -1, mount = -1;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", mountpoint, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	/* Mounted, and the file refuses: our own mount would tell the same. */
	if (errno != ENOENT)
		return -errno;
	context = fsopen(fstype, FSOPEN_CLOEXEC);
	if (context < 0)
		return -errno;
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	mount = fsmount(context, FSMOUNT_CLOEXEC,
			MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				MOUNT_ATTR_NOEXEC);
	if (mount < 0)
		return -errno;
	fd = openat(mount, file, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int hp_pseudofs__read_fd(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return 0;
}

int hp_pseudofs__read(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : hp_pseudofs__read_fd(fd, buf, size);
}
