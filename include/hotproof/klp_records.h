/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ABI between bpf/klp_*.bpf.c and user/engines/klp/: what the kernel's own
 * livepatch list and its tasks say, as fixed-width records.
 */
#ifndef HOTPROOF_KLP_RECORDS_H
#define HOTPROOF_KLP_RECORDS_H

#include <linux/types.h>

#define HP_KLP_MODULE_LEN 64  /* MODULE_NAME_LEN is 56 */
#define HP_KLP_SYMBOL_LEN 512 /* KSYM_NAME_LEN since Linux 6.1 */
#define HP_KLP_ENTRY_LEN  16  /* bytes read at a target's entry */

/* What a step of the cursor found. */
enum hp_klp_kind {
	HP_KLP_END,
	HP_KLP_PATCH,
	HP_KLP_OBJECT,
	HP_KLP_FUNC,
};

struct hp_klp_patch_record {
	__u64 address;
	__u8 enabled;
	__u8 replace;
	__u8 forced;
	__u8 reserved[5];
	char name[HP_KLP_MODULE_LEN];
};

struct hp_klp_object_record {
	char name[HP_KLP_MODULE_LEN]; /* empty: vmlinux */
	__u8 loaded;
	__u8 patched;
	__u8 reserved[6];
};

struct hp_klp_func_record {
	__u64 address; /* of the klp_func itself: names it in top_func */
	__u64 old_func;
	__u64 new_func;
	__u64 old_size;
	__u64 new_size;
	__u64 sympos;
	__u8 nop;
	__u8 patched;
	__u8 transition;
	__u8 ops_found;	 /* the fields below were read */
	__u8 entry_read; /* entry[] was read */
	__u8 reserved[3];
	__u64 ops_flags;
	__u64 ops_func;	  /* what ftrace calls: klp_ftrace_handler */
	__u64 trampoline; /* ftrace's trampoline for these ops, 0 for none */
	__u64 trampoline_size;
	__u64 top_func; /* klp_func that takes the calls */
	__u8 entry[HP_KLP_ENTRY_LEN];
	char old_name[HP_KLP_SYMBOL_LEN];
	char new_name[HP_KLP_SYMBOL_LEN];      /* "symbol [module]" */
	char ops_func_name[HP_KLP_MODULE_LEN]; /* the same */
};

/*
 * The step program's global variable hp_step: where the walk stands, in and out, and the record
 * found. The walk is lockless and keeps nothing in the kernel; a cursor of zeroes starts it.
 */
struct hp_klp_step {
	__u64 head;  /* in: address of klp_patches */
	__u64 patch; /* klp_patch, klp_object and klp_func that the last step returned */
	__u64 object;
	__u64 func;
	__u32 kind;  /* out: enum hp_klp_kind */
	__u32 error; /* out: a read failed, the list changed under us */
	union {
		struct hp_klp_patch_record p;
		struct hp_klp_object_record o;
		struct hp_klp_func_record f;
	};
};

/*
 * The lookup program's global variable hp_lookup. By name ("symbol", "module:symbol"), or by
 * address when the name is empty.
 */
struct hp_klp_lookup {
	char name[HP_KLP_MODULE_LEN + HP_KLP_SYMBOL_LEN];
	__u64 address;
	__s64 error;			/* negative errno */
	__u8 bytes[HP_KLP_ENTRY_LEN];	/* what is there */
	char symbol[HP_KLP_SYMBOL_LEN]; /* "symbol+0xoffset/0xsize [module]" */
};

/* The read program's global variable hp_window: @len bytes of kernel memory at @address. */
#define HP_KLP_WINDOW_LEN 4096

struct hp_klp_window {
	__u64 address;
	__u32 len;   /* at most HP_KLP_WINDOW_LEN */
	__s32 error; /* negative errno */
	__u8 bytes[HP_KLP_WINDOW_LEN];
};

/*
 * A task without the wanted state, as the task iterator writes it. A record with end set comes
 * last and holds the counts.
 */
struct hp_task_record {
	__u32 end;
	__s32 pid;
	__s32 tgid;
	__u32 flags; /* PF_* */
	__u32 state;
	__s32 exit_state;
	__s32 patch_state;
	__u32 has_stack; /* lines of "symbol+0xoff/0xsize" and a NUL follow */
	char comm[16];
	__u32 switched;
	__u32 total;
};

#define HP_TASK_FRAMES 48

#endif
