// SPDX-License-Identifier: GPL-2.0
/* The one table of features, and asking for one of them. */
#include "host/features.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sys/capability.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "host/cause.h"
#include "host/try.h"

#define CAP(name)  (1ull << CAP_##name)
#define BPF_TRACE  (CAP(BPF) | CAP(PERFMON))
#define TRAMPOLINE "CONFIG_BPF_JIT CONFIG_DEBUG_INFO_BTF CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS"

/*
 * The capabilities are those of kernel/bpf/syscall.c (bpf_prog_load(), bpf_obj_get_next_id()),
 * kernel/events/core.c (perf_kprobe_event_init()) and fs/proc/base.c; the lockdown modes are those
 * of security/security.c and enum lockdown_reason.
 */
static const struct hp_feature table[HP_FEATURES] = {
	[HP_FEATURE_BPF] = {
		.name = "bpf", .purpose = "make BPF maps and programs",
		.lost = "nothing can be observed",
		.capabilities = CAP(BPF), .admin = true, .options = "CONFIG_BPF_SYSCALL",
		.try = hp_try__bpf,
	},
	[HP_FEATURE_BTF] = {
		.name = "btf", .purpose = "find kernel functions and fields by their types",
		.lost = "fentry, fexit, LSM, iterators; counting falls back to kprobes",
		.options = "CONFIG_DEBUG_INFO_BTF", .try = hp_try__btf,
	},
	[HP_FEATURE_MODULE_BTF] = {
		.name = "module_btf", .purpose = "the same for functions of modules",
		.lost = "functions of modules are counted by kprobes, which cost more",
		.options = "CONFIG_MODULES CONFIG_DEBUG_INFO_BTF_MODULES", .try = hp_try__module_btf,
	},
	[HP_FEATURE_JIT] = {
		.name = "jit", .purpose = "compile BPF programs to machine code",
		.lost = "fentry and its kin, and any low cost",
		.capabilities = CAP(BPF), .admin = true, .options = "CONFIG_BPF_JIT",
		.try = hp_try__jit,
	},
	[HP_FEATURE_FENTRY] = {
		.name = "fentry", .purpose = "count the calls of a kernel function",
		.lost = "calls are counted by kprobes, which cost more",
		.capabilities = BPF_TRACE, .admin = true, .options = TRAMPOLINE, .ftrace = true,
		.try = hp_try__hook,
	},
	[HP_FEATURE_FEXIT] = {
		.name = "fexit", .purpose = "time the calls of a kernel function",
		.lost = "calls are timed by kretprobes, which cost more",
		.capabilities = BPF_TRACE, .admin = true, .options = TRAMPOLINE, .ftrace = true,
		.try = hp_try__hook,
	},
	[HP_FEATURE_FMOD_RET] = {
		.name = "fmod_ret", .purpose = "return another value from a security hook",
		.lost = "the guard engine, but for LSM hooks",
		.capabilities = BPF_TRACE, .admin = true, .options = TRAMPOLINE, .ftrace = true,
		.try = hp_try__hook,
	},
	[HP_FEATURE_LSM] = {
		.name = "lsm", .purpose = "decide in an LSM hook",
		.lost = "the guard engine on LSM hooks",
		.capabilities = BPF_TRACE, .admin = true,
		.options = "CONFIG_BPF_LSM CONFIG_BPF_JIT CONFIG_DEBUG_INFO_BTF", .ftrace = true,
		.try = hp_try__hook,
	},
	[HP_FEATURE_FREPLACE] = {
		.name = "freplace", .purpose = "replace a function of a BPF program",
		.lost = "the bpf engine",
		/* More than loading takes: libbpf finds the function's type by BTF id. */
		.capabilities = CAP(SYS_ADMIN),
		.options = "CONFIG_BPF_JIT CONFIG_DEBUG_INFO_BTF", .try = hp_try__freplace,
	},
	[HP_FEATURE_TP_BTF] = {
		.name = "tp_btf", .purpose = "see tasks start and end (--exercise)",
		.lost = "the calls of --exercise cannot be told from others",
		.capabilities = BPF_TRACE, .admin = true,
		.options = "CONFIG_BPF_EVENTS CONFIG_DEBUG_INFO_BTF", .try = hp_try__hook,
	},
	[HP_FEATURE_KPROBE] = {
		.name = "kprobe", .purpose = "count calls of functions without BTF, and inside functions",
		.lost = "functions without BTF, and calls that ran the old body, cannot be counted",
		.capabilities = BPF_TRACE, .admin = true, .lockdown = HP_LOCKDOWN_CONFIDENTIALITY,
		.options = "CONFIG_KPROBES CONFIG_KPROBE_EVENTS CONFIG_PERF_EVENTS",
		.ftrace = true, .try = hp_try__perf, .arg = HP_PERF_KPROBE,
	},
	[HP_FEATURE_KRETPROBE] = {
		.name = "kretprobe", .purpose = "time calls of functions without BTF",
		.lost = "functions without BTF cannot be timed",
		.capabilities = BPF_TRACE, .admin = true, .lockdown = HP_LOCKDOWN_CONFIDENTIALITY,
		.options = "CONFIG_KPROBES CONFIG_KRETPROBES CONFIG_KPROBE_EVENTS "
			   "CONFIG_PERF_EVENTS",
		.ftrace = true, .try = hp_try__perf, .arg = HP_PERF_KRETPROBE,
	},
	[HP_FEATURE_UPROBE] = {
		.name = "uprobe", .purpose = "count calls in processes",
		.lost = "nothing in processes can be observed",
		/* CAP_PERFMON was enough from 5.8 to "perf: Revert to requiring CAP_SYS_ADMIN for
		 * uprobes" (2025).
		 */
		.capabilities = CAP(SYS_ADMIN),
		.options = "CONFIG_UPROBES CONFIG_UPROBE_EVENTS CONFIG_PERF_EVENTS",
		.try = hp_try__perf, .arg = HP_PERF_UPROBE,
	},
	[HP_FEATURE_TASK_ITER] = {
		.name = "task_iter", .purpose = "read the patch state of every task at once",
		.lost = "tasks are read one by one from /proc, where they may be missed",
		.capabilities = BPF_TRACE, .admin = true,
		.options = "CONFIG_BPF_SYSCALL CONFIG_DEBUG_INFO_BTF", .try = hp_try__hook,
	},
	[HP_FEATURE_TASK_VMA_ITER] = {
		.name = "task_vma_iter", .purpose = "find the processes that map a file",
		.lost = "mappings are read one process at a time from /proc",
		.capabilities = BPF_TRACE, .admin = true,
		.options = "CONFIG_BPF_SYSCALL CONFIG_DEBUG_INFO_BTF", .try = hp_try__hook,
	},
	[HP_FEATURE_SYSCALL_PROG] = {
		.name = "syscall_prog", .purpose = "run a BPF program on demand, attached to nothing",
		.lost = "the kernel's own list of livepatches cannot be walked",
		.capabilities = CAP(BPF), .admin = true, .options = "CONFIG_BPF_SYSCALL",
		.try = hp_try__hook,
	},
	[HP_FEATURE_RINGBUF] = {
		.name = "ringbuf", .purpose = "stream events from BPF programs",
		.lost = "events are polled from maps",
		.capabilities = BPF_TRACE, .admin = true, .options = "CONFIG_BPF_SYSCALL",
		.try = hp_try__ringbuf,
	},
	[HP_FEATURE_TASK_STORAGE] = {
		.name = "task_storage", .purpose = "keep a call's entry time with its task",
		.lost = "calls cannot be timed",
		.capabilities = BPF_TRACE, .admin = true,
		.options = "CONFIG_BPF_SYSCALL CONFIG_DEBUG_INFO_BTF", .try = hp_try__task_storage,
	},
	[HP_FEATURE_READ_KERNEL] = {
		.name = "read_kernel", .purpose = "read kernel memory from BPF programs",
		.lost = "what replaces what, and whether the redirect is in place, cannot be read",
		.capabilities = BPF_TRACE, .admin = true, .lockdown = HP_LOCKDOWN_CONFIDENTIALITY,
		.options = "CONFIG_BPF_EVENTS", .try = hp_try__read_kernel,
	},
	[HP_FEATURE_KALLSYMS_LOOKUP] = {
		.name = "kallsyms_lookup", .purpose = "find the kernel's list of livepatches",
		.lost = "what replaces what cannot be read from the kernel",
		.capabilities = CAP(BPF), .admin = true, .options = "CONFIG_KALLSYMS_ALL CONFIG_LIVEPATCH",
		.try = hp_try__kallsyms_lookup,
	},
	[HP_FEATURE_KLP_LIST] = {
		.name = "klp_list", .purpose = "read the kernel's list of livepatches: what replaces what",
		.lost = "livepatches show the names of their targets only, and no replacements",
		.capabilities = BPF_TRACE, .admin = true, .lockdown = HP_LOCKDOWN_CONFIDENTIALITY,
		.options = "CONFIG_KALLSYMS_ALL CONFIG_LIVEPATCH", .try = hp_try__klp_list,
	},
	[HP_FEATURE_BPF_IDS] = {
		.name = "bpf_ids", .purpose = "find BPF programs, links and module BTF of others",
		.lost = "another tool's probe on a target goes unseen; no fentry in modules",
		.capabilities = CAP(SYS_ADMIN), .options = "CONFIG_BPF_SYSCALL",
		.try = hp_try__bpf_ids,
	},
	[HP_FEATURE_LIVEPATCH] = {
		.name = "livepatch", .purpose = "the klp engine: kernel livepatches",
		.lost = "kernel functions cannot be replaced: a restart is needed",
		.options = "CONFIG_LIVEPATCH", .try = hp_try__livepatch,
	},
	[HP_FEATURE_RELIABLE_STACK] = {
		.name = "reliable_stack", .purpose = "switch sleeping tasks by their stacks",
		.lost = "a transition waits until each task has left the kernel",
		.options = "CONFIG_KALLSYMS CONFIG_HAVE_RELIABLE_STACKTRACE CONFIG_STACKTRACE",
		.try = hp_try__reliable_stack,
	},
	[HP_FEATURE_KLP_CONTROL] = {
		.name = "klp_control", .purpose = "disable a livepatch (its file enabled in sysfs)",
		.lost = "a livepatch cannot be reverted",
		.capabilities = CAP(DAC_OVERRIDE), .options = "CONFIG_LIVEPATCH",
		.try = hp_try__klp_control,
	},
	[HP_FEATURE_TASK_STACK] = {
		.name = "task_stack", .purpose = "show the kernel stack of a task that blocks",
		.lost = "blocking tasks are named without their stacks",
		.capabilities = CAP(SYS_ADMIN), .options = "CONFIG_STACKTRACE",
		.try = hp_try__task_stack,
	},
	[HP_FEATURE_KCORE] = {
		.name = "kcore", .purpose = "find call sites in modules whose file is not known",
		.lost = "with such modules, the coverage of call sites is not known",
		.capabilities = CAP(SYS_RAWIO) | CAP(DAC_OVERRIDE),
		.lockdown = HP_LOCKDOWN_CONFIDENTIALITY, .options = "CONFIG_PROC_KCORE",
		.try = hp_try__kcore,
	},
	[HP_FEATURE_MODULE_LOAD] = {
		.name = "module_load", .purpose = "load and unload livepatch modules",
		.lost = "livepatches that others loaded can be observed, none loaded or unloaded",
		.capabilities = CAP(SYS_MODULE), .options = "CONFIG_MODULES",
		.try = hp_try__module_load,
	},
	[HP_FEATURE_UNSIGNED_MODULES] = {
		.name = "unsigned_modules", .kind = HP_KIND_SETTING,
		.purpose = "load modules without a signature",
		.lost = "only signed livepatch modules can be loaded", .options = "CONFIG_MODULES",
		.try = hp_try__unsigned_modules,
	},
	[HP_FEATURE_FTRACE] = {
		.name = "ftrace", .kind = HP_KIND_SETTING,
		.purpose = "redirect and count calls at function entries",
		.lost = "livepatches do not work, fentry and fexit see nothing",
		.options = "CONFIG_FTRACE CONFIG_FUNCTION_TRACER CONFIG_DYNAMIC_FTRACE",
		.try = hp_try__ftrace,
	},
	[HP_FEATURE_LOCKDOWN] = {
		.name = "lockdown", .kind = HP_KIND_SETTING,
		.purpose = "the kernel is not locked down",
		.lost = "see unsigned_modules, kprobe, read_kernel", .try = hp_try__lockdown,
	},
	[HP_FEATURE_KALLSYMS] = {
		.name = "kallsyms", .kind = HP_KIND_SETTING,
		.purpose = "see the addresses of kernel symbols",
		.lost = "call sites and replacements are not named",
		.options = "CONFIG_KALLSYMS", .try = hp_try__kallsyms,
	},
	[HP_FEATURE_PERF_EVENTS] = {
		.name = "perf_events", .kind = HP_KIND_SETTING, .purpose = "open perf events",
		.lost = "no kprobes, no uprobes",
		.capabilities = CAP(PERFMON), .admin = true, .options = "CONFIG_PERF_EVENTS",
		.try = hp_try__perf_events,
	},
	[HP_FEATURE_MEMLOCK] = {
		.name = "memlock", .kind = HP_KIND_SETTING, .purpose = "memory for large BPF maps",
		.lost = "many targets at once do not fit",
		.capabilities = CAP(SYS_RESOURCE), .try = hp_try__memlock,
	},
	[HP_FEATURE_BPFFS] = {
		.name = "bpffs", .kind = HP_KIND_SETTING, .purpose = "keep links without a process",
		.lost = "the bpf and guard engines: their redirects are pinned",
		.capabilities = CAP(DAC_OVERRIDE), .options = "CONFIG_BPF_SYSCALL",
		.try = hp_try__mount, .arg = true,
	},
	[HP_FEATURE_CGROUP2] = {
		.name = "cgroup2", .kind = HP_KIND_SETTING, .purpose = "tell workloads apart by cgroup",
		.lost = "workloads are told apart by their process tree only",
		.capabilities = CAP(DAC_OVERRIDE), .options = "CONFIG_CGROUPS",
		.try = hp_try__mount, .arg = false,
	},
	[HP_FEATURE_KERNEL_IMAGE] = {
		.name = "kernel_image", .kind = HP_KIND_SETTING,
		.purpose = "find the call sites of a kernel function",
		.lost = "call sites are known only when they call: no coverage",
		.capabilities = CAP(DAC_OVERRIDE), .try = hp_try__kernel_image,
	},
#define CAPABILITY(id, label, what, without) \
	[HP_FEATURE_CAP_##id] = {            \
		.name = label,               \
		.kind = HP_KIND_CAPABILITY,  \
		.purpose = what,             \
		.lost = without,             \
		.capabilities = CAP(id),     \
		.try = hp_try__capability,   \
	}
	CAPABILITY(BPF, "cap_bpf", "BPF programs and maps", "everything that BPF does here"),
	CAPABILITY(PERFMON, "cap_perfmon", "BPF programs that trace", "all observing"),
	CAPABILITY(SYS_ADMIN, "cap_sys_admin", "BPF objects of others, kernel stacks",
		   "bpf_ids, task_stack, freplace"),
	CAPABILITY(SYS_MODULE, "cap_sys_module", "loading and unloading modules",
		   "apply, and the unloading part of revert"),
	CAPABILITY(SYS_PTRACE, "cap_sys_ptrace", "the patch state of others' tasks",
		   "tasks of other users cannot be read from /proc"),
	CAPABILITY(SYSLOG, "cap_syslog", "addresses of kernel symbols", "kallsyms, klp_list"),
	CAPABILITY(NET_ADMIN, "cap_net_admin", "BPF programs of the network",
		   "nothing yet: freplace takes CAP_SYS_ADMIN"),
	CAPABILITY(SYS_RESOURCE, "cap_sys_resource", "raising RLIMIT_MEMLOCK",
		   "memory for BPF on kernels before 5.11"),
	CAPABILITY(DAC_OVERRIDE, "cap_dac_override", "files of root without being root",
		   "klp_control, where the user is not root"),
};

