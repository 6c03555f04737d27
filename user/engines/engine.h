/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an engine is: one table of functions that redirect targets with one mechanism. An engine
 * says where calls can be counted (observation points); it never counts by itself.
 */
#ifndef HP_ENGINES_ENGINE_H
#define HP_ENGINES_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

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
	uint64_t old_size; /* bytes, 0 when unknown */
	uint64_t new_size;
	bool patched;			 /* the kernel says that the redirect is registered */
	bool transition;		 /* and that tasks are still switching */
	char superseded_by[HP_NAME_MAX]; /* a later hotfix that replaced the same target, or "" */
};

/* A task that has not switched yet. */
struct hp_blocker {
	int pid;  /* thread id */
	int tgid; /* process id; equal to pid for the main thread */
	bool kthread;
	char state; /* as in /proc/PID/stat */
	char comm[16];
	char *stack; /* kernel stack, a "symbol+0xoff/0xsize" per line; NULL when unreadable */
};

/* How far an activation (or its reversal) has come. */
struct hp_progress {
	bool complete;
	uint32_t switched; /* tasks that have the wanted state */
	uint32_t total;	   /* tasks in scope */
	struct hp_blocker *blockers;
	size_t blocker_count;
};

void hp_progress_free(struct hp_progress *progress);

/* What reading the redirect back said about one target. */
enum hp_redirect {
	HP_REDIRECT_ABSENT,	/* not registered */
	HP_REDIRECT_IN_PLACE,	/* registered, and the entry leads to it */
	HP_REDIRECT_SUPERSEDED, /* registered, but a later hotfix takes the calls */
	HP_REDIRECT_BROKEN,	/* registered, but the entry does not lead to it */
	HP_REDIRECT_UNKNOWN,	/* could not be read */
};

struct hp_read_back {
	enum hp_redirect redirect;
	char reason[160]; /* what was read, for the report */
};

#endif
