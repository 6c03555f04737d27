// SPDX-License-Identifier: GPL-2.0
/*
 * The observer: counts and times calls at observation points, whatever redirected them.
 *
 * Each program here is a template. libbpf loads it once, attached to nothing; user space then
 * loads a copy of its instructions for every observation point, with the point's slot and the
 * function's address in place of the two markers below. The copy's slot is a constant for the
 * verifier, so a call costs one array look-up; and a copy is loaded without parsing BTF again.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "hotproof/hist.h"
#include "hotproof/patch_map.h"
#include "hotproof/point_markers.h"

char LICENSE[] SEC("license") = "GPL";

/* Set before loading: the verifier drops what a copy does not need. */
const volatile bool want_callers;
const volatile bool want_scope;
const volatile bool want_processes;

/* Calls whose process found no room in the table below. */
__u64 lost_process_calls;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct hp_pm_entry);
	__uint(max_entries, 1);
} patch_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct hp_counters);
	__uint(max_entries, 1);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct hp_hist);
	__uint(max_entries, 1);
} hists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct hp_callers);
	__uint(max_entries, 1);
} callers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__type(key, struct hp_caller_key);
	__type(value, __u64);
	__uint(max_entries, 1);
} more_callers SEC(".maps");

/* Calls by process, of points in user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct hp_process_key);
	__type(value, __u64);
	__uint(max_entries, 1);
} processes SEC(".maps");

/* The calls that a task is in. Recursion and sleep are safe: the frames go with the task. */
#define MAX_FRAMES 16

struct frame {
	__u64 sp; /* stack address that entry and exit of one call have in common */
	__u64 ns;
	__u32 slot;
	__u32 state;
};

struct frames {
	__u64 scratch; /* pointer_value() */
	__u32 depth;
	struct frame frame[MAX_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct frames);
} task_frames SEC(".maps");

/* Present on the tasks of --exercise; a child inherits it. It goes with the task. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u8);
} scope SEC(".maps");

/* The two markers that user space replaces in a copy. Opaque, so that clang cannot fold them. */
static __always_inline __u64 point_slot(void)
{
	__u64 value;

	asm volatile("%0 = " HP_STRINGIFY(HP_MARKER_SLOT) " ll" : "=r"(value));
	return value;
}

static __always_inline __u64 point_address(void)
{
	__u64 value;

	asm volatile("%0 = " HP_STRINGIFY(HP_MARKER_ADDRESS) " ll" : "=r"(value));
	return value;
}

/*
 * The state of the slot's target, or HP_PM_OFF. A constant key lets the kernel turn the look-up
 * into a few instructions (array_map_gen_lookup()).
 */
static __always_inline __u32 target_state(__u32 slot)
{
	__u32 target = slot / HP_SLOTS_PER_TARGET;
	struct hp_pm_entry *entry = bpf_map_lookup_elem(&patch_map, &target);
	__u32 state;

	if (!entry)
		return HP_PM_OFF;
	state = *(volatile __u32 *)&entry->state;
	return state < HP_PM_STATES ? state : HP_PM_OFF;
}

static __always_inline void count_caller(struct hp_counters *c, __u32 slot, __u32 state,
					 __u64 address)
{
	struct hp_caller_key key = { .address = address, .slot = slot, .state = state };
	struct hp_caller_cell *cell;
	struct hp_callers *table;
	__u64 one = 1, *calls;

	if (!address) {
		c->no_caller++;
		return;
	}
	table = bpf_map_lookup_elem(&callers, &slot);
	if (!table)
		return;
	/* Return addresses in kernel code differ in the low bits; any mix of them does. */
	cell = &table->cell[(address ^ (address >> 7)) & (HP_CALLER_CELLS - 1)];
	if (!cell->address)
		cell->address = address;
	if (cell->address == address) {
		cell->calls[state]++;
		return;
	}
	calls = bpf_map_lookup_elem(&more_callers, &key);
	if (calls)
		(*calls)++;
	else if (bpf_map_update_elem(&more_callers, &key, &one, BPF_NOEXIST))
		c->no_caller++;
}

/* Count a call in @state; the caller has looked the state up. */
static __always_inline struct hp_counters *count_call(__u32 slot, __u32 state)
{
	struct hp_counters *c = bpf_map_lookup_elem(&counters, &slot);

	if (!c)
		return NULL;
	c->calls[state]++;
	if (!c->first_ns[state])
		c->first_ns[state] = bpf_ktime_get_ns();
	if (want_scope && bpf_task_storage_get(&scope, bpf_get_current_task_btf(), 0, 0))
		c->scoped[state]++;
	return c;
}

