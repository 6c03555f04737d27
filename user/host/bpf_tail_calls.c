// SPDX-License-Identifier: GPL-2.0
/* Which maps of programs lead tail calls into a BPF program. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "host/bpf_program.h"

/* Read by a process, an element of such a map is the id of its program. */
static bool leads_to(int map, uint32_t entries, uint32_t program)
{
	for (uint32_t i = 0; i < entries; i++) {
		uint32_t id;

		if (!bpf_map_lookup_elem(map, &i, &id) && id == program)
			return true;
	}
	return false;
}

int hp_bpf_tail_calls__find(uint32_t program, char *map, size_t size)
{
	uint32_t id = 0;

	while (!bpf_map_get_next_id(id, &id)) {
		_cleanup_close_ int fd = bpf_map_get_fd_by_id(id);
		struct bpf_map_info info = { 0 };
		__u32 len = sizeof(info);

		if (fd < 0 && errno == EPERM)
			return -EPERM;
		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) ||
		    info.type != BPF_MAP_TYPE_PROG_ARRAY ||
		    !leads_to(fd, info.max_entries, program))
			continue;
		snprintf(map, size, "%u (%.15s)", id, info.name);
		return 0;
	}
	return -ENOENT;
}
