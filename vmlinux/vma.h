/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel types that the readers of processes and their mappings use: only the fields that are read, in
 * any order. preserve_access_index makes libbpf move every access to where the running kernel has
 * it. include/linux/mm_types.h, sched.h, fs.h, dcache.h, bpf.h, kernel/bpf/task_iter.c.
 */
#ifndef HP_VMLINUX_VMA_H
#define HP_VMLINUX_VMA_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
	__u32 s_dev;
};

struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	struct hlist_bl_node d_hash;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
};

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	unsigned long vm_flags;
	unsigned long vm_pgoff;
	struct file *vm_file;
};

struct mm_struct {
	unsigned long task_size;
};

struct task_struct {
	unsigned int flags;
	struct task_struct *group_leader;
	int pid;
	int tgid;
	char comm[16];
	struct mm_struct *mm;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};

#pragma clang attribute pop

#endif
