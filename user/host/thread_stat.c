// SPDX-License-Identifier: GPL-2.0
/* What /proc/PID/task/TID/stat says of a thread. */
#include "host/thread_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

int hp_thread_stat__read(pid_t pid, pid_t tid, enum hp_thread_stat which, uint64_t *value)
{
	_cleanup_close_ int fd = -1;
	char path[64], text[1024];
	const char *at;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	/* The second value, a name that may hold anything, ends with the last bracket. */
	at = strrchr(text, ')');
	for (int i = 2; at && i < (int)which; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EPROTO;
	*value = strtoull(at, NULL, 10);
	return 0;
}
