/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel types by which a guard tells which program a task runs: only the fields that are read,
 * in any order. preserve_access_index makes libbpf move every access to where the running kernel
 * has it. include/linux/sched.h, mm_types.h, fs.h.
 */
#ifndef HP_VMLINUX_GUARD_H
#define HP_VMLINUX_GUARD_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
	__u32 s_dev;
};

struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct file {
	struct inode *f_inode;
};

struct mm_struct {
	struct file *exe_file;
};

struct task_struct {
	struct mm_struct *mm;
};

#pragma clang attribute pop

#endif
