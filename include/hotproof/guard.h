/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ABI between bpf/guard.bpf.c and user/: the patch map of a guard, and what it counts. The maps
 * are pinned and outlive the program that made them, so this is a format: docs/pinned-state.md.
 * Only fixed-width types of <linux/types.h>.
 */
#ifndef HOTPROOF_GUARD_H
#define HOTPROOF_GUARD_H

#ifndef __VMLINUX_H__ /* an author's file may have all types from bpftool */
#include <linux/types.h>
#endif

#define HP_GUARD_MAGIC	 0x64726167746f6870ull /* "hpotgard" */
#define HP_GUARD_VERSION 4

#define HP_GUARD_NAME_MAX     48
#define HP_GUARD_FUNCTION_MAX 128
#define HP_GUARD_PATH_MAX     256
#define HP_GUARD_TEXT_MAX     96

#define HP_GUARD_UIDS	 16
#define HP_GUARD_CONDS	 4
#define HP_GUARD_STEPS	 6
#define HP_GUARD_TESTERS 2
#define HP_GUARD_PERCENT 10000 /* rule.percent is in hundredths: all of them */

/* Callers that have a line of their own; the calls of others are counted as lost. */
#define HP_GUARD_CALLERS 1024

/* Call sites that have one; the calls of others are counted as without a site. */
#define HP_GUARD_SITES 256

enum hp_guard_state {
	HP_GUARD_OFF,	  /* every call passes: not active yet, or not any more */
	HP_GUARD_OBSERVE, /* every call passes, those in scope are counted */
	HP_GUARD_ENFORCE, /* calls in scope are turned away */
};

/* How the function is taken over. */
enum hp_guard_kind {
	HP_GUARD_FMOD_RET = 1,
	HP_GUARD_LSM = 2,
};

/*
 * The word that activates a guard, changed by one store: state, the rule that holds, whether the
 * other rule is being tested, and the way that a call takes; in the upper half the key of that way. A
 * call that is out of scope needs this word and little else.
 */
#define HP_GUARD_WORD_LEVEL 0xffull  /* of the group of HP_GUARD_WAY_CGROUP */
#define HP_GUARD_WORD_STATE 0x300ull /* enum hp_guard_state, */
#define HP_GUARD_WORD_STEP  0x100ull /* and the first of them */
#define HP_GUARD_WORD_TEST  0x400ull
#define HP_GUARD_WORD_RULE \
	0x800ull /* the size of a rule: what is added to the address of the first */
#define HP_GUARD_WORD_KEY (1ull << 32)

/*
 * The limit by which a call is found out of scope at once: what it compares differs from the key. One
 * with the same lower half is looked at as a whole. They stand above all else in the word's lower half.
 */
#define HP_GUARD_WAY_WHOLE \
	0x10000000u /* none; or all calls are counted; or a rule is being tested; off is below */
#define HP_GUARD_WAY_UID    0x20000000u /* the one user */
#define HP_GUARD_WAY_ARG    0x30000000u /* no key: the first condition, on an argument itself */
#define HP_GUARD_WAY_CGROUP 0x40000000u /* cgroup_id */
#define HP_GUARD_WAY_EXE    0x50000000u /* exe_inode */

/*
 * A condition on an argument, or on a field that it leads to. All operators are the same question:
 * low is taken from the value, what is left is masked, so that a number of any width, signed or not,
 * wraps around where it ends; then it holds if that is in the span, or is not.
 */
struct hp_guard_cond {
	__u64 mask; /* of the value's bits; low and span are in their place */
	__u64 low;  /* the range: from here on, */
	__u64 span; /* and so many more */
	__u32 offset
		[HP_GUARD_STEPS]; /* of the pointer that is followed next; the last: of the field */
	__u8 arg;		  /* from 0 */
	__u8 steps;		  /* 0: the argument itself */
	__u8 size;		  /* bytes of the value: 1, 2, 4, 8 */
	__u8 outside;		  /* 1: it holds if the value is not in the range */
	__u8 reserved[4];
	char text[HP_GUARD_TEXT_MAX]; /* as it was written */
};