/*
 * A pointer as a number. The verifier forbids arithmetic on the context, but lets a privileged
 * program store it in a map; what is loaded from there is a number.
 */
static __always_inline __u64 pointer_value(__u64 *scratch, void *pointer)
{
	*(void *volatile *)scratch = pointer;
	return *(volatile __u64 *)scratch;
}

/*
 * The return address of the traced function, from the trampoline's own frame. Above the arguments
 * the x86 trampoline keeps [return value], rbp, the address behind the function's ftrace call, and
 * then comes the caller's return address (arch_prepare_bpf_trampoline(), arch/x86/net/
 * bpf_jit_comp.c). Whether the return value is there depends on the other programs; the address
 * behind the ftrace call is recognised, so nothing is assumed. 0 when it is not found.
 */
static __always_inline __u64 trampoline_caller(struct hp_counters *c, void *ctx)
{
	__u64 above = pointer_value(&c->scratch, ctx) + 8 * bpf_get_func_arg_cnt(ctx);
	__u64 ip = bpf_get_func_ip(ctx);
	__u64 words[4];

	if (bpf_probe_read_kernel(words, sizeof(words), (void *)above))
		return 0;
	if (words[1] - ip <= HP_FTRACE_SITE_MAX)
		return words[2];
	if (words[2] - ip <= HP_FTRACE_SITE_MAX)
		return words[3];
	return 0;
}

/* The return address at a function's entry, or behind its ftrace call: nothing was pushed yet. */
static __always_inline __u64 kprobe_caller(struct pt_regs *ctx)
{
	__u64 address;

	if (bpf_probe_read_kernel(&address, sizeof(address), (void *)PT_REGS_SP(ctx)))
		return 0;
	return address;
}

/*
 * Two addresses on one task stack: THREAD_SIZE is 16 KiB on x86-64 and stacks are aligned to it.
 * Calls from an interrupt stand on another stack, of which nothing can be concluded.
 */
static __always_inline bool same_stack(__u64 a, __u64 b)
{
	return (a ^ b) >> 14 == 0;
}

static __always_inline void push_frame(struct hp_counters *c, __u32 slot, __u32 state, __u64 sp)
{
	struct frames *frames;
	struct frame *frame;
	__u32 depth;

	frames = bpf_task_storage_get(&task_frames, bpf_get_current_task_btf(), 0,
				      BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!frames)
		goto untimed;
	depth = frames->depth;
	/* Stacks grow down: a frame at or below this one lost its exit (missed, or disarmed). */
	if (depth - 1 < MAX_FRAMES) {
		frame = &frames->frame[depth - 1];
		if (same_stack(frame->sp, sp) && frame->sp <= sp)
			depth--;
	}
	if (depth >= MAX_FRAMES)
		goto untimed;
	frame = &frames->frame[depth];
	frames->depth = depth + 1;
	frame->sp = sp;
	frame->slot = slot;
	frame->state = state;
	frame->ns = bpf_ktime_get_ns();
	return;
untimed:
	c->untimed++;
}

/* The time of the call that is being left, into the histogram of the state it was entered in. */
static __always_inline void record_time(__u32 slot, __u32 state, __u64 ns)
{
	__u32 key = HP_HIST_INDEX(slot, state), bucket = hp_hist_index(ns);
	struct hp_hist *hist = bpf_map_lookup_elem(&hists, &key);

	if (!hist)
		return;
	hist->count++;
	hist->sum += ns;
	if (ns > hist->max)
		hist->max = ns;
	if (bucket < HP_HIST_BUCKETS)
		hist->bucket[bucket]++;
}

static __always_inline struct frames *current_frames(void)
{
	return bpf_task_storage_get(&task_frames, bpf_get_current_task_btf(), 0, 0);
}

static __always_inline void pop_frame(struct frames *frames, __u32 slot, __u64 now, __u64 sp,
				      __u64 sp_slack)
{
	__u32 depth;

	depth = frames->depth;
	/* The top frame, but for frames of nested calls whose exit was missed. */
	for (int i = 0; i < MAX_FRAMES; i++) {
		struct frame *frame;

		depth--;
		if (depth >= MAX_FRAMES)
			return;
		frame = &frames->frame[depth];
		barrier_var(frame); /* or clang computes it again, where the bound is lost */
		if (frame->slot != slot || sp - frame->sp > sp_slack)
			continue;
		frames->depth = depth;
		record_time(slot, frame->state, now - frame->ns);
		return;
	}
}

