/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For authors of guards with code: what is turned away when users, arguments and the like cannot say it.
 *
 *	#include <hotproof/guard.bpf.h>
 *
 *	char LICENSE[] SEC("license") = "GPL";
 *
 *	HP_GUARD_FMOD_RET(security_socket_create, int family, int type, int protocol, int kern)
 *	{
 *		if (family == 38 && !kern) // AF_ALG
 *			return HP_GUARD_RETURN(EAFNOSUPPORT);
 *		return HP_GUARD_PASS;
 *	}
 *
 * Compiled with clang -g -O2 -mcpu=v3 -target bpf (without v3 a call that is out of scope takes a few
 * instructions more) and applied with 'hotproof apply FILE.bpf.o'. The code is
 * asked only about calls in scope, and says what it would do: scope, dry run, expiry and counts are
 * this header's, and the loader's to change. While the way back is tested (hotproof-guard(1)) it is
 * asked twice. It may use maps and helpers as any program of its kind; types of the kernel come from
 * a vmlinux.h that is included before this file, or from the author's own declarations with
 * preserve_access_index.
 *
 * hotproof's own guards are made of the same program.
 */
#ifndef HOTPROOF_GUARD_BPF_H
#define HOTPROOF_GUARD_BPF_H

#ifndef __VMLINUX_H__
#include <linux/bpf.h>
#endif
#include <linux/errno.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <hotproof/guard.h>
#include <hotproof/trampoline.bpf.h>

/* What the code says about a call: it runs the function as ever, or its caller gets this error. */
#define HP_GUARD_PASS	       0
#define HP_GUARD_RETURN(error) (-(error))

/*
 * The code of a guard, one in a file: of @function by fmod_ret, before any security module is asked,
 * with the function's arguments; or as the LSM program for @hook, with the hook's.
 */
#define HP_GUARD_FMOD_RET(function, args...) HP_GUARD_CODE_("fmod_ret/" #function, 0, args)
#define HP_GUARD_LSM(hook, args...)	     HP_GUARD_CODE_("lsm/" #hook, 1, args)

#define HP_GUARD_CODE_(section, lsm, args...)        \
	SEC(section) int hp_guard_program(void *ctx) \
	{                                            \
		return hp_guard_run(ctx, lsm);       \
	}                                            \
	static __attribute__((noinline)) int BPF_PROG(hp_guard_code, args)

static int hp_guard_code(unsigned long long *ctx);

/*
 * A variable of a section of its own is an array of one element; the program needs no look-up. The
 * loader knows by the version that it fills in what this header means.
 */
struct hp_guard_patch hp_guard_patch SEC(".data.hp_guard") = {
	.magic = HP_GUARD_MAGIC,
	.version = HP_GUARD_VERSION,
};

struct hp_guard_counters hp_guard_counters[HP_GUARD_SHARDS] SEC(".data.hp_counters");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct hp_guard_caller);
	__type(value, struct hp_guard_caller_calls);
	__uint(max_entries, HP_GUARD_CALLERS);
} hp_guard_callers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, struct hp_guard_site_calls);
	__uint(max_entries, HP_GUARD_SITES);
} hp_guard_sites SEC(".maps");

/*
 * The kernel's types by which a guard tells whose a task is and which program it runs. libbpf drops what is behind ___,
 * so they do not stand in the way of the author's.
 */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block___hp {
	__u32 s_dev;
};

struct inode___hp {
	unsigned long i_ino;
	struct super_block___hp *i_sb;
};

struct file___hp {
	struct inode___hp *f_inode;
};

struct mm_struct___hp {
	struct file___hp *exe_file;
};

struct cred___hp {
	struct {
		__u32 val;
	} uid;
};

struct task_struct___hp {
	struct mm_struct___hp *mm;
	const struct cred___hp *cred;
	int tgid;
};

#pragma clang attribute pop

static __always_inline struct hp_guard_counters *hp_guard_own_counters(void)
{
	register __u64 stack asm("r1");

	/* The half of the address that differs; clang knows no such registers without -mcpu=v3. */
	asm volatile("w1 = w10" : "=r"(stack));
	return &hp_guard_counters[HP_GUARD_SHARD(stack)];
}

