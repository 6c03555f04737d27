// SPDX-License-Identifier: GPL-2.0
/*
 * A guard: takes over the calls of one kernel function that are in scope, by returning an error in
 * its place. One of the two programs is loaded, for the function that user space chose; all that it
 * decides by is in the patch map, so that it changes without loading anything again.
 *
 * The way of a call that is out of scope is short: one word, one counter, the cheapest test first.
 */
#include "guard.h"

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "hotproof/guard.h"

char LICENSE[] SEC("license") = "GPL";

/* A variable of a section of its own is an array of one element; the program needs no look-up. */
struct hp_guard_patch patch SEC(".data.patch");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct hp_guard_counters);
	__uint(max_entries, 1);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct hp_guard_caller);
	__type(value, struct hp_guard_caller_calls);
	__uint(max_entries, HP_GUARD_CALLERS);
} callers SEC(".maps");

/* Read @size bytes that the kernel has at @address. */
static __always_inline long read_value(__u64 address, __u32 size, __u64 *value)
{
	*value = 0;
	switch (size) {
	case 1:
		return bpf_probe_read_kernel(value, 1, (void *)address);
	case 2:
		return bpf_probe_read_kernel(value, 2, (void *)address);
	case 4:
		return bpf_probe_read_kernel(value, 4, (void *)address);
	default:
		return bpf_probe_read_kernel(value, 8, (void *)address);
	}
}

/* Follow the pointers of @cond from the argument to the field: 0, or a negative errno. */
static __always_inline long load_field(const struct hp_guard_cond *cond, __u64 *value)
{
	long ret = 0;

	for (__u32 i = 0; i < HP_GUARD_STEPS; i++) {
		__u64 address = *value + cond->offset[i];

		if (i >= cond->steps)
			break;
		if (!*value)
			return -1;
		ret = read_value(address, i + 1u == cond->steps ? cond->size : 8, value);
		if (ret)
			break;
	}
	return ret;
}

/* What is left of a register of 64 bits when it holds a value of fewer. */
static __always_inline __u64 cut(const struct hp_guard_cond *cond, __u64 value)
{
	__u32 bits = cond->bits ? cond->bits : cond->size * 8;
	__u32 unused = (64 - bits) & 63;

	value >>= cond->shift & 63;
	value <<= unused;
	return cond->is_signed ? (__u64)((__s64)value >> unused) : value >> unused;
}

static __always_inline bool less(const struct hp_guard_cond *cond, __u64 a, __u64 b)
{
	return cond->is_signed ? (__s64)a < (__s64)b : a < b;
}

/* 1: @cond holds, 0: not, negative: it cannot be said. */
static __noinline int holds(void *ctx, const struct hp_guard_cond *cond)
{
	__u64 value = 0, operand;

	if (!cond || bpf_get_func_arg(ctx, cond->arg, &value))
		return -1;
	if (load_field(cond, &value))
		return -1;
	value = cut(cond, value);
	operand = cond->operand;
	switch (cond->op) {
	case HP_GUARD_EQ:
		return value == operand;
	case HP_GUARD_NE:
		return value != operand;
	case HP_GUARD_LT:
		return less(cond, value, operand);
	case HP_GUARD_LE:
		return !less(cond, operand, value);
	case HP_GUARD_GT:
		return less(cond, operand, value);
	case HP_GUARD_GE:
		return !less(cond, value, operand);
	case HP_GUARD_ANY_BIT:
		return (value & operand) != 0;
	}
	return -1;
}

static __always_inline bool is_user(const struct hp_guard_rule *rule)
{
	__u32 uid = (__u32)bpf_get_current_uid_gid();

	for (__u32 i = 0; i < HP_GUARD_UIDS && i < rule->uid_count; i++)
		if (rule->uids[i] == uid)
			return true;
	return false;
}

static __always_inline bool is_program(const struct hp_guard_rule *rule)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct inode *inode = BPF_CORE_READ(task, mm, exe_file, f_inode);

	return inode && BPF_CORE_READ(inode, i_ino) == rule->exe_inode &&
	       BPF_CORE_READ(inode, i_sb, s_dev) == rule->exe_dev;
}

