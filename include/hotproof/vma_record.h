/* SPDX-License-Identifier: GPL-2.0 */
/* What bpf/vma.bpf.c writes for each executable mapping of a file. */
#ifndef HOTPROOF_VMA_RECORD_H
#define HOTPROOF_VMA_RECORD_H

#include <linux/types.h>

struct hp_vma_record {
	__u64 mm; /* tells address spaces apart, means nothing else */
	__u64 start, end;
	__u64 offset; /* in the file */
	__u64 inode;
	__u32 major, minor;
	__u32 tgid;
	__u32 reserved;
	char comm[16];
};

#endif
