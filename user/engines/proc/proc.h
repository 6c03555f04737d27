/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The proc engine: a hotfix file mapped into running processes, and the entries of its targets made
 * jumps to their replacements. Each process is a transaction: all of the hotfix or nothing.
 *
 * What is applied where is read from the processes themselves, never remembered.
 */
#ifndef HP_ENGINES_PROC_PROC_H
#define HP_ENGINES_PROC_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "engines/engine.h"
#include "hotfix/elf_hotfix.h"
#include "hotproof/patch_map.h"
#include "host/maps.h"
#include "host/processes.h"

struct hp_proc;

/* Open the hotfix file at @path. Nothing else happens yet. */
int hp_proc__open(struct hp_proc **out, const char *path, struct hp_error *err);
void hp_proc__close(struct hp_proc *proc);
HP_DEFINE_CLEANUP(struct hp_proc *, hp_proc__close)

const struct hp_hotfix *hp_proc__hotfix(const struct hp_proc *proc);

/*
 * Put the copy of the hotfix in place that processes map: *@path, owned by @proc. An apply does it
 * too; what is removed later is for the caller to know.
 */
int hp_proc__stage(struct hp_proc *proc, const char **path, struct hp_error *err);

/* How a process stands to the hotfix as a whole. */
enum hp_proc_state {
	HP_PROC_ABSENT,	 /* nothing of it is there */
	HP_PROC_APPLIED, /* all targets are redirected */
	HP_PROC_PARTIAL, /* some are, or it is mapped and none is: an apply was cut short */
	HP_PROC_ALTERED, /* an entry holds neither its own bytes nor our jump */
};

/* A file as a process maps it: told from others, and opened whatever its path. */
struct hp_proc_file {
	uint64_t inode;
	uint32_t major, minor;
	char path[64]; /* in /proc/PID/map_files */
};

struct hp_proc_look {
	enum hp_proc_state state;
	uint64_t target_bias;
	uint64_t hotfix_bias;	      /* 0: not mapped */
	struct hp_proc_file file;     /* of the hotfix, when it is mapped */
	struct hp_read_back *targets; /* one for each forward attach; owned */
	struct hp_error error;	      /* with HP_PROC_ALTERED: what was found */
};

void hp_proc_look__free(struct hp_proc_look *look);

/* Look at a process: its memory is read, nothing is stopped. */
int hp_proc__look(struct hp_proc *proc, const struct hp_process *process, struct hp_proc_look *look,
		  struct hp_error *err);

#define HP_PROC_POINTS_MAX 4 /* HP_ARCH_EXITS_MAX */

/*
 * Where in the files the calls of forward attach @i are counted: HP_POINT_NEW_ENTRY in that of the
 * hotfix, HP_POINT_OLD_BODY in that of the target, where code comes out of the overwritten bytes.
 * Never at the entry. Fails with the reason when nobody knows.
 */
struct hp_proc_points {
	struct hp_proc_point {
		uint64_t file_offset;
		uint64_t offset; /* from the function's first byte */
		bool callers;	 /* it is known where the return address is: */
		uint64_t depth;	 /* so many bytes up the stack */
	} at[HP_PROC_POINTS_MAX];
	size_t count;
	bool complete; /* each call comes by one of them */
	bool at_most;  /* a call may come by twice */
};

int hp_proc__points(struct hp_proc *proc, const struct hp_process *process, size_t i,
		    enum hp_point_role role, struct hp_proc_points *out, struct hp_error *err);

#define HP_PROC_RETURNS_MAX 64

/* Where one function is timed, as offsets in its file; see struct hp_timing. */
struct hp_proc_timing {
	uint64_t entry;
	bool stepped;
	uint64_t returns[HP_PROC_RETURNS_MAX];
	size_t return_count; /* 0: by the return address on the stack */
};

/*
 * The same for timing: HP_POINT_NEW_ENTRY is the replacement of forward attach @i, HP_POINT_OLD_ENTRY
 * the target itself. That is for processes whose entry has its own bytes, and must not be overwritten
 * while probes are being placed: the caller holds the lock of those who change this host. Fails with
 * the reason where timing is not safe.
 */
int hp_proc__timing(struct hp_proc *proc, const struct hp_process *process, size_t i,
		    enum hp_point_role role, struct hp_proc_timing *out, struct hp_error *err);

/* A place in the code of a process, as its files have it. */
struct hp_proc_where {
	char object[64];  /* the file's name without its folder; "" when it is no file's */
	uint64_t address; /* link address; with no object, that in the process */
	char symbol[128]; /* of the function; "" when it is not known */
	uint64_t offset;  /* into that */
};

/*
 * Where the call is that returns to @address, in a process whose mappings are @maps; the addresses are
 * those of the return, which lies behind it.
 */
void hp_proc__where(struct hp_proc *proc, pid_t pid, const struct hp_maps *maps, uint64_t address,
		    struct hp_proc_where *out);

/*
 * The file behind @map of process @pid, opened once for all of them and owned by @proc; *@bias is what
 * is added to its link addresses there. 0 or a negative errno.
 */
int hp_proc__object(struct hp_proc *proc, pid_t pid, const struct hp_map *map, struct hp_elf **elf,
		    uint64_t *bias);

/* The file that @process maps the target from. */
void hp_proc__target_file(const struct hp_process *process, struct hp_proc_file *file);

struct hp_proc_opts {
	bool entry_only;   /* --consistency entry: stacks are not unwound */
	bool dry_run;	   /* all checks that need no stop, and no more */
	uint64_t deadline; /* of hp_now_ns(): until then processes that are not ready are retried */
};

enum hp_outcome {
	HP_OUTCOME_FAILED, /* see error; the process is as it was */
	HP_OUTCOME_APPLIED,
	HP_OUTCOME_REPLACED, /* applied, and one of a lower sequence number taken away with it */
	HP_OUTCOME_ALREADY,  /* it was applied: nothing was written */
	HP_OUTCOME_ELIGIBLE, /* dry run */
	HP_OUTCOME_REVERTED,
	HP_OUTCOME_NOT_APPLIED, /* nothing to revert */
	HP_OUTCOME_LINGERING,	/* reverted, but a thread is still in a replacement: see error */
	HP_OUTCOME_GONE,	/* the process ended meanwhile */
};

const char *hp_outcome_name(enum hp_outcome outcome);

/* What became of a process. */
struct hp_outcome_record {
	struct hp_process process;
	enum hp_outcome outcome;
	struct hp_error error;
	uint64_t pause_ns;     /* how long its threads stood still, the longest time */
	unsigned int attempts; /* how often they were stopped */
	bool unwind;	       /* the words of its stacks said too little: they are unwound */
	bool written;	       /* its entries are, by an attempt that did not end well */
};

/*
 * Apply to each process of @records (whose process is filled in), or revert. Never fails as a
 * whole: every record has its outcome.
 */
void hp_proc__apply(struct hp_proc *proc, struct hp_outcome_record *records, size_t count,
		    const struct hp_proc_opts *opts);
void hp_proc__revert(struct hp_proc *proc, struct hp_outcome_record *records, size_t count,
		     const struct hp_proc_opts *opts);

#endif
