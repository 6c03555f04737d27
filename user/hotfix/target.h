/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A target of a hotfix, as resolved on this host, and what reading its redirect back says: the words
 * that all layers share, from the engines to the reports.
 */
#ifndef HP_HOTFIX_TARGET_H
#define HP_HOTFIX_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#define HP_NAME_MAX   64  /* MODULE_NAME_LEN is 56 */
#define HP_SYMBOL_MAX 512 /* KSYM_NAME_LEN since Linux 6.1 */

/* One target of a hotfix, as resolved on this host. */
struct hp_target {
	char hotfix[HP_NAME_MAX];	 /* the livepatch (module) that replaces it */
	char object[HP_NAME_MAX];	 /* "vmlinux" or the name of a kernel module */
	char symbol[HP_SYMBOL_MAX];	 /* the target */
	char replacement[HP_SYMBOL_MAX]; /* the symbol of the replacement, "" when unknown */
	uint64_t sympos;   /* 0: the symbol is unique in the object; n: the n-th of that name */
	uint64_t old_addr; /* runtime address of the target, 0 while its object is not loaded */
	uint64_t new_addr; /* runtime address of the replacement, 0 before it is loaded */
	/*
	 * Which loading of their modules the addresses are of: with another number the module was
	 * loaded again since, perhaps at the same address. 0: vmlinux, not loaded, or not known.
	 */
	uint64_t old_load;
	uint64_t new_load;
	uint64_t old_size; /* bytes, 0 when unknown */
	uint64_t new_size;
	bool patched;	 /* the kernel says that the redirect is registered */
	bool transition; /* and that tasks are still switching */
	/*
	 * Some hotfix, this one or another, redirects the target's entry already: no trampoline may
	 * be put there (docs/kernel-hazards.md, 1).
	 */
	bool entry_taken;
	/* Functions of loaded BPF programs, with these ids; 0: of the kernel. */
	uint32_t old_program;
	uint32_t new_program;
	/*
	 * While the redirect is in place no call can reach the old body: there is no transition, and
	 * no point where a stale call could be seen.
	 */
	bool exclusive;
	bool new_shared; /* another replacement has the same name */
	/*
	 * The code comes by the place behind its ftrace call site more than once a call, or nobody
	 * can say that it does not: a probe there counts turns of a loop too.
	 */
	bool old_loops;
	bool new_loops;
	uint32_t entry_size; /* bytes at the entry that a redirect uses; the old body is behind */
	/*
	 * The first branch in the old body (jump, call or return), if every call comes there once: its offset, and what is
	 * on the stack there above the return address, in bytes. 0: there is no such place.
	 */
	uint32_t old_branch;
	uint32_t old_branch_depth;
	char superseded_by[HP_NAME_MAX]; /* a later hotfix that replaced the same target, or "" */
};

/* What reading the redirect back said about one target. */
enum hp_redirect {
	HP_REDIRECT_ABSENT,	/* not registered */
	HP_REDIRECT_IN_PLACE,	/* registered, and the entry leads to it */
	HP_REDIRECT_SUPERSEDED, /* registered, but a later hotfix takes the calls */
	HP_REDIRECT_BROKEN,	/* registered, but the entry does not lead to it */
	HP_REDIRECT_UNKNOWN,	/* could not be read */
};

/* "in-place", "broken", … : the words of reports and JSON. */
const char *hp_redirect_name(enum hp_redirect redirect);

struct hp_read_back {
	enum hp_redirect redirect;
	char reason[160]; /* what was read, for the report */
	/* No probe stands in the old body: if one was placed there, somebody has taken it away. */
	bool body_bare;
	/* The process runs a copy of the code, in memory of no file: no probe stands there. */
	bool body_moved;
	/* Calls may come that the redirect does not see, nor any probe: @reason says by what way. */
	bool bypassed;
};

#endif
