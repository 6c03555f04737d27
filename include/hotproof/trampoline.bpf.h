/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who called the function that a tracing or LSM program stands at, read from the frame of the BPF
 * trampoline. Include it behind <bpf/bpf_helpers.h>.
 */
#ifndef HOTPROOF_TRAMPOLINE_BPF_H
#define HOTPROOF_TRAMPOLINE_BPF_H

/* The longest [endbr64] + ftrace call at a function's entry, in bytes. */
#define HP_FTRACE_SITE_MAX 9

/*
 * Above the arguments the x86 trampoline keeps [return value], rbp, the address behind the
 * function's ftrace call, and then comes the caller's return address (arch_prepare_bpf_trampoline(),
 * arch/x86/net/bpf_jit_comp.c). Whether the return value is there depends on the other programs;
 * the address behind the ftrace call is recognised, so nothing is assumed. (On a function that is
 * livepatched it is the replacement's address, and the caller stays unknown.)
 */
static __always_inline int hp_read_frame(__u64 *words, __u32 size, void *ctx, __u32 index)
{
	__u64 args = bpf_get_func_arg_cnt(ctx) & 15; /* at most 6, which the verifier cannot know */
	void *above = ctx + 8 * args;

	return !bpf_probe_read_kernel(words, size, above + 8 * index);
}

static __always_inline int hp_is_behind_site(__u64 address, __u64 function)
{
	return address - function <= HP_FTRACE_SITE_MAX;
}

/* The return address of the traced function, 0 when it is not found. */
static __always_inline __u64 hp_trampoline_caller(void *ctx)
{
	__u64 function = bpf_get_func_ip(ctx), words[2];

	if (!hp_read_frame(words, sizeof(words), ctx, 1))
		return 0;
	if (hp_is_behind_site(words[0], function))
		return words[1];
	if (!hp_is_behind_site(words[1], function) ||
	    !hp_read_frame(words, sizeof(words[0]), ctx, 3))
		return 0;
	return words[0];
}

#endif