/* Do the conditions hold? One that cannot be decided does not. */
static __always_inline bool conditions_hold(void *ctx, const struct hp_guard_rule *rule,
					    struct hp_guard_counters *c)
{
	for (__u32 i = 0; i < HP_GUARD_CONDS && i < rule->cond_count; i++) {
		int ret = holds(ctx, &rule->conds[i]);

		if (ret < 0)
			__sync_fetch_and_add(&c->unread, 1);
		if (ret <= 0)
			return false;
	}
	return true;
}

/* Whose call it is. A test is of a process that stands for later ones: chance does not excuse it. */
static __always_inline bool is_in_scope(const struct hp_guard_rule *rule, bool test)
{
	if (rule->uid_count && !is_user(rule))
		return false;
	if (!test && rule->percent < HP_GUARD_PERCENT &&
	    !hp_guard_in_percent(bpf_get_current_pid_tgid() >> 32, rule->percent))
		return false;
	if ((rule->flags & HP_GUARD_BY_CGROUP) &&
	    bpf_get_current_ancestor_cgroup_id((int)rule->cgroup_level) != rule->cgroup_id)
		return false;
	return !(rule->flags & HP_GUARD_BY_EXE) || is_program(rule);
}

/* The rule that may hold next, tried on the calls of those who test it. */
static __noinline int test_rule(void *ctx, struct hp_guard_counters *c, __u32 other)
{
	const struct hp_guard_rule *rule = &patch.rules[other & 1];
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (!c || (tgid != rule->testers[0] && tgid != rule->testers[1]))
		return 0;
	if (is_in_scope(rule, true) && conditions_hold(ctx, rule, c))
		__sync_fetch_and_add(&c->tested, 1);
	return 0;
}

static __always_inline void count_caller(struct hp_guard_counters *c, bool enforced)
{
	struct hp_guard_caller_calls none = {}, *calls;
	struct hp_guard_caller key = { .uid = (__u32)bpf_get_current_uid_gid(),
				       .cgroup_id = bpf_get_current_cgroup_id() };

	bpf_get_current_comm(key.comm, sizeof(key.comm));
	calls = bpf_map_lookup_elem(&callers, &key);
	if (!calls) {
		/* Another CPU may add it in the same moment: look again, whatever came of it. */
		bpf_map_update_elem(&callers, &key, &none, BPF_NOEXIST);
		calls = bpf_map_lookup_elem(&callers, &key);
	}
	if (!calls)
		__sync_fetch_and_add(&c->lost, 1);
	else if (enforced)
		__sync_fetch_and_add(&calls->returned, 1);
	else
		__sync_fetch_and_add(&calls->observed, 1);
}

/*
 * @exclusive: the kernel never runs the program twice at once on a CPU. True of fmod_ret (it counts
 * a miss instead, __bpf_prog_enter_recur()), not of LSM programs.
 */
static __always_inline int guard(void *ctx, bool exclusive)
{
	__u64 word = *(volatile __u64 *)&patch.word, now;
	bool enforce = (word & HP_GUARD_WORD_STATE) == HP_GUARD_ENFORCE;
	const struct hp_guard_rule *rule;
	struct hp_guard_counters *c;
	__u32 zero = 0;

	c = bpf_map_lookup_elem(&counters, &zero);
	if (!c)
		return 0;
	if (exclusive)
		c->calls++;
	else
		__sync_fetch_and_add(&c->calls, 1);
	if (word & HP_GUARD_WORD_TEST)
		test_rule(ctx, c, !(word & HP_GUARD_WORD_RULE));
	if (!(word & HP_GUARD_WORD_STATE))
		return 0;
	rule = &patch.rules[!!(word & HP_GUARD_WORD_RULE)];
	if (!is_in_scope(rule, false) || !conditions_hold(ctx, rule, c))
		return 0;
	now = bpf_ktime_get_boot_ns();
	if (rule->expires_ns && now >= rule->expires_ns)
		return 0;
	if (!c->first_ns)
		c->first_ns = now;
	c->last_ns = now;
	count_caller(c, enforce);
	if (!enforce) {
		__sync_fetch_and_add(&c->observed, 1);
		return 0;
	}
	__sync_fetch_and_add(&c->returned, 1);
	/* Whatever the map holds, it is an error number that comes out. */
	return -(int)((__u32)-rule->value & 0xfff);
}

SEC("fmod_ret")
int guard_fmod_ret(void *ctx)
{
	return guard(ctx, true);
}

SEC("lsm")
int guard_lsm(void *ctx)
{
	return guard(ctx, false);
}
