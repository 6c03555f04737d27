/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What this host can do for hotproof. Every mechanism is found by using it (loaded, attached, and
 * called where that can be arranged), never by version, and nothing stays behind. What does not
 * work comes with its cause, as precisely as it can be found out, and the way out.
 */
#ifndef HP_HOST_FEATURES_H
#define HP_HOST_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "host/facts.h"

enum hp_feature_id {
	/* mechanisms */
	HP_FEATURE_BPF,
	HP_FEATURE_BTF,
	HP_FEATURE_MODULE_BTF,
	HP_FEATURE_JIT,
	HP_FEATURE_FENTRY,
	HP_FEATURE_FEXIT,
	HP_FEATURE_FMOD_RET,
	HP_FEATURE_LSM,
	HP_FEATURE_FREPLACE,
	HP_FEATURE_TP_BTF,
	HP_FEATURE_KPROBE,
	HP_FEATURE_KRETPROBE,
	HP_FEATURE_UPROBE,
	HP_FEATURE_TASK_ITER,
	HP_FEATURE_TASK_VMA_ITER,
	HP_FEATURE_SYSCALL_PROG,
	HP_FEATURE_RINGBUF,
	HP_FEATURE_TASK_STORAGE,
	HP_FEATURE_READ_KERNEL,
	HP_FEATURE_KALLSYMS_LOOKUP,
	HP_FEATURE_KLP_LIST,
	HP_FEATURE_BPF_IDS,
	HP_FEATURE_LIVEPATCH,
	HP_FEATURE_RELIABLE_STACK,
	HP_FEATURE_KLP_CONTROL,
	HP_FEATURE_TASK_STACK,
	HP_FEATURE_KCORE,
	HP_FEATURE_MODULE_LOAD,
	/* settings */
	HP_FEATURE_UNSIGNED_MODULES,
	HP_FEATURE_FTRACE,
	HP_FEATURE_LOCKDOWN,
	HP_FEATURE_KALLSYMS,
	HP_FEATURE_PERF_EVENTS,
	HP_FEATURE_MEMLOCK,
	HP_FEATURE_BPFFS,
	HP_FEATURE_CGROUP2,
	HP_FEATURE_KERNEL_IMAGE,
	/* capabilities */
	HP_FEATURE_CAP_BPF,
	HP_FEATURE_CAP_PERFMON,
	HP_FEATURE_CAP_SYS_ADMIN,
	HP_FEATURE_CAP_SYS_MODULE,
	HP_FEATURE_CAP_SYS_PTRACE,
	HP_FEATURE_CAP_SYSLOG,
	HP_FEATURE_CAP_NET_ADMIN,
	HP_FEATURE_CAP_SYS_RESOURCE,
	HP_FEATURE_CAP_DAC_OVERRIDE,
	HP_FEATURES,
};

enum hp_feature_kind {
	HP_KIND_MECHANISM,  /* something that hotproof uses: it was tried */
	HP_KIND_SETTING,    /* something that may stand in the way: it was read */
	HP_KIND_CAPABILITY, /* effective in the initial user namespace, or not */
};

enum hp_feature_state {
	HP_STATE_AVAILABLE, /* works; of a setting: does not stand in the way */
	HP_STATE_REFUSED,   /* the kernel has it and says no: a privilege, a setting, a policy */
	HP_STATE_MISSING,   /* the kernel does not have it */
	HP_STATE_UNKNOWN,   /* could not be tried; the reason says why */
};

/* Where a try ended. */
enum hp_step {
	HP_STEP_NONE,
	HP_STEP_READ,	/* a file of /proc, /sys, /boot */
	HP_STEP_CREATE, /* a map or an event */
	HP_STEP_LOAD,	/* a program: the verifier */
	HP_STEP_ATTACH,
	HP_STEP_RUN, /* it is in place, and nothing came of it */
};

/* What is found about a feature. The strings are one line each, "" for none. */
struct hp_finding {
	enum hp_feature_state state;
	enum hp_step step;
	int err;	      /* negative errno of the step, 0 for none */
	enum hp_reason cause; /* HP_E_NONE when available */
	char value[160];      /* what was seen: "counted 1 call of bpf_fentry_test1" */
	char why[320];	      /* what refused it */
	char fix[256];	      /* what to do about it */
	char log[1024];	      /* the verifier's last lines; the only one of several lines */
};

struct hp_features;
struct hp_feature;

typedef int (*hp_try_fn)(struct hp_features *features, const struct hp_feature *feature,
			 struct hp_finding *found);

/* A row of the table. */
struct hp_feature {
	const char *name; /* in --require, in JSON; public: never renamed */
	enum hp_feature_kind kind;
	const char *purpose;	   /* what hotproof does with it */
	const char *lost;	   /* what cannot be had without it */
	uint64_t capabilities;	   /* that the kernel asks for, one bit each */
	bool admin;		   /* CAP_SYS_ADMIN stands in for every one of these */
	enum hp_lockdown lockdown; /* the mode from which on it is refused; UNKNOWN for none */
	const char *options;	   /* the kernel options that it needs, separated by spaces */
	bool ftrace;		   /* its calls come through ftrace */
	hp_try_fn try;
	int arg; /* of the try */
};

/* Nothing is tried yet. Returns 0 and an object owned by the caller, or a negative errno. */
int hp_features__open(struct hp_features **out, struct hp_error *err);
void hp_features__close(struct hp_features *features);
HP_DEFINE_CLEANUP(struct hp_features *, hp_features__close)

/* The finding about @id: tried at the first question, then remembered. Never NULL. */
const struct hp_finding *hp_features__get(struct hp_features *features, enum hp_feature_id id);
bool hp_features__has(struct hp_features *features, enum hp_feature_id id);

/* 0 when @id is available; otherwise a negative errno, with the cause and the way out in @err. */
int hp_features__require(struct hp_features *features, enum hp_feature_id id, struct hp_error *err);

const struct hp_feature *hp_feature__row(enum hp_feature_id id);

/* The id of the feature called @name, or -ENOENT. */
int hp_feature__find(const char *name);

const char *hp_feature_kind_name(enum hp_feature_kind kind);
const char *hp_feature_state_name(enum hp_feature_state state);
const char *hp_step_name(enum hp_step step);

#endif
