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

__u32 last;				   /* the process of the record before */
struct hp_vma_other others[HP_VMA_OTHERS]; /* filled in by who reads the records */

/* Called for every mapping there is, most of which are none of these. */
SEC("iter/task_vma")
int executable_mappings(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	struct task_struct *task;
	struct hp_vma_other *other;
	struct inode *inode;
	struct file *file;
	__u32 major, minor;
	__u64 number;
	__u32 dev;

	if (!vma || !(vma->vm_flags & VM_EXEC))
		return 0;
	file = vma->vm_file;
	task = ctx->task;
	if (!file || !task)
		return 0;
	inode = file->f_inode;
	number = inode->i_ino;
	dev = inode->i_sb->s_dev;
	major = dev >> MINORBITS;
	minor = dev & ((1u << MINORBITS) - 1);
	other = &others[number % HP_VMA_OTHERS];
	if (other->inode == number && other->major == major && other->minor == minor)
		return 0;

	struct hp_vma_record r = {
		.mm = (__u64)task->mm,
		.start = vma->vm_start,
		.end = vma->vm_end,
		.offset = (__u64)vma->vm_pgoff << PAGE_SHIFT,
		.inode = number,
		.major = major,
		.minor = minor,
		.tgid = (__u32)task->tgid,
		.tid = (__u32)task->pid,
	};

	/* d_unhashed(), include/linux/dcache.h; TASK_SIZE of each processor */
	if (!file->f_path.dentry->d_hash.pprev)
		r.flags |= HP_VMA_DELETED;
	if (task->mm->task_size <= 1ull << 32)
		r.flags |= HP_VMA_32BIT;
	/* One of a process comes behind the other. */
	if (r.tgid != last)
		bpf_probe_read_kernel_str(r.comm, sizeof(r.comm), task->comm);
	/* Of what found no room the kernel takes nothing, and asks again. */
	if (!bpf_seq_write(ctx->meta->seq, &r, sizeof(r)))
		last = r.tgid;
	return 0;
}
