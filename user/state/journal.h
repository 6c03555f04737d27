/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What hotproof applied to this host: one JSON file for each hotfix, written before the first
 * change and updated with each phase, so that a loader that is killed leaves a trace to clean up
 * by. In $HOTPROOF_STATE_DIR, or in /run/hotproof: a livepatch does not outlive a boot either.
 */
#ifndef HP_STATE_JOURNAL_H
#define HP_STATE_JOURNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "hotfix/target.h"

enum hp_journal_phase {
	HP_PHASE_LOADING,   /* about to be applied, or being applied */
	HP_PHASE_APPLIED,   /* hotproof finished: it is meant to stay */
	HP_PHASE_REVERTING, /* about to be reverted, or being reverted */
	HP_PHASE_DAMAGED,   /* of a file that cannot be read; never written */
};

struct hp_journal_entry {
	char hotfix[HP_NAME_MAX];
	char engine[16];
	enum hp_journal_phase phase;
	char file[PATH_MAX]; /* what was applied, absolute */
	char srcversion[64]; /* of it, "" when it has none */
	char build_id[64];   /* the same, hexadecimal */
	char boot_id[40];    /* of the boot it was applied in */
	int pid;	     /* of the loader: the last hotproof that worked on it, */
	uint64_t pid_start;  /* and its start time, so that a reused pid is not taken for it */
	uint64_t pid_ns; /* the PID namespace that has all processes it can be in; 0: not known */
	int64_t time;	 /* seconds since 1970, when it was applied (or began to be), */
	int64_t phase_time; /* and when this phase began */
};

struct hp_journal;

/*
 * Open the journal; the folder is made when it is first written. Returns 0 and a journal owned by
 * the caller, or a negative errno with @err filled.
 */
int hp_journal__open(struct hp_journal **out, struct hp_error *err);
void hp_journal__close(struct hp_journal *journal);
HP_DEFINE_CLEANUP(struct hp_journal *, hp_journal__close)

/*
 * Take the lock that those who change this host hold from before their first change until after
 * their last. Waits until @deadline (of hp_now_ns()), then says who has it. Held until the journal
 * is closed or the process dies.
 */
int hp_journal__lock(struct hp_journal *journal, uint64_t deadline, struct hp_error *err);

/*
 * A new entry of this process: phase loading, now. @path may be relative. Names that could not be
 * a file name are refused.
 */
int hp_journal_entry__init(struct hp_journal_entry *entry, const char *engine, const char *hotfix,
			   const char *path, struct hp_error *err);

/* This process goes on to @phase with @entry. Sets its loader and time, then writes it. */
int hp_journal__set_phase(struct hp_journal *journal, struct hp_journal_entry *entry,
			  enum hp_journal_phase phase, struct hp_error *err);

/* Write @entry as it is: on disk, whole, or not at all. */
int hp_journal__write(struct hp_journal *journal, const struct hp_journal_entry *entry,
		      struct hp_error *err);

/* No error when there is none. */
int hp_journal__remove(struct hp_journal *journal, const char *hotfix, struct hp_error *err);

/* -ENOENT, without @err filled, when there is none. */
int hp_journal__read(struct hp_journal *journal, const char *hotfix, struct hp_journal_entry *out,
		     struct hp_error *err);

/* All entries, by name; *out is malloc'ed and the caller's. Unreadable files are damaged ones. */
int hp_journal__list(struct hp_journal *journal, struct hp_journal_entry **out, size_t *count,
		     struct hp_error *err);

/* Is the loader of @entry still running? */
bool hp_journal_entry__loader_alive(const struct hp_journal_entry *entry);

/*
 * Do we see every process that the hotfix of @entry can be in? Not from within a container that shares
 * the journal with the host, or with another one.
 */
bool hp_journal_entry__sees_all(const struct hp_journal_entry *entry);

/* Was @entry written in this boot? */
bool hp_journal_entry__this_boot(const struct hp_journal_entry *entry);

const char *hp_journal_phase__name(enum hp_journal_phase phase);

#endif