#define HP_GUARD_BY_CGROUP  0x1
#define HP_GUARD_BY_EXE	    0x2
#define HP_GUARD_ALL_SITES  0x4 /* no limit: calls that pass are counted by call site too */
#define HP_GUARD_BY_UID	    0x8
#define HP_GUARD_BY_PERCENT 0x10
#define HP_GUARD_BY_ARG	    0x20

/* What is turned away, and whose. Everything that is asked for must hold. */
struct hp_guard_rule {
	__s32 value;	 /* what the caller gets: -4095 to -1; 0: what the guard's code says */
	__u32 flags;	 /* the HP_GUARD_BY_ ones say which of the rest count */
	__u32 uid_count; /* 0: every user */
	__u32 cond_count;
	__u32 percent;	    /* of the processes, in hundredths */
	__u32 cgroup_level; /* of cgroup_id; the groups below it are in scope too */
	__u64 cgroup_id;
	__u64 exe_inode;
	__u32 exe_dev;			 /* as the kernel has it: major << 20 | minor */
	__u32 testers[HP_GUARD_TESTERS]; /* the processes that try the way back */
	__u32 reserved;
	__u64 expires_ns; /* CLOCK_BOOTTIME; 0: never */
	__u64 set_time;	  /* seconds since 1970 */
	__u32 uids[HP_GUARD_UIDS];
	struct hp_guard_cond conds[HP_GUARD_CONDS];
	char cgroup_path[HP_GUARD_PATH_MAX]; /* for people */
	char exe_path[HP_GUARD_PATH_MAX];
	char padding[792]; /* to HP_GUARD_WORD_RULE */
};

/* The patch map: an array with this one element, mapped by its writers. */
struct hp_guard_patch {
	__u64 magic;
	__u32 version;
	__u32 kind;
	__u64 word;
	__u64 made_time; /* seconds since 1970 */
	__u32 code;	 /* 1: an author's code decides about calls that are in scope */
	__u32 reserved;
	char name[HP_GUARD_NAME_MAX];
	char function[HP_GUARD_FUNCTION_MAX];
	struct hp_guard_rule rules[2];
};

/*
 * Counted in shards, which the address of the stack chooses: two tasks that run at the same time have
 * different stacks, so they seldom share a cache line, and finding a shard takes no helper. A power
 * of two.
 */
#define HP_GUARD_SHARDS	      128
#define HP_GUARD_SHARD(stack) (((stack) >> 15) & (HP_GUARD_SHARDS - 1)) /* as HP_STACK_NUMBER() */

struct hp_guard_counters {
	__u64 calls;	/* all that came while it was attached */
	__u64 returned; /* turned away */
	__u64 observed; /* would have been turned away, were it not for observe-only */
	__u64 tested;	/* of hotproof's own way back, would have been turned away */
	__u64 unread;	/* a field of a condition could not be read: the call passed */
	__u64 lost;	/* found no line in the table of callers */
	__u64 siteless; /* in scope; call site not found, or no line in the table of sites */
	__u64 first_ns; /* CLOCK_BOOTTIME of the first that was turned away or observed, 0: none */
	__u64 last_ns;
	__u64 reserved[7]; /* to two cache lines */
};

struct hp_guard_caller {
	char comm[16];
	__u64 cgroup_id;
	__u32 uid;
	__u32 reserved;
};

struct hp_guard_caller_calls {
	__u64 returned;
	__u64 observed;
};

/* The key of the table of sites is the address behind the call. */
struct hp_guard_site_calls {
	__u64 returned;
	__u64 observed;
	__u64 passed; /* with HP_GUARD_ALL_SITES only */
};

/*
 * Is the process @tgid in the @percent (in hundredths) of them? The same answer as long as it lives,
 * and whoever is in for a percentage is in for every larger one. The finalizer of MurmurHash3 by
 * Austin Appleby, which he put into the public domain.
 */
static inline int hp_guard_in_percent(__u32 tgid, __u32 percent)
{
	__u32 h = tgid;

	h ^= h >> 16;
	h *= 0x85ebca6bu;
	h ^= h >> 13;
	h *= 0xc2b2ae35u;
	h ^= h >> 16;
	return h % HP_GUARD_PERCENT < percent;
}

#endif
