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
#include "hotfix/target.h"
#include "hotproof/patch_map.h"

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

/* Append a zeroed blocker, or NULL. */
struct hp_blocker *hp_progress_add(struct hp_progress *progress);
void hp_progress_free(struct hp_progress *progress);

/* A hotfix as its engine needs it: what user/hotfix/ read from the file, and the open file. */
struct hp_hotfix {
	const char *name; /* of the module, the program, … : how the engine finds it again */
	const char *path; /* for messages and the journal */
	int fd;		  /* the file itself, so that what was checked is what is applied */
	struct hp_target *targets;
	size_t target_count;
};

struct hp_engine_state; /* each engine's own */
struct hp_kallsyms;
struct hp_point;

/*
 * An engine. Unless said otherwise a function returns 0, or a negative errno with @err filled;
 * deadlines are times of hp_now_ns(). The order of an apply: open, resolve, prepare, activate,
 * progress until complete, read_back; of its undoing: revert, progress until complete, finish.
 */
struct hp_engine {
	const char *name;
	const char *redirects; /* what kind of target, for people */

	/* What the engine needs from the host, got and kept open; an error says what is missing. */
	int (*open)(struct hp_engine_state **out, struct hp_error *err);
	void (*close)(struct hp_engine_state *state);

	/*
	 * The targets of a hotfix that is active, by whomever; NULL: of all. None, and no error, of
	 * one that is not active any more and still loaded. malloc'ed.
	 */
	int (*discover)(struct hp_engine_state *state, const char *hotfix, struct hp_target **out,
			size_t *count, struct hp_error *err);

	/*
	 * Find targets on this host: addresses, sizes, what is at their entries. A target whose
	 * object is not loaded keeps old_addr 0 and is no error. @symbols may be NULL; the engine
	 * finds another way, or reads them itself when it must.
	 */
	int (*resolve)(struct hp_engine_state *state, const struct hp_kallsyms *symbols,
		       struct hp_target *targets, size_t count, struct hp_error *err);

	/* All that can be checked before the first change. Changes nothing. */
	int (*prepare)(struct hp_engine_state *state, const struct hp_hotfix *hotfix,
		       struct hp_error *err);

	/* Begin to redirect. After an error nothing is redirected. */
	int (*activate)(struct hp_engine_state *state, const struct hp_hotfix *hotfix,
			struct hp_error *err);

	/*
	 * How far the activation or the reversal of @hotfix has come; @stacks: with the blockers'
	 * stacks, which takes longer. hp_progress_free() what it fills.
	 */
	int (*progress)(struct hp_engine_state *state, const char *hotfix, bool stacks,
			struct hp_progress *out, struct hp_error *err);

	/* Read the redirects of @count targets back, into @out[@count]. */
	int (*read_back)(struct hp_engine_state *state, const struct hp_target *targets,
			 size_t count, struct hp_read_back *out, struct hp_error *err);

	/* Begin to take the redirects away; also in the midst of an activation. */
	int (*revert)(struct hp_engine_state *state, const char *hotfix, uint64_t deadline,
		      struct hp_error *err);

	/* A reversal does not come to its end: go back to active. */
	int (*cancel_revert)(struct hp_engine_state *state, const char *hotfix,
			     struct hp_error *err);

	/* The reversal is complete: remove what is left. No error when nothing is. */
	int (*finish)(struct hp_engine_state *state, const char *hotfix, uint64_t deadline,
		      struct hp_error *err);

	/*
	 * Where calls of @target can be counted. -ENOENT when it has no such point (yet). Depends
	 * on @target only, so it serves as the proof's hp_point_fn.
	 */
	int (*point)(const struct hp_target *target, enum hp_point_role role,
		     struct hp_point *point);
};

/*
 * Revert, wait and finish, with a live line. A signal (hp_interrupted()) ends it with
 * HP_E_UNFINISHED: the reversal has begun, and the next call brings it to its end.
 */
int hp_engine__undo(const struct hp_engine *engine, struct hp_engine_state *state,
		    const char *hotfix, uint64_t deadline, struct hp_error *err);

#endif
