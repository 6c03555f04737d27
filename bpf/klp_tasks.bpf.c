// SPDX-License-Identifier: GPL-2.0
/*
 * One pass over all tasks: how many have the wanted livepatch state, and those that have not, with
 * their kernel stacks as text. The kernel symbolises (%pB), so nobody parses /proc/kallsyms.
 *
 * klp_try_complete_transition() also waits for the idle task of every possible CPU. They have no
 * pid, so no iterator shows them: the last call reads them from the run queues.
 */
#include "klp.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include <hotproof/klp_records.h>

#define MAX_CPUS 8192

extern const struct rq runqueues __ksym;

const volatile __u32 possible_cpus = 1;

/* Set by user space before each pass; a pass has one reader. */
int wanted_state;
int want_stacks;

static __u32 switched;
static __u32 total;
static __u64 stack[HP_TASK_FRAMES];

static __always_inline void fill(struct hp_task_record *r, struct task_struct *task)
{
	r->pid = task->pid;
	r->tgid = task->tgid;
	r->flags = task->flags;
	r->state = task->__state;
	r->exit_state = task->exit_state;
	r->patch_state = task->patch_state;
	bpf_probe_read_kernel_str(r->comm, sizeof(r->comm), task->comm);
}

/* The kernel may call this twice, when the first one found the buffer full: it counts in @end. */
static __always_inline void count_idle_tasks(struct seq_file *seq, struct hp_task_record *end)
{
	__u32 cpu;

	for (cpu = 0; cpu < MAX_CPUS && cpu < possible_cpus; cpu++) {
		const struct rq *rq = bpf_per_cpu_ptr(&runqueues, cpu);
		struct hp_task_record r = { 0 };
		struct task_struct *idle;

		if (!rq)
			break;
		idle = rq->idle;
		if (!idle)
			continue;
		end->total++;
		if (idle->patch_state == wanted_state) {
			end->switched++;
			continue;
		}
		fill(&r, idle);
		bpf_seq_write(seq, &r, sizeof(r));
	}
}

SEC("iter/task")
int hp_klp_tasks(struct bpf_iter__task *ctx)
{
	static const char line[] = "%pB\n";
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct hp_task_record r = { 0 };
	long bytes = 0;
	__u32 i, frames;

	if (ctx->meta->seq_num == 0)
		switched = total = 0;
	if (!task) {
		r.end = 1;
		r.switched = switched;
		r.total = total;
		count_idle_tasks(seq, &r);
		bpf_seq_write(seq, &r, sizeof(r));
		return 0;
	}
	if (task->patch_state == wanted_state) {
		switched++;
		total++;
		return 0;
	}
	fill(&r, task);
	if (want_stacks)
		bytes = bpf_get_task_stack(task, stack, sizeof(stack), 0);
	frames = bytes > 0 ? (__u32)bytes / sizeof(stack[0]) : 0;
	r.has_stack = frames > 0;
	/* A full buffer: the kernel drops what this call wrote and calls again with an empty one. */
	if (bpf_seq_write(seq, &r, sizeof(r)))
		return 0;
	if (r.has_stack) {
		for (i = 0; i < HP_TASK_FRAMES && i < frames; i++)
			if (bpf_seq_printf(seq, line, sizeof(line), &stack[i], sizeof(stack[i])))
				return 0;
		if (bpf_seq_write(seq, &r.end, 1)) /* the NUL */
			return 0;
	}
	total++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
