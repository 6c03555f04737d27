// SPDX-License-Identifier: GPL-2.0
/*
 * The observer: counts and times calls at observation points, whatever redirected them.
 *
 * Each program here is a template (user/observe/template.h), and never loaded itself: user space
 * loads a copy of its instructions for every observation point, with what is constant for the
 * point in place of the markers below. So a call that is only counted costs no look-up; and a copy
 * is loaded without parsing BTF again.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "hotproof/hist.h"
#include "hotproof/patch_map.h"
#include "hotproof/point_markers.h"
#include "hotproof/trampoline.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Set before loading: the verifier drops what a copy does not need. */
const volatile bool want_callers;
const volatile bool want_scope;
const volatile bool want_processes;
const volatile __u64 pid_ns_device, pid_ns_inode; /* who reads the counters; 0: sees what we see */

/* Calls whose process found no room in the table below. */
__u64 lost_process_calls;

/*
 * Stand-ins for memory whose address is a constant in the programs, so that reaching it takes one
 * instruction and no look-up. In a copy they are the entry of its target in the patch map, and the
 * shards of its point.
 */
volatile struct hp_pm_entry patch_map SEC(".data.patch_map");
struct hp_shard shards[2] SEC(".data.shards"); /* of one, clang might take every index for 0 */

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

/* Callers in processes. Where the table is full, calls are counted and their callers are not known. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct hp_process_caller_key);
	__type(value, __u64);
	__uint(max_entries, 1);
} process_callers SEC(".maps");

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

/* The markers that user space replaces in a copy. Opaque, so that clang cannot fold them. */
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

static __always_inline __u64 shard_mask(void)
{
	__u64 value;

	asm volatile("%0 = " HP_STRINGIFY(HP_MARKER_SHARD_MASK) " ll" : "=r"(value));
	return value;
}

static __always_inline __u64 point_depth(void)
{
	__u64 value;

	asm volatile("%0 = " HP_STRINGIFY(HP_MARKER_DEPTH) " ll" : "=r"(value));
	return value;
}

/* The state of the copy's target, or HP_PM_OFF. */
static __always_inline __u32 target_state(void)
{
	__u32 state = patch_map.state;

	if (state >= HP_PM_STATES)
		state = HP_PM_OFF;
	barrier_var(state); /* or clang joins this check with the caller's, and the bound is lost */
	return state;
}

static __always_inline struct hp_shard *own_shard(void)
{
	__u32 stack;

	asm volatile("%0 = w10" : "=w"(stack)); /* the half of the address that differs */
	return &shards[HP_STACK_NUMBER(stack) & shard_mask()];
}

static __always_inline struct hp_counters *point_counters(void)
{
	__u32 slot = point_slot();

	return bpf_map_lookup_elem(&counters, &slot);
}

static __always_inline void count_no_caller(void)
{
	struct hp_counters *c = point_counters();

	if (c)
		c->no_caller++;
}

static __always_inline void count_caller(__u32 state, __u64 address)
{
	struct hp_caller_key key = { .address = address, .slot = point_slot(), .state = state };
	struct hp_caller_cell *cell;
	struct hp_callers *table;
	__u64 one = 1, *calls;

	if (!address) {
		count_no_caller();
		return;
	}
	table = bpf_map_lookup_elem(&callers, &key.slot);
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
		count_no_caller();
}

/* Is this another function than the one that was meant? */
static __always_inline bool is_foreign(void *ctx)
{
	return point_address() && !hp_is_behind_site(bpf_get_func_ip(ctx), point_address());
}

/*
 * Count a call in @state, the first in this shard. False, and not counted, when it is a call of
 * another function than the one that was meant: the kernel finds the function of a trampoline (@ctx;
 * NULL for a kprobe) by its name, and there may be two. Every one of those calls comes here.
 *
 * A function of its own for its registers: a program saves those that it uses on every call.
 */