int hp_try__need_btf(struct hp_features *features)
{
	if (!features->btf && !features->btf_err) {
		features->btf_err = hp_btf__open(&features->btf);
		if (!features->btf_err && !hp_btf__vmlinux(features->btf))
			features->btf_err = -ENOENT;
	}
	return features->btf_err;
}

int hp_try__need_kallsyms(struct hp_features *features)
{
	return features->kallsyms ? 0 : hp_kallsyms__open(&features->kallsyms, NULL, NULL);
}

int hp_features__open(struct hp_features **out, struct hp_error *err)
{
	struct hp_features *features = calloc(1, sizeof(*features));

	if (!features)
		return hp_fail(err, HP_E_NOMEM, "no memory for the features of this host");
	*out = features;
	return 0;
}

void hp_features__close(struct hp_features *features)
{
	if (features->btf)
		hp_btf__close(features->btf);
	if (features->kallsyms)
		hp_kallsyms__close(features->kallsyms);
	hp_facts__release(&features->facts);
	free(features);
}

const struct hp_finding *hp_features__get(struct hp_features *features, enum hp_feature_id id)
{
	const struct hp_feature *feature = &table[id];
	struct hp_finding *found = &features->found[id];
	int ret;

	if (features->known[id])
		return found;
	features->known[id] = true;
	/* Whoever asked for a stop will not show what is found. */
	if (hp_interrupted()) {
		found->state = HP_STATE_UNKNOWN;
		found->cause = HP_E_INTERRUPTED;
		return found;
	}
	if (!features->facts_read)
		hp_facts__read(&features->facts, "");
	features->facts_read = true;
	if (hp_cause__bars(feature, &features->facts, found))
		return found;
	hp_progress("trying %s", feature->name);
	ret = feature->try(features, feature, found);
	if (ret) {
		found->value[0] = '\0';
		hp_cause__find(feature, &features->facts, ret, found);
	} else {
		found->step = HP_STEP_NONE;
	}
	hp_progress_end();
	return found;
}

