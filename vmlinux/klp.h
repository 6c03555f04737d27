/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel types that the readers of livepatch state use: only the fields that are read, in any
 * order. preserve_access_index makes libbpf move every access to where the running kernel has it.
 * include/linux/livepatch.h, kernel/livepatch/patch.h, include/linux/ftrace.h, kernel/sched/sched.h.
 */
#ifndef HP_VMLINUX_KLP_H
#define HP_VMLINUX_KLP_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
};

struct module {
	char name[56];
};

struct klp_func {
	const char *old_name;
	void *new_func;
	unsigned long old_sympos;
	void *old_func;
	struct list_head node;
	struct list_head stack_node;
	unsigned long old_size;
	unsigned long new_size;
	_Bool nop;
	_Bool patched;
	_Bool transition;
};

struct klp_object {
	const char *name;
	struct list_head func_list;
	struct list_head node;
	struct module *mod;
	_Bool patched;
};

struct klp_patch {
	struct module *mod;
	_Bool replace;
	struct list_head list;
	struct list_head obj_list;
	_Bool enabled;
	_Bool forced;
};

struct ftrace_ops {
	void *func;
	unsigned long flags;
	unsigned long trampoline;
	unsigned long trampoline_size;
};

struct klp_ops {
	struct list_head func_stack;
	struct ftrace_ops fops;
};

struct task_struct {
	unsigned int __state;
	unsigned int flags;
	int exit_state;
	int pid;
	int tgid;
	char comm[16];
	int patch_state;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct rq {
	struct task_struct *idle;
};

#pragma clang attribute pop

#endif
