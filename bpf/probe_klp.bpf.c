// SPDX-License-Identifier: GPL-2.0
/*
 * Can the kernel's own list of livepatches be found, and be read? Run once by `hotproof check`
 * (BPF_PROG_TEST_RUN). Two programs, because reading takes more privileges than finding.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* 1 as long as the program has not got there. */
long lookup_ret = 1;
long read_ret = 1;
__u64 address; /* of klp_patches */
__u64 first;   /* klp_patches.next: klp_patches itself when there is no livepatch */

static const char name[] = "klp_patches";

SEC("syscall")
int probe_lookup(void *ctx)
{
	lookup_ret = bpf_kallsyms_lookup_name(name, sizeof(name), 0, &address);
	return 0;
}

SEC("syscall")
int probe_read(void *ctx)
{
	lookup_ret = bpf_kallsyms_lookup_name(name, sizeof(name), 0, &address);
	if (!lookup_ret)
		read_ret = bpf_probe_read_kernel(&first, sizeof(first), (void *)address);
	return 0;
}

char _license[] SEC("license") = "GPL";
