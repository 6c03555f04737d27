/* SPDX-License-Identifier: GPL-2.0 */
/* What is loaded between the programs of a bench, so that each is in a place of its own. */
#ifndef PADDING_H
#define PADDING_H

#include <stdlib.h>

#include <bpf/bpf.h>

/* Take some room, at random: a descriptor that is kept, or negative. */
static inline int load_padding(void)
{
	static struct bpf_insn insns[600];
	size_t count = 2 + (size_t)rand() % 598;

	for (size_t i = 0; i < count; i++)
		insns[i] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K };
	insns[count - 1].code = BPF_JMP | BPF_EXIT;
	return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "padding", "GPL", insns, count, NULL);
}

#endif
