/* SPDX-License-Identifier: GPL-2.0 */
/* What a hotfix did, or is, in each process: the report of the verbs of the proc engine. */
#ifndef HP_REPORT_PROCESSES_H
#define HP_REPORT_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/exit_status.h"
#include "engines/proc/proc.h"
#include "observe/verdict.h"
#include "report/verify.h"

/* Who called, and how often. */
struct hp_process_caller {
	struct hp_proc_where where;
	uint64_t next; /* the return address in the process */
	uint64_t calls;
};

/* What was seen of one target in one process. */
struct hp_process_target {
	struct hp_process_callers {
		struct hp_process_caller
			*list; /* owned; of calls that are in none it is not known */
		size_t count;
	} callers, stale_callers; /* of the replacement, of the old body */
	struct hp_call_sites call_sites;
	struct hp_read_back read_back;
	bool was_in_place;	    /* when the observation began */
	bool is_exercised;	    /* called often enough, while the observation goes on */
	uint64_t redirected, stale; /* HP_COUNT_UNKNOWN when they were not counted */
	bool stale_at_most;	    /* a call may have been counted twice; none was missed */
	enum hp_verdict verdict;
	char reason[HP_VERDICT_REASON_MAX];
};

/* A process. After apply and revert the targets are not filled. */
struct hp_process_row {
	struct hp_outcome_record record;
	enum hp_proc_state state;
	struct hp_proc_file hotfix_file; /* inode 0: the hotfix is not mapped */
	uint64_t hotfix_bias;		 /* where it is: what is added to its link addresses */
	struct hp_process_target
		*targets; /* one for each forward attach, owned; NULL: not looked at */
};

enum hp_processes_action {
	HP_ACTION_APPLY,
	HP_ACTION_REVERT,
	HP_ACTION_STATUS,
	HP_ACTION_VERIFY,
};

struct hp_processes_report {
	enum hp_processes_action action;
	bool verbose; /* callers as text too */
	const struct hp_hotfix *hotfix;
	struct hp_process_row *rows; /* owned */
	size_t count;
	size_t unreadable;  /* processes that could not be searched */
	uint64_t total_ns;  /* from the search to the end */
	uint64_t window_ns; /* how long was observed; 0 for not at all */
	struct hp_exercise_result exercise;
	bool interrupted;	 /* before all was done that was asked for */
	enum hp_verdict verdict; /* of a verification */
	enum hp_exit status;
};

void hp_processes_report__free(struct hp_processes_report *report);

/* Add a row for each process of @found that has none. 0 or -ENOMEM with @err filled. */
int hp_processes_report__add(struct hp_processes_report *report, const struct hp_processes *found,
			     struct hp_error *err);

/* Set the verdict and the exit status from the rows. */
void hp_processes_report__finish(struct hp_processes_report *report);

/* True if there is a process that the verdict of a verification is about. */
bool hp_processes_report__any(const struct hp_processes_report *report);

/* What the verification of several hotfixes, in one window, comes to. */
struct hp_process_total {
	enum hp_verdict verdict; /* the worst */
	enum hp_exit status;
};

struct hp_process_total hp_processes_report__total(const struct hp_processes_report *const *reports,
						   size_t count);

/*
 * The rows of a verification that count, as reports of livepatches have them, added to those of @out: a
 * target of theirs is one of a process here. Its parts stay @report's; free only @out->targets. 0 or -ENOMEM.
 */
int hp_processes_report__flatten(const struct hp_processes_report *report,
				 struct hp_verify_report *out);

int hp_processes_report__print(const struct hp_processes_report *report, FILE *out, bool color);
int hp_processes_report__print_all(const struct hp_processes_report *const *reports, size_t count,
				   FILE *out, bool color);

/* docs/schema/processes.schema.json; NULL: out of memory. */
json_t *hp_processes_report__json(const struct hp_processes_report *report);

/* docs/schema/hotfixes.schema.json: of several hotfixes that were verified in one window. */
json_t *hp_processes_report__json_all(const struct hp_processes_report *const *reports,
				      size_t count);

#endif
