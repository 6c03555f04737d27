/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bpf/vma.bpf.c writes for each executable mapping of a file, and bpf/mms.bpf.c for each
 * process.
 */
#ifndef HOTPROOF_VMA_RECORD_H
#define HOTPROOF_VMA_RECORD_H

#include <linux/types.h>

#define HP_VMA_DELETED 1u /* the file has no name any more */
#define HP_VMA_32BIT   2u /* it is a 32-bit program's */

/*
 * Files that need no record: looked at before, and not the one that is looked for. A table by the
 * inode's number; what has no place there gets records.
 */
#define HP_VMA_OTHERS 256u

struct hp_vma_other {
	__u64 inode; /* 0: free */
	__u32 major, minor;
};

struct hp_vma_record {
	__u64 mm; /* tells address spaces apart, means nothing else */
	__u64 start, end;
	__u64 offset; /* in the file */
	__u64 inode;
	__u32 major, minor;
	__u32 tgid;
	__u32 tid; /* a thread that has this address space: the first one has, unless it has ended */
	__u32 flags; /* HP_VMA_* */
	__u32 pad;
	char comm[16]; /* with the first record of each process */
};

struct hp_mm_record {
	__u64 mm;
	__u32 tgid;
	__u32 tid;   /* as above */
	__u32 flags; /* HP_VMA_32BIT */
	__u32 pad;
	char comm[16];
};

#endif