static __noinline bool count_first(void *ctx, __u32 state)
{
	struct hp_counters *c = point_counters();

	state &= HP_PM_CELLS - 1;
	if (!c)
		return false;
	if (ctx && is_foreign(ctx)) {
		c->foreign++;
		return false;
	}
	if (!c->first_ns[state])
		c->first_ns[state] = bpf_ktime_get_ns();
	__sync_fetch_and_add(&own_shard()->calls[state], 1);
	return true;
}

/* Count a call in @state, which is under HP_PM_CELLS; otherwise as above. */
static __always_inline bool count_call(struct hp_shard *shard, void *ctx, __u32 state)
{
	if (!shard->calls[state])
		return count_first(ctx, state);
	__sync_fetch_and_add(&shard->calls[state], 1);
	return true;
}

/* The return address of the call: the point knows what was pushed since. */
static __always_inline __u64 kprobe_caller(struct pt_regs *ctx)
{
	__u64 address;

	if (bpf_probe_read_kernel(&address, sizeof(address),
				  (void *)(PT_REGS_SP(ctx) + point_depth())))
		return 0;
	return address;
}

/*
 * Two addresses on one task stack: stacks are aligned to their size.
 * Calls from an interrupt stand on another stack, of which nothing can be concluded.
 */
static __always_inline bool same_stack(__u64 a, __u64 b)
{
	return (a ^ b) >> HP_STACK_BITS == 0;
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
 * Remember a call that is being entered with its task; its stack address is @pointer, or @sp
 * without one. Where that cannot be done the call has no time: user space sees that it is missing
 * in the histogram.
 */
static __always_inline void push_frame(__u32 state, void *pointer, __u64 sp, bool user)
{
	struct frames *frames;
	struct frame *frame;
	__u32 depth;

	frames = bpf_task_storage_get(&task_frames, bpf_get_current_task_btf(), 0,
				      BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!frames)
		return;
	if (pointer)
		sp = pointer_value(&frames->scratch, pointer);
	depth = frames->depth;
	/*
	 * Stacks grow down: a frame at or below this one lost its exit (missed, disarmed, or left by
	 * longjmp or an exception). A stack of a process has any size; most threads have only one.
	 */
	if (depth - 1 < MAX_FRAMES) {
		frame = &frames->frame[depth - 1];
		if ((user || same_stack(frame->sp, sp)) && frame->sp <= sp)
			depth--;
	}
	if (depth >= MAX_FRAMES)
		return;
	frame = &frames->frame[depth];
	frames->depth = depth + 1;
	frame->sp = sp;
	frame->slot = point_slot();
	frame->state = state;
	frame->ns = bpf_ktime_get_ns();
}

/* The time of the call that is being left, into the histogram of the state it was entered in. */
static __always_inline void record_time(__u32 state, __u64 ns)
{
	__u32 key = HP_HIST_INDEX((__u32)point_slot(), state), bucket = hp_hist_index(ns);
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

/* The call that is being left, if its task remembers it; the arguments as above. */
static __always_inline void pop_frame(__u64 now, void *pointer, __u64 sp, __u64 sp_slack)
{
	struct frames *frames =
		bpf_task_storage_get(&task_frames, bpf_get_current_task_btf(), 0, 0);
	__u32 slot = point_slot(), depth;

	if (!frames)
		return;
	if (pointer)
		sp = pointer_value(&frames->scratch, pointer);
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
		record_time(frame->state, now - frame->ns);
		return;
	}
}

/*
 * A shard remembers one call, which is cheaper than asking the task. The context of fentry and fexit
 * stands at the same stack address, since one trampoline runs both, and serves as the identity of
 * the call; as a number, it is the distance to a pointer that is always the same.
 */
static __always_inline __u64 identity(void *ctx)
{
	return (__u64)ctx - (__u64)shards;
}

/* Is the call @id on the stack of @ctx? Stacks are aligned to their size. */
static __always_inline bool on_this_stack(__u64 id, void *ctx)
{
	__u32 low;

	asm volatile("%0 = %1" : "=w"(low) : "w"((__u32)(__u64)ctx));
	return (low & ((1 << HP_STACK_BITS) - 1)) + (id - identity(ctx)) < 1 << HP_STACK_BITS;
}

/* False: the shard is taken, by a call on another stack or by one that this one is nested in. */
static __always_inline bool enter_shard(struct hp_shard *shard, __u32 state, void *ctx)
{
	__u64 held = *(volatile __u64 *)&shard->frame, id = identity(ctx);

	if (held) {
		/* Stacks grow down: a call at or below this one has lost its exit. */
		if (!on_this_stack(held, ctx) || (__s64)(held - id) > 0)
			return false;
		shard->frame = id;
	} else if (__sync_val_compare_and_swap(&shard->frame, 0, id)) {
		return false;
	}
	shard->frame_state = state;
	shard->frame_ns = bpf_ktime_get_ns();
	return true;
}

/*
 * The cheapest way to count, when nothing but the number is wanted. Calls while the state is
 * HP_PM_OFF are counted too, where nobody looks: that costs less than a branch.
 */
SEC("template/fentry")
int count_fentry(void *ctx)
{
	count_call(own_shard(), ctx, patch_map.state & (HP_PM_CELLS - 1));
	return 0;
}

/* Whose call it was, where that is wanted. @ctx is that of a trampoline, or of a kprobe. */
static __always_inline void attribute_call(__u32 state, void *ctx, bool kprobe)
{
	if (want_scope && bpf_task_storage_get(&scope, bpf_get_current_task_btf(), 0, 0)) {
		struct hp_counters *c = point_counters();

		if (c)
			c->scoped[state]++;
	}
	if (want_callers)
		count_caller(state, kprobe ? kprobe_caller(ctx) : hp_trampoline_caller(ctx));
}

/* With callers, or scope, or both. */
SEC("template/fentry")
int count_more_fentry(void *ctx)
{
	__u32 state = target_state();

	if (state != HP_PM_OFF && count_call(own_shard(), ctx, state))
		attribute_call(state, ctx, false);
	return 0;
}

SEC("template/fentry")
int time_fentry(void *ctx)
{
	struct hp_shard *shard = own_shard();
	__u32 state = target_state();

	if (state != HP_PM_OFF && count_call(shard, ctx, state)) {
		attribute_call(state, ctx, false);
		if (!enter_shard(shard, state, ctx))
			push_frame(state, ctx, 0, false);
	}
	return 0;
}

SEC("template/fexit")
int time_fexit(void *ctx)
{
	__u64 now = bpf_ktime_get_ns(), id = identity(ctx);
	struct hp_shard *shard = own_shard();

	if (shard->frame == id) {
		__u64 ns = now - shard->frame_ns;
		__u32 state = shard->frame_state;

		barrier(); /* another call may have the shard from here on */
		shard->frame = 0;
		record_time(state, ns);
	} else {
		pop_frame(now, ctx, 0, 0);
	}
	return 0;
}

/* kprobes: functions without BTF, and the old body behind the ftrace call. */
SEC("template/kprobe")
int count_kprobe(struct pt_regs *ctx)
{
	__u32 state = target_state();

	if (state != HP_PM_OFF && count_call(own_shard(), NULL, state))
		attribute_call(state, ctx, true);
	return 0;
}

SEC("template/kprobe")
int time_kprobe(struct pt_regs *ctx)
{
	__u32 state = target_state();

	if (state != HP_PM_OFF && count_call(own_shard(), NULL, state)) {
		attribute_call(state, ctx, true);
		push_frame(state, NULL, PT_REGS_SP(ctx), false);
	}
	return 0;
}

/*
 * The process's number as who reads the counters knows it. False for one that is not in that PID
 * namespace: of those nobody asks. Nor can be told those of namespaces within it.
 */
static __always_inline bool current_process(__u32 *tgid)
{
	struct bpf_pidns_info numbers;

	if (!pid_ns_inode) {
		*tgid = bpf_get_current_pid_tgid() >> 32;
		return true;
	}
	if (bpf_get_ns_current_pid_tgid(pid_ns_device, pid_ns_inode, &numbers, sizeof(numbers)))
		return false;
	*tgid = numbers.tgid;
	return true;
}

/* Threads of one process run on several CPUs at once, so these counters are shared and atomic. */
static __always_inline void count_process(__u32 slot, __u32 state)
{
	struct hp_process_key key = {
		.slot = slot,
		.state = state,
	};
	__u64 zero = 0, *calls;

	if (!current_process(&key.tgid))
		return;
	calls = bpf_map_lookup_elem(&processes, &key);
	if (!calls) {
		bpf_map_update_elem(&processes, &key, &zero, BPF_NOEXIST);
		calls = bpf_map_lookup_elem(&processes, &key);
	}
	if (calls)
		__sync_fetch_and_add(calls, 1);
	else
		__sync_fetch_and_add(&lost_process_calls, 1);
}

/* uprobes: functions of processes. */
SEC("template/kprobe")
int count_uprobe(struct pt_regs *ctx)
{
	__u32 state = target_state();

	if (state != HP_PM_OFF && count_call(own_shard(), NULL, state) && want_processes)
		count_process(point_slot(), state);
	return 0;
}

static __always_inline void count_process_caller(struct pt_regs *ctx, __u32 slot, __u32 state)
{
	struct hp_process_caller_key key = {
		.slot = slot,
		.state = state,
	};
	__u64 zero = 0, *calls;

	if (!current_process(&key.tgid) ||
	    bpf_probe_read_user(&key.address, sizeof(key.address),
				(void *)(PT_REGS_SP(ctx) + point_depth())))
		return;
	calls = bpf_map_lookup_elem(&process_callers, &key);
	if (!calls) {
		bpf_map_update_elem(&process_callers, &key, &zero, BPF_NOEXIST);
		calls = bpf_map_lookup_elem(&process_callers, &key);
	}
	if (calls)
		__sync_fetch_and_add(calls, 1);
}

/* Where it is known how far up the stack the return address is. */
SEC("template/kprobe")
int count_callers_uprobe(struct pt_regs *ctx)
{
	__u32 state = target_state();

	if (state != HP_PM_OFF && count_call(own_shard(), NULL, state) && want_processes) {
		count_process(point_slot(), state);
		count_process_caller(ctx, point_slot(), state);
	}
	return 0;
}

SEC("template/kprobe")
int time_uprobe(struct pt_regs *ctx)
{
	__u32 state = target_state();

	if (state != HP_PM_OFF && count_call(own_shard(), NULL, state))
		push_frame(state, NULL, PT_REGS_SP(ctx), true);
	return 0;
}

/* The stack pointer of a kretprobe, or uretprobe, stands where the return address was, or just above it. */
#define KRETPROBE_SP_SLACK 16

SEC("template/kprobe")
int time_kretprobe(struct pt_regs *ctx)
{
	pop_frame(bpf_ktime_get_ns(), NULL, PT_REGS_SP(ctx), KRETPROBE_SP_SLACK);
	return 0;
}

/* A child of a task in scope is in scope: a thread too. */
SEC("template/tp_btf")
int BPF_PROG(scope_fork, struct task_struct *parent, struct task_struct *child)
{
	if (bpf_task_storage_get(&scope, parent, 0, 0))
		bpf_task_storage_get(&scope, child, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

/*
 * BPF_PROG_TEST_RUN of it runs bpf_fentry_test1(), the function on which the probes' cost is measured.
 */
SEC("template/fentry")
int BPF_PROG(calibrate_run)
{
	return 0;
}
