// SPDX-License-Identifier: GPL-2.0
/* The BPF file system, where what outlives hotproof is pinned. */
#include "host/bpffs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"

#define LOCK_POLL_NS (10 * HP_NSEC_PER_MSEC)

bool hp_bpffs__is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-";

	return name[0] && name[0] != '-' && !name[strspn(name, allowed)];
}

int hp_bpffs__check_mount(struct hp_error *err)
{
	struct statfs fs;

	if (statfs(HP_BPFFS, &fs))
		return hp_fail_errno(err, HP_E_NOT_MOUNTED, -errno,
				     "no BPF file system (bpffs) at " HP_BPFFS);
	if (fs.f_type == BPF_FS_MAGIC)
		return 0;
	return hp_fail(err, HP_E_NOT_MOUNTED,
		       "no BPF file system is mounted at " HP_BPFFS " (mount -t bpf bpf " HP_BPFFS
		       ")");
}

int hp_bpffs__lock(uint64_t deadline, struct hp_error *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_POLL_NS };
	int fd = open(HP_BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return hp_fail_errno(err, HP_E_PIN, -errno, "cannot open " HP_BPFFS);
	/* Not a blocking flock(): SIGINT must end the wait, and so must the deadline. */
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		int ret = 0;

		if (errno != EWOULDBLOCK && errno != EINTR)
			ret = hp_fail_errno(err, HP_E_PIN, -errno, "cannot lock " HP_BPFFS);
		else if (hp_interrupted())
			ret = hp_fail(err, HP_E_INTERRUPTED, "interrupted");
		else if (hp_now_ns() >= deadline)
			ret = hp_fail(err, HP_E_STATE_LOCKED,
				      "another hotproof is changing what is pinned on this host");
		if (ret) {
			close(fd);
			return ret;
		}
		hp_progress("waiting for another hotproof that changes what is pinned");
		nanosleep(&pause, NULL);
	}
	return fd;
}
