// SPDX-License-Identifier: GPL-2.0
/* One pass over all processes: the address space of each. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "hotproof/vma_record.h"
#include "vma.h"

char LICENSE[] SEC("license") = "GPL";

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

/* Called for every thread there is. */
SEC("iter/task")
int address_spaces(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct mm_struct *mm;

	/* A kernel thread that works on a process's memory for a while is no process. */
	if (!task || task->flags & PF_KTHREAD)
		return 0;
	mm = task->mm;
	/* The first thread speaks for all; when it has ended, each of the others does. */
	if (!mm || (task->pid != task->tgid && task->group_leader->mm))
		return 0;

	struct hp_mm_record r = {
		.mm = (__u64)mm,
		.tgid = (__u32)task->tgid,
		.tid = (__u32)task->pid,
		.flags = mm->task_size <= 1ull << 32 ? HP_VMA_32BIT : 0,
	};

	bpf_probe_read_kernel_str(r.comm, sizeof(r.comm), task->comm);
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}