/* Read @size bytes that the kernel has at @address. The verifier wants each length to be a constant. */
static __always_inline long hp_guard_read_value(__u64 address, __u32 size, __u64 *value)
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
static __always_inline long hp_guard_load_field(const struct hp_guard_cond *cond, __u64 *value)
{
	long ret = 0;

	for (__u32 i = 0; i < HP_GUARD_STEPS; i++) {
		__u64 address = *value + cond->offset[i];

		if (i >= cond->steps)
			break;
		if (!*value)
			return -1;
		ret = hp_guard_read_value(address, i + 1u == cond->steps ? cond->size : 8, value);
		if (ret)
			break;
	}
	return ret;
}

/* 1: @cond holds, 0: not, negative: it cannot be said. */
static __always_inline int hp_guard_holds(void *ctx, const struct hp_guard_cond *cond)
{
	__u64 value = 0;

	if (bpf_get_func_arg(ctx, cond->arg, &value))
		return -1;
	if (cond->steps && hp_guard_load_field(cond, &value))
		return -1;
	return (((value - cond->low) & cond->mask) <= cond->span) != cond->outside;
}

/* The rule that @word says. */
static __always_inline const struct hp_guard_rule *hp_guard_rule_of(__u64 word)
{
	return (const void *)((const char *)hp_guard_patch.rules + (word & HP_GUARD_WORD_RULE));
}

/* Do the conditions of the rule hold? One that cannot be decided does not. */
static __always_inline int hp_guard_conditions_hold(void *ctx, const struct hp_guard_rule *rule)
{
	for (__u32 i = 0; i < HP_GUARD_CONDS && i < rule->cond_count; i++) {
		int ret = hp_guard_holds(ctx, &rule->conds[i]);

		if (ret < 0)
			__sync_fetch_and_add(&hp_guard_own_counters()->unread, 1);
		if (ret <= 0)
			return 0;
	}
	return 1;
}

/*
 * The task's own pointers are followed by plain loads, which read 0 where one is NULL: a helper for each
 * step would cost a call that is out of scope more than all the rest.
 */
static __always_inline int hp_guard_is_user(const struct hp_guard_rule *rule,
					    struct task_struct___hp *task)
{
	__u32 uid = task->cred->uid.val; /* as the first user namespace has it */

	for (__u32 i = 0; i < HP_GUARD_UIDS && i < rule->uid_count; i++)
		if (rule->uids[i] == uid)
			return 1;
	return 0;
}

static __always_inline int hp_guard_is_program(const struct hp_guard_rule *rule,
					       struct task_struct___hp *task)
{
	struct inode___hp *inode = task->mm->exe_file->f_inode;

	return inode->i_ino == rule->exe_inode && inode->i_sb->s_dev == rule->exe_dev;
}

/* Whose call it is, and with which arguments. */
static __attribute__((noinline)) int
hp_guard_is_in_scope(void *ctx, const struct hp_guard_rule *rule, __u32 flags)
{
	struct task_struct___hp *task;

	if ((flags & HP_GUARD_BY_CGROUP) &&
	    bpf_get_current_ancestor_cgroup_id((int)rule->cgroup_level) != rule->cgroup_id)
		return 0;
	if (flags & (HP_GUARD_BY_UID | HP_GUARD_BY_PERCENT | HP_GUARD_BY_EXE)) {
		task = (struct task_struct___hp *)bpf_get_current_task_btf();
		if ((flags & HP_GUARD_BY_UID) && !hp_guard_is_user(rule, task))
			return 0;
		if ((flags & HP_GUARD_BY_PERCENT) &&
		    !hp_guard_in_percent((__u32)task->tgid, rule->percent))
			return 0;
		if ((flags & HP_GUARD_BY_EXE) && !hp_guard_is_program(rule, task))
			return 0;
	}
	return !(flags & HP_GUARD_BY_ARG) || hp_guard_conditions_hold(ctx, rule);
}

/* The rule that may hold next, tried on the calls of those who test it: not by chance. */
static __attribute__((noinline)) int hp_guard_test_rule(void *ctx, const struct hp_guard_rule *rule)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (tgid != rule->testers[0] && tgid != rule->testers[1])
		return 0;
	if (hp_guard_is_in_scope(ctx, rule, rule->flags & ~(__u32)HP_GUARD_BY_PERCENT) &&
	    hp_guard_code(ctx) < 0)
		__sync_fetch_and_add(&hp_guard_own_counters()->tested, 1);
	return 0;
}