/*
 * fentry and fexit. The context stands at the same stack address for both, since one trampoline
 * runs them; it serves as the identity of the call.
 */
static __always_inline struct hp_counters *trampoline_entry(void *ctx, __u32 slot, __u32 *state)
{
	struct hp_counters *c;

	*state = target_state(slot);
	if (*state == HP_PM_OFF)
		return NULL;
	/* The kernel finds the function by its name; with two of that name it may be the other. */
	if (point_address() && bpf_get_func_ip(ctx) - point_address() > HP_FTRACE_SITE_MAX) {
		c = bpf_map_lookup_elem(&counters, &slot);
		if (c)
			c->foreign++;
		return NULL;
	}
	c = count_call(slot, *state);
	if (c && want_callers)
		count_caller(c, slot, *state, trampoline_caller(c, ctx));
	return c;
}

SEC("fentry/bpf_fentry_test1")
int count_fentry(void *ctx)
{
	__u32 state;

	trampoline_entry(ctx, point_slot(), &state);
	return 0;
}

SEC("fentry/bpf_fentry_test1")
int time_fentry(void *ctx)
{
	__u32 slot = point_slot(), state;
	struct hp_counters *c = trampoline_entry(ctx, slot, &state);

	if (c)
		push_frame(c, slot, state, pointer_value(&c->scratch, ctx));
	return 0;
}

SEC("fexit/bpf_fentry_test1")
int time_fexit(void *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	struct frames *frames = current_frames();

	if (frames)
		pop_frame(frames, point_slot(), now, pointer_value(&frames->scratch, ctx), 0);
	return 0;
}

/* kprobes: functions without BTF, and the old body behind the ftrace call. */
SEC("kprobe")
int count_kprobe(struct pt_regs *ctx)
{
	__u32 slot = point_slot(), state = target_state(slot);
	struct hp_counters *c;

	if (state == HP_PM_OFF)
		return 0;
	c = count_call(slot, state);
	if (c && want_callers)
		count_caller(c, slot, state, kprobe_caller(ctx));
	return 0;
}

SEC("kprobe")
int time_kprobe(struct pt_regs *ctx)
{
	__u32 slot = point_slot(), state = target_state(slot);
	struct hp_counters *c;

	if (state == HP_PM_OFF)
		return 0;
	c = count_call(slot, state);
	if (!c)
		return 0;
	if (want_callers)
		count_caller(c, slot, state, kprobe_caller(ctx));
	push_frame(c, slot, state, PT_REGS_SP(ctx));
	return 0;
}

/* Threads of one process run on several CPUs at once, so these counters are shared and atomic. */
static __always_inline void count_process(__u32 slot, __u32 state)
{
	struct hp_process_key key = {
		.slot = slot,
		.state = state,
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};
	__u64 zero = 0, *calls = bpf_map_lookup_elem(&processes, &key);

	if (!calls) {
		bpf_map_update_elem(&processes, &key, &zero, BPF_NOEXIST);
		calls = bpf_map_lookup_elem(&processes, &key);
	}
	if (calls)
		__sync_fetch_and_add(calls, 1);
	else
		__sync_fetch_and_add(&lost_process_calls, 1);
}

/*
 * uprobes: functions of processes. Such a program may be preempted by another run of itself, so that
 * what count_call() adds up for the CPU may miss some; the numbers by process are exact.
 */
SEC("uprobe")
int count_uprobe(struct pt_regs *ctx)
{
	__u32 slot = point_slot(), state = target_state(slot);

	if (state == HP_PM_OFF)
		return 0;
	if (count_call(slot, state) && want_processes)
		count_process(slot, state);
	return 0;
}

/* The stack pointer of a kretprobe stands where the return address was, or just above it. */
#define KRETPROBE_SP_SLACK 16

SEC("kretprobe")
int time_kretprobe(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	struct frames *frames = current_frames();

	if (frames)
		pop_frame(frames, point_slot(), now, PT_REGS_SP(ctx), KRETPROBE_SP_SLACK);
	return 0;
}

/* A child of a task in scope is in scope: a thread too. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(scope_fork, struct task_struct *parent, struct task_struct *child)
{
	if (bpf_task_storage_get(&scope, parent, 0, 0))
		bpf_task_storage_get(&scope, child, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

/* Runs bpf_fentry_test1() by BPF_PROG_TEST_RUN: the function on which the probes' cost is measured. */
SEC("fentry/bpf_fentry_test1")
int BPF_PROG(calibrate_run)
{
	return 0;
}
