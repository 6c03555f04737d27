// SPDX-License-Identifier: GPL-2.0
/* The memory of another process. */
#include "engines/proc/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>

#include "base/cleanup.h"

int hp_memory__read(pid_t pid, uint64_t address, void *buf, size_t len)
{
	struct iovec local = { buf, len };
	struct iovec remote = { (void *)(uintptr_t)address, len };
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

int hp_memory__write(pid_t pid, uint64_t address, const void *buf, size_t len)
{
	struct iovec local = { (void *)buf, len };
	struct iovec remote = { (void *)(uintptr_t)address, len };
	ssize_t n = process_vm_writev(pid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

int hp_memory__open(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int hp_memory__write_code(int mem, uint64_t address, const void *buf, size_t len)
{
	ssize_t n = pwrite(mem, buf, len, (off_t)address);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}