static __always_inline void hp_guard_count_caller(struct hp_guard_counters *c, int enforced)
{
	struct hp_guard_caller_calls none = {}, *calls;
	struct hp_guard_caller key = { .uid = (__u32)bpf_get_current_uid_gid(),
				       .cgroup_id = bpf_get_current_cgroup_id() };

	bpf_get_current_comm(key.comm, sizeof(key.comm));
	calls = bpf_map_lookup_elem(&hp_guard_callers, &key);
	if (!calls) {
		/* Another CPU may add it in the same moment: look again, whatever came of it. */
		bpf_map_update_elem(&hp_guard_callers, &key, &none, BPF_NOEXIST);
		calls = bpf_map_lookup_elem(&hp_guard_callers, &key);
	}
	if (!calls)
		__sync_fetch_and_add(&c->lost, 1);
	else if (enforced)
		__sync_fetch_and_add(&calls->returned, 1);
	else
		__sync_fetch_and_add(&calls->observed, 1);
}

/*
 * Where a call came from. The kernel calls the function of an LSM program within the security_* function:
 * there it is that one's caller who counts, the next on the stack. Such a program may not ask which
 * function it stands at, but the place of the return value is always there (see hp_trampoline_caller()).
 */
static __always_inline __u64 hp_guard_site(void *ctx, int lsm)
{
	__u64 caller, stack[8] = {};

	if (!lsm)
		return hp_trampoline_caller(ctx);
	if (!hp_read_frame(&caller, sizeof(caller), ctx, 3) ||
	    bpf_get_stack(ctx, stack, sizeof(stack), 0) < 0)
		return 0;
	for (__u32 i = 0; i + 1 < sizeof(stack) / sizeof(stack[0]); i++)
		if (stack[i] == caller)
			return stack[i + 1];
	return 0;
}

/* The line of the call's site, made if need be; NULL: it has none. */
static __attribute__((noinline)) struct hp_guard_site_calls *hp_guard_find_site(void *ctx, int lsm)
{
	struct hp_guard_site_calls none = {}, *calls;
	__u64 key = hp_guard_site(ctx, lsm);

	if (!key)
		return NULL;
	calls = bpf_map_lookup_elem(&hp_guard_sites, &key);
	if (calls)
		return calls;
	bpf_map_update_elem(&hp_guard_sites, &key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&hp_guard_sites, &key);
}

/*
 * The answer to a call that is in scope by @rule, or 0: it passes. *now is set when it does not. A rule's
 * own value goes before that of the code.
 */
static __always_inline int hp_guard_decide(void *ctx, const struct hp_guard_rule *rule, __u64 *now)
{
	int value;

	*now = bpf_ktime_get_boot_ns();
	if (rule->expires_ns && *now >= rule->expires_ns)
		return 0;
	value = hp_guard_code(ctx);
	if (value >= 0 || value < -4095)
		return 0;
	return rule->value ? rule->value : value;
}

#define HP_GUARD_IS_LSM 1
#define HP_GUARD_IS_IN	2

/* A call that is in scope, or all are counted: by call site, caller, and time. */
static __attribute__((noinline)) int hp_guard_answer(void *ctx, const struct hp_guard_rule *rule,
						     __u64 word, __u32 how)
{
	struct hp_guard_counters *c = hp_guard_own_counters();
	int enforce = (word & HP_GUARD_WORD_STATE) == HP_GUARD_ENFORCE * HP_GUARD_WORD_STEP,
	    value = 0;
	struct hp_guard_site_calls *site;
	__u64 now = 0;

	if (how & HP_GUARD_IS_IN)
		value = hp_guard_decide(ctx, rule, &now);
	if (!value && !(rule->flags & HP_GUARD_ALL_SITES))
		return 0;
	site = hp_guard_find_site(ctx, how & HP_GUARD_IS_LSM);
	if (!value) {
		if (site)
			__sync_fetch_and_add(&site->passed, 1);
		return 0;
	}
	if (!c->first_ns)
		c->first_ns = now;
	c->last_ns = now;
	hp_guard_count_caller(c, enforce);
	if (!site)
		__sync_fetch_and_add(&c->siteless, 1);
	else if (enforce)
		__sync_fetch_and_add(&site->returned, 1);
	else
		__sync_fetch_and_add(&site->observed, 1);
	if (!enforce) {
		__sync_fetch_and_add(&c->observed, 1);
		return 0;
	}
	__sync_fetch_and_add(&c->returned, 1);
	/* Whatever the code said and the map holds, it is an error number that comes out. */
	return -(int)((__u32)-value & 0xfff);
}

