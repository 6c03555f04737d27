/* SPDX-License-Identifier: GPL-2.0 */
/* An observation point: where an engine says that calls of a target can be counted. */
#ifndef HP_OBSERVE_POINT_H
#define HP_OBSERVE_POINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hotproof/patch_map.h"

#define HP_POINT_NAME_MAX 512 /* KSYM_NAME_LEN since Linux 6.1 */

struct hp_point {
	enum hp_point_role role;
	uint64_t address; /* of the function, at run time; 0: find it by its symbol */
	uint64_t offset;  /* of the point into the function: 0 but for HP_POINT_OLD_BODY */
	/*
	 * Where a kprobe that only counts is better placed, since every call comes by there as well:
	 * an offset that is tried before @offset, and how many bytes the function has on the stack
	 * there, above its return address. 0: nowhere.
	 */
	uint64_t better_offset;
	uint64_t better_depth;
	char object[64]; /* "vmlinux" or a module */
	char symbol[HP_POINT_NAME_MAX];
	bool at_most; /* turns of a loop come by here too: there were at most so many calls */
	/*
	 * A trampoline (fentry, fexit) may stand here. Never at the entry of a function that is
	 * livepatched already: two of them there undo the livepatch (docs/kernel-hazards.md, 1).
	 */
	bool trampoline;
	uint32_t program; /* a function of the loaded BPF program of this id; 0: of the kernel */
	/*
	 * In user space: any name of the file that processes map, and the point's offset in it. Then
	 * nothing of the above counts but the role, and the symbol for messages. Never an entry that
	 * is overwritten in some process (docs/kernel-hazards.md, 2).
	 */
	const char *path;
	uint64_t file_offset;
	bool callers;	/* and told apart by their return address, which lies */
	uint64_t depth; /* so many bytes up the stack */
};

/*
 * How calls of one process are timed at a point in user space, which is a function's entry. Only
 * that process has the probes: at the entry of a target they may stand in processes that are not
 * patched while others are (docs/kernel-hazards.md, 2).
 */
struct hp_timing {
	pid_t pid;
	bool stepped; /* the kernel does not emulate the entry's first instruction */
	/*
	 * The file offsets of all the function's returns. None: the return address on the stack is
	 * taken over (uretprobe), which is not for processes that unwind their own stacks.
	 */
	const uint64_t *returns;
	size_t return_count;
};

/* How a point is observed; chosen by trying. */
enum hp_method {
	HP_METHOD_NONE,
	HP_METHOD_FENTRY,
	HP_METHOD_FENTRY_FEXIT,
	HP_METHOD_KPROBE,
	HP_METHOD_KPROBE_KRETPROBE,
	HP_METHOD_UPROBE,
	/* Of functions of processes, timed. "Stepped": see struct hp_timing. */
	HP_METHOD_UPROBES, /* at the entry and at each return */
	HP_METHOD_UPROBES_STEPPED,
	HP_METHOD_UPROBE_URETPROBE,
	HP_METHOD_UPROBE_URETPROBE_STEPPED,
	HP_METHODS,
};

const char *hp_method_name(enum hp_method method);

/* The method called @name; HP_METHOD_NONE when there is none. */
enum hp_method hp_method_find(const char *name);

/* True if calls of functions of processes are timed this way: microseconds are added to each. */
static inline bool hp_method_times_processes(enum hp_method method)
{
	return method >= HP_METHOD_UPROBES && method < HP_METHODS;
}

/* A count that could not be taken: "-" in text, null in JSON. Never print a 0 in its place. */
#define HP_COUNT_UNKNOWN UINT64_MAX

/*
 * The kernel counts the calls that an fentry program missed (bpf_prog_info.recursion_misses). Those
 * that a kprobe or uprobe missed it does not: trace_call_bpf() skips the program without a trace
 * while another one runs on the CPU (counted since Linux 6.7 only), and a kprobe that is hit within
 * a kprobe is counted where this process cannot read it (struct kprobe.nmissed).
 */
static inline bool hp_method_counts_misses(enum hp_method method)
{
	return method == HP_METHOD_FENTRY || method == HP_METHOD_FENTRY_FEXIT;
}

static inline bool hp_method_is_kprobe(enum hp_method method)
{
	return method == HP_METHOD_KPROBE || method == HP_METHOD_KPROBE_KRETPROBE;
}

#endif
