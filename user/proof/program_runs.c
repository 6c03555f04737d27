// SPDX-License-Identifier: GPL-2.0
/* How often the BPF programs ran in a window whose functions are observed. */
#include "proof/program_runs.h"

#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "observe/point.h"

static uint64_t runs_of(uint32_t id)
{
	_cleanup_close_ int fd = id ? bpf_prog_get_fd_by_id(id) : -1;
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return HP_COUNT_UNKNOWN;
	return info.run_cnt;
}

int hp_program_runs__begin(const struct hp_target *targets, size_t count, uint64_t *runs)
{
	int counting = -ENOENT;

	for (size_t i = 0; i < count && counting < 0; i++)
		if (targets[i].old_program)
			counting = bpf_enable_stats(BPF_STATS_RUN_TIME);
	for (size_t i = 0; i < count; i++)
		runs[i] = counting < 0 ? HP_COUNT_UNKNOWN : runs_of(targets[i].old_program);
	return counting;
}

void hp_program_runs__end(int counting, const struct hp_target *targets, size_t count,
			  uint64_t *runs)
{
	if (counting < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		uint64_t now = runs_of(targets[i].old_program);

		runs[i] = runs[i] == HP_COUNT_UNKNOWN || now == HP_COUNT_UNKNOWN ? HP_COUNT_UNKNOWN
										 : now - runs[i];
	}
	close(counting);
}
