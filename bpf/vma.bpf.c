// SPDX-License-Identifier: GPL-2.0
/* One pass over the executable file mappings of all processes. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "hotproof/vma_record.h"
#include "vma.h"

char LICENSE[] SEC("license") = "GPL";

#define VM_EXEC	   0x4 /* include/linux/mm.h */
#define PAGE_SHIFT 12
#define MINORBITS  20 /* include/linux/kdev_t.h: how the kernel keeps a dev_t */

SEC("iter/task_vma")
int executable_mappings(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	struct task_struct *task = ctx->task;
	struct hp_vma_record r = { 0 };
	struct inode *inode;
	__u32 dev;

	if (!vma || !task || !(vma->vm_flags & VM_EXEC) || !vma->vm_file)
		return 0;
	inode = vma->vm_file->f_inode;
	dev = inode->i_sb->s_dev;
	r.mm = (__u64)task->mm;
	r.start = vma->vm_start;
	r.end = vma->vm_end;
	r.offset = (__u64)vma->vm_pgoff << PAGE_SHIFT;
	r.inode = inode->i_ino;
	r.major = dev >> MINORBITS;
	r.minor = dev & ((1u << MINORBITS) - 1);
	r.tgid = (__u32)task->tgid;
	bpf_probe_read_kernel_str(r.comm, sizeof(r.comm), task->comm);
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}
