// SPDX-License-Identifier: GPL-2.0
/* /dev/kmsg: Documentation/ABI/testing/dev-kmsg. */
#include "engines/klp/kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECORD_MAX 8192

int hp_kmsg__mark(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) < 0) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

size_t hp_kmsg__since(int fd, int (*wanted)(const char *text, const void *arg), const void *arg,
		      char *out, size_t size)
{
	char record[RECORD_MAX];
	size_t count = 0, len = 0;

	out[0] = 0;
	if (fd < 0)
		return 0;
	for (;;) {
		/* One record a read: "priority,sequence,time,flags;text\n KEY=value\n". */
		ssize_t n = read(fd, record, sizeof(record) - 1);
		char *text;

		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* overwritten before it was read: the next one */
		if (n <= 0)
			return count;
		record[n] = 0;
		text = strchr(record, ';');
		if (!text)
			continue;
		text++;
		text[strcspn(text, "\n")] = 0;
		if (wanted && !wanted(text, arg))
			continue;
		count++;
		if (len + 1 < size)
			len += (size_t)snprintf(out + len, size - len, "%s%s", len ? "\n" : "",
						text);
	}
}