bool hp_features__has(struct hp_features *features, enum hp_feature_id id)
{
	return hp_features__get(features, id)->state == HP_STATE_AVAILABLE;
}

int hp_features__require(struct hp_features *features, enum hp_feature_id id, struct hp_error *err)
{
	const struct hp_finding *found = hp_features__get(features, id);

	if (found->state == HP_STATE_AVAILABLE)
		return 0;
	if (err && err->reason == HP_E_NONE)
		snprintf(err->detail, sizeof(err->detail), "%s", found->log);
	return hp_fail(err, found->cause, "%s is %s here: %s", table[id].name,
		       hp_feature_state_name(found->state), found->why);
}

const struct hp_feature *hp_feature__row(enum hp_feature_id id)
{
	return &table[id];
}

int hp_feature__find(const char *name)
{
	for (int id = 0; id < HP_FEATURES; id++)
		if (!strcmp(table[id].name, name))
			return id;
	return -ENOENT;
}

const char *hp_feature_kind_name(enum hp_feature_kind kind)
{
	static const char *const names[] = {
		[HP_KIND_MECHANISM] = "mechanism",
		[HP_KIND_SETTING] = "setting",
		[HP_KIND_CAPABILITY] = "capability",
	};

	return names[kind];
}

const char *hp_feature_state_name(enum hp_feature_state state)
{
	static const char *const names[] = {
		[HP_STATE_AVAILABLE] = "available",
		[HP_STATE_REFUSED] = "refused",
		[HP_STATE_MISSING] = "missing",
		[HP_STATE_UNKNOWN] = "unknown",
	};

	return names[state];
}

const char *hp_step_name(enum hp_step step)
{
	static const char *const names[] = {
		[HP_STEP_NONE] = "none", [HP_STEP_READ] = "read",     [HP_STEP_CREATE] = "create",
		[HP_STEP_LOAD] = "load", [HP_STEP_ATTACH] = "attach", [HP_STEP_RUN] = "run",
	};

	return names[step];
}
