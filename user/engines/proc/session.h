/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the proc engine share, and nobody else. */
#ifndef HP_ENGINES_PROC_SESSION_H
#define HP_ENGINES_PROC_SESSION_H

#include <limits.h>
#include <sys/stat.h>

#include "engines/proc/bind.h"
#include "engines/proc/bodies.h"
#include "engines/proc/inject.h"
#include "engines/proc/objects.h"
#include "engines/proc/proc.h"
#include "engines/proc/unwind.h"
#include "hotfix/image.h"

struct hp_proc {
	struct hp_hotfix *hotfix;
	struct hp_image *image;
	struct hp_objects *objects;
	struct hp_gadget_cache *gadgets;
	struct hp_bodies *bodies;
	struct hp_proc **others; /* hotfixes that were found in processes; owned */
	size_t other_count;
	char staged[PATH_MAX]; /* the copy that processes map; "" before it is made */
	struct stat staged_stat;
};

/* A target in one process. */
struct hp_site {
	const struct hp_forward *forward;
	uint64_t address; /* of the function */
	struct hp_arch_entry entry;
	const uint8_t *original; /* its first bytes, as its file has them */
	const uint8_t *body;	 /* all of them */
	uint64_t replacement;	 /* 0 while the hotfix has no place */
};

/* One attempt at one process. */
struct hp_attempt {
	struct hp_proc *proc;
	const struct hp_process *process;
	struct hp_tracer *tracer; /* NULL in an attempt that only looks */
	struct hp_maps maps;
	struct hp_elf *target; /* the object that the process maps, not the one of our path */
	uint64_t target_bias, hotfix_bias;
	struct hp_site *sites;
	/*
	 * The hotfix of the same id and another build that the process maps, or NULL: what is
	 * replaced, or was about to be.
	 */
	struct hp_attempt *other;
	int mem; /* the process's memory, opened before it is stopped; -1 before that */
	struct hp_stop *stop;
	struct hp_unwinder *unwinder; /* NULL as long as it was not needed */
	struct hp_inject *inject;
};

/* Read the process's mappings and find the target in them. Nothing is stopped. */
int hp_attempt__open(struct hp_attempt *a, struct hp_proc *proc, const struct hp_process *process,
		     struct hp_error *err);
/* Let go of what is still held, and free. */
void hp_attempt__close(struct hp_attempt *a);

/* Fill the hotfix_bias from the mappings: 0 when the hotfix is not mapped. Returns a mapping of it. */
const struct hp_map *hp_attempt__find_hotfix(struct hp_attempt *a);

/* The length of the call that a uprobe became at @address, whose bytes there are @code; 0: it is none. */
size_t hp_attempt__probe_call(const struct hp_attempt *a, const uint8_t *code, size_t len,
			      uint64_t address);

/* What the process's memory says about the entry of @site. */
struct hp_read_back hp_attempt__read_back(struct hp_attempt *a, const struct hp_site *site,
					  struct hp_error *err);

/* The hotfix file behind @map, any hotfix's; NULL when it is none. */
struct hp_elf *hp_attempt__hotfix_behind(struct hp_attempt *a, const struct hp_map *map);

/* The metadata of the hotfix behind @map if it has our id, whatever its sequence number; or NULL. */
const struct hp_hotfix_meta *hp_attempt__same_id_behind(struct hp_attempt *a,
							const struct hp_map *map);

/* Fill a->other. 0 when there is none. */
int hp_attempt__find_other(struct hp_attempt *a, struct hp_error *err);

/* a->other may be replaced: its sequence number is lower, and it is applied as a whole. */
int hp_attempt__check_other(struct hp_attempt *a, struct hp_error *err);

/* How many of the targets are redirected to the replacements of this attempt's hotfix. */
size_t hp_attempt__in_place(struct hp_attempt *a);

/*
 * Write the entries of the stopped process and read them back; all as they were when it fails.
 * An apply writes the jumps, and takes those of a->other away. A revert takes ours away: back to
 * a->other when that was to be replaced and is still there.
 */
int hp_edits__apply(struct hp_attempt *a, struct hp_error *err);
int hp_edits__revert(struct hp_attempt *a, struct hp_error *err);

/* Put a copy of the hotfix where every process can map it and nobody changes it: proc->staged. */
int hp_stage__make(struct hp_proc *proc, struct hp_error *err);

/* Map the hotfix into the stopped process at a->hotfix_bias, relocated. Undone when it fails. */
int hp_load__map(struct hp_attempt *a, struct hp_binding *binding, struct hp_error *err);
int hp_load__unmap(struct hp_attempt *a, struct hp_error *err);
/* Unmap a->other, whose entries are taken away and which no thread is in. */
int hp_load__unmap_other(struct hp_attempt *a, struct hp_error *err);

/*
 * Stop the process, call @fn, let it go: and again with an unwinder at hand when @fn says -EAGAIN.
 * What @fn or the stop itself returned.
 */
typedef int hp_stopped_fn(struct hp_attempt *a, void *arg, struct hp_error *err);
int hp_attempt__stop_and(struct hp_attempt *a, struct hp_outcome_record *record,
			 const struct hp_proc_opts *opts, hp_stopped_fn *fn, void *arg,
			 struct hp_error *err);

/*
 * No thread of the stopped process is anywhere on its stack in @ranges. -EBUSY: one is. -EAGAIN:
 * it takes an unwinder to tell.
 */
int hp_attempt__check_stacks(struct hp_attempt *a, const struct hp_range *ranges, size_t count,
			     struct hp_error *err);

/* One attempt. -EBUSY: worth another one. */
typedef int hp_attempt_fn(struct hp_proc *proc, struct hp_tracer *tracer,
			  struct hp_outcome_record *record, const struct hp_proc_opts *opts);
hp_attempt_fn hp_apply__attempt, hp_revert__attempt;

/* Attempts at all of @records until they are done or the time is up. */
void hp_crew__run(struct hp_proc *proc, struct hp_outcome_record *records, size_t count,
		  const struct hp_proc_opts *opts, hp_attempt_fn *attempt, const char *what);

#endif
