// SPDX-License-Identifier: GPL-2.0
/* Memory that BPF programs and this process both have. */
#include "observe/shared.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

int hp_shared__create(struct hp_shared *shared, const char *name, size_t size)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, (__u32)size, 1, &opts);
	void *value;

	*shared = HP_SHARED_NONE;
	if (fd < 0)
		return fd;
	value = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (value == MAP_FAILED) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	*shared = (struct hp_shared){ .value = value, .size = size, .fd = fd };
	return 0;
}

void hp_shared__free(struct hp_shared *shared)
{
	if (shared->value)
		munmap(shared->value, shared->size);
	if (shared->fd >= 0)
		close(shared->fd);
	*shared = HP_SHARED_NONE;
}
