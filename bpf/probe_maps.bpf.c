// SPDX-License-Identifier: GPL-2.0
/*
 * What programs of `hotproof check` try in one run each (BPF_PROG_TEST_RUN), attached to nothing:
 * a ring buffer, task storage, reading kernel memory. One is loaded at a time.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024); /* a multiple of every page size in use */
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} storage SEC(".maps");

/* 1 as long as the program has not run. */
long ring_ret = 1;
long read_ret = 1;
__u64 storage_value;

SEC("raw_tp")
int probe_ringbuf(void *ctx)
{
	__u64 event = 42;

	ring_ret = bpf_ringbuf_output(&ring, &event, sizeof(event), 0);
	return 0;
}

/* Twice, because the second time must find what the first one stored. */
SEC("raw_tp")
int probe_task_storage(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 *value;

	value = bpf_task_storage_get(&storage, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!value)
		return 0;
	*value += 1;
	value = bpf_task_storage_get(&storage, task, 0, 0);
	if (value)
		storage_value = *value;
	return 0;
}

SEC("raw_tp")
int probe_read_kernel(void *ctx)
{
	__u64 word;

	read_ret = bpf_probe_read_kernel(&word, sizeof(word), (void *)bpf_get_current_task());
	return 0;
}

char _license[] SEC("license") = "GPL";