/* The call as a whole. It reads the word itself, and decides by no other. */
static __attribute__((noinline)) int hp_guard_look(void *ctx, __u32 how)
{
	__u64 word = *(volatile __u64 *)&hp_guard_patch.word;
	const struct hp_guard_rule *rule = hp_guard_rule_of(word);

	if (word & HP_GUARD_WORD_TEST)
		hp_guard_test_rule(ctx, hp_guard_rule_of(word ^ HP_GUARD_WORD_RULE));
	if (!(word & HP_GUARD_WORD_STATE))
		return 0;
	if (hp_guard_is_in_scope(ctx, rule, rule->flags))
		how |= HP_GUARD_IS_IN;
	else if (!(rule->flags & HP_GUARD_ALL_SITES))
		return 0;
	return hp_guard_answer(ctx, rule, word, how);
}

/* In the order in which they are asked: each is above all that come behind it. */
#define HP_GUARD_IS_WAY(word, which)                   \
	({                                             \
		asm volatile("" : "+r"(word));         \
		(__u32)(word) >= HP_GUARD_WAY_##which; \
	})

/*
 * A place of its own in the program, so that no jump goes to another jump: nothing, which is nowhere
 * else the same. (The text must be empty: the kernel refuses two lines at one instruction.)
 */
#define HP_GUARD_OWN_BLOCK() asm volatile("" : : "i"(__COUNTER__))

/*
 * A call that is out of scope goes no further than here: it is counted, and one limit says so. What
 * that takes is counted in instructions (docs/benchmarks.md); so ctx is kept on the stack, which takes
 * one less than a register of its own, what is compared with comes in the word, and the limits that
 * take most are asked for first. @lsm: it is an LSM program, for its call sites.
 */
static __always_inline int hp_guard_run(void *ctx, int lsm)
{
	__u64 word = *(volatile __u64 *)&hp_guard_patch.word;
	struct task_struct___hp *task;
	void *volatile kept = ctx;

	__sync_fetch_and_add(&hp_guard_own_counters()->calls, 1);
	if (HP_GUARD_IS_WAY(word, EXE)) {
		task = (struct task_struct___hp *)bpf_get_current_task_btf();
		if ((__u32)task->mm->exe_file->f_inode->i_ino != (__u32)(word >> 32))
			goto out;
		HP_GUARD_OWN_BLOCK();
	} else if (HP_GUARD_IS_WAY(word, CGROUP)) {
		int level = word & HP_GUARD_WORD_LEVEL;

		if ((__u32)bpf_get_current_ancestor_cgroup_id(level) != (__u32)(word >> 32))
			goto out;
		HP_GUARD_OWN_BLOCK();
	} else if (HP_GUARD_IS_WAY(word, ARG)) {
		const struct hp_guard_cond *cond;
		__u64 value = 0;

		/* As hp_guard_rule_of(), in the register that the word was in. */
		word &= HP_GUARD_WORD_RULE;
		asm volatile("%0 += %1" : "+r"(word) : "r"(&hp_guard_patch));
		cond = ((const struct hp_guard_patch *)word)->rules[0].conds;

		/* It has such an argument: the loader looked. */
		bpf_get_func_arg(kept, cond->arg, &value);
		if (((value - cond->low) & cond->mask) > cond->span) {
			if (!cond->outside)
				goto out;
			HP_GUARD_OWN_BLOCK();
		} else {
			if (cond->outside)
				goto out;
			HP_GUARD_OWN_BLOCK();
		}
	} else if (HP_GUARD_IS_WAY(word, UID)) {
		task = (struct task_struct___hp *)bpf_get_current_task_btf();
		if (task->cred->uid.val != (__u32)(word >> 32))
			goto out;
		HP_GUARD_OWN_BLOCK();
	} else if (!HP_GUARD_IS_WAY(word, WHOLE)) {
		goto out;
	}
	return hp_guard_look(kept, lsm ? HP_GUARD_IS_LSM : 0);
out:
	HP_GUARD_OWN_BLOCK();
	return 0;
}

#endif
