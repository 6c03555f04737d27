/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All livepatches of this host at one moment, from the kernel's own list or, with less in it, from
 * sysfs; and what follows from it: which replacement takes a target's calls, and whether the
 * redirect is in place.
 */
#ifndef HP_KLP_SNAPSHOT_H
#define HP_KLP_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "engines/engine.h"
#include "hotproof/klp_records.h"

enum hp_klp_source {
	HP_KLP_FROM_KERNEL, /* the kernel's list: everything below is known */
	HP_KLP_FROM_SYSFS,  /* names and switches only: no addresses, no stack order */
};

/* What the kernel says about one target of one livepatch. */
struct hp_klp_func {
	char old_name[HP_SYMBOL_MAX];
	char new_name[HP_SYMBOL_MAX]; /* "" when unknown */
	uint64_t address;	      /* of the kernel's klp_func: its identity */
	uint64_t sympos;
	uint64_t old_addr;
	uint64_t new_addr;
	uint64_t old_size;
	uint64_t new_size;
	bool nop; /* gives the calls back to the old code (atomic replace) */
	bool patched;
	bool transition;
	bool have_ops;	/* the fields up to top_func are known */
	bool ops_known; /* and top_func is a function of this list */
	uint64_t ops_flags;
	uint64_t trampoline;
	uint64_t trampoline_size;
	uint64_t top_func;
	char ops_func[HP_NAME_MAX];
	bool have_entry;
	unsigned char entry[HP_KLP_ENTRY_LEN]; /* live text at old_addr */
	char superseded_by[HP_NAME_MAX];       /* the livepatch that takes the calls instead */
};

struct hp_klp_object {
	char name[HP_NAME_MAX]; /* "vmlinux" or a module */
	bool loaded;
	bool patched;
	struct hp_klp_func *funcs;
	size_t func_count;
};

struct hp_klp_patch {
	char name[HP_NAME_MAX];
	bool enabled;
	bool replace; /* an atomic replace */
	bool forced;
	bool transition;
	struct hp_klp_object *objects;
	size_t object_count;
};

struct hp_klp_snapshot {
	enum hp_klp_source source;
	struct hp_klp_patch
		*patches; /* in stack order, the oldest first, if source is the kernel */
	size_t count;
	int ftrace_disabled; /* 1: ftrace stopped itself; -1: unknown */
	int target_state;    /* of a transition: 1 patching, 0 unpatching, -1 none or unknown */
	bool unstable;	     /* the list changed all the time while it was read */
};

/* Growing a snapshot: a new, zeroed last element, or NULL. */
struct hp_klp_patch *hp_klp_snapshot__add_patch(struct hp_klp_snapshot *snap);
struct hp_klp_object *hp_klp_patch__add_object(struct hp_klp_patch *patch);
struct hp_klp_func *hp_klp_object__add_func(struct hp_klp_object *object);

/* Once all is added: find out who takes whose calls. */
void hp_klp_snapshot__resolve(struct hp_klp_snapshot *snap);

void hp_klp_snapshot__free(struct hp_klp_snapshot *snap);
HP_DEFINE_CLEANUP(struct hp_klp_snapshot *, hp_klp_snapshot__free)

/* The livepatch called @name, or NULL. */
const struct hp_klp_patch *hp_klp_snapshot__find(const struct hp_klp_snapshot *snap,
						 const char *name);

/* Is the redirect of @func in place? Always answers; @out->reason says what was read. */
void hp_klp_snapshot__read_back(const struct hp_klp_snapshot *snap,
				const struct hp_klp_patch *patch,
				const struct hp_klp_object *object, const struct hp_klp_func *func,
				struct hp_read_back *out);

/* Where the entry's call to ftrace is: 0, or 4 behind an endbr64. Of a target's first bytes. */
size_t hp_klp_entry__offset(const unsigned char *entry);

/* Where the old body begins: behind the call to ftrace, which is 5 bytes on x86-64. */
size_t hp_klp_entry__size(const unsigned char *entry);

/* Can the entry lead to ftrace: a call, or the nop that becomes one? */
bool hp_klp_entry__traceable(const unsigned char *entry);

/* Does any livepatch redirect the function at @address now? */
bool hp_klp_snapshot__redirects(const struct hp_klp_snapshot *snap, uint64_t address);

/*
 * The targets of @patch, or of all livepatches with NULL; without those that an atomic replace
 * gives back to the old code. *out is malloc'ed and the caller's.
 */
int hp_klp_snapshot__targets(const struct hp_klp_snapshot *snap, const struct hp_klp_patch *patch,
			     struct hp_target **out, size_t *count);

#endif
