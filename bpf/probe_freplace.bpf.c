// SPDX-License-Identifier: GPL-2.0
/*
 * A program with a global function, and a replacement for it: `hotproof check` runs the first
 * with and without the second and compares what it returns.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* The value is laundered, or the compiler would carry it into the caller. */
__attribute__((noinline)) int probe_target(struct __sk_buff *skb)
{
	int ret = 1;

	asm volatile("" : "+r"(ret));
	return ret;
}

SEC("socket")
int probe_caller(struct __sk_buff *skb)
{
	return probe_target(skb);
}

SEC("freplace/probe_target")
int probe_replacement(struct __sk_buff *skb)
{
	return 2;
}

char _license[] SEC("license") = "GPL";
