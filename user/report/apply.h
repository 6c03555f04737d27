/* SPDX-License-Identifier: GPL-2.0 */
/* What an apply or a revert did: phases, outcome, blockers, and the proof; text and JSON. */
#ifndef HP_REPORT_APPLY_H
#define HP_REPORT_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/error.h"
#include "engines/engine.h"
#include "report/measure.h"
#include "report/verify.h"

/* Some overlap: the first call comes in the transition. */
enum hp_apply_phase {
	HP_PHASE_CHECK,	     /* the file and the host are checked */
	HP_PHASE_ARM,	     /* the observer is armed */
	HP_PHASE_BASELINE,   /* old code is measured */
	HP_PHASE_LOAD,	     /* the module is loaded (apply) */
	HP_PHASE_TRANSITION, /* from enabled or disabled to complete */
	HP_PHASE_FIRST_CALL, /* from the same moment to the first redirected call */
	HP_PHASE_ALL_TASKS,  /* from the same moment to the last task that switched */
	HP_PHASE_UNLOAD,     /* the module is unloaded (revert) */
	HP_PHASE_VERIFIED,   /* calls are observed until the verdict */
	HP_PHASE_ROLLBACK,   /* the change is undone */
	HP_PHASES,
};

enum hp_outcome {
	HP_OUTCOME_REFUSED, /* nothing was changed; what a report says until it is told better */
	HP_OUTCOME_APPLIED,
	HP_OUTCOME_REVERTED,
	HP_OUTCOME_ROLLED_BACK, /* as before: the apply or the revert was undone */
	HP_OUTCOME_STUCK,	/* neither done nor undone; ->error says why */
};

struct hp_phase_time {
	bool reached;
	uint64_t start_ns; /* since the verb began */
	uint64_t took_ns;
};

/* The proof that calls run the old code again, after a revert or a rollback. */
struct hp_restoration {
	bool checked;
	bool restored;
	bool unloaded;		    /* the module is gone */
	uint64_t old_calls;	    /* calls of the old body since; may be HP_COUNT_UNKNOWN */
	bool at_most;		    /* of the old body: turns of a loop were counted too */
	uint64_t new_calls;	    /* calls of the replacement since, the same */
	char taken_by[HP_NAME_MAX]; /* another hotfix of its stack has a target now; or "" */
	char reason[160];	    /* in one line */
};

struct hp_apply_report {
	const char *verb; /* "apply" or "revert" */
	char livepatch[HP_NAME_MAX];
	const char *file;  /* of an apply; NULL else */
	uint64_t begin_ns; /* hp_now_ns() when the verb began */

	char replaced[HP_NAME_MAX]; /* the hotfix of a BPF program that it took over from, or "", */
	uint64_t gap_ns;	    /* and how long the original code ran in between */
	enum hp_outcome outcome;
	struct hp_error error; /* why not applied or reverted; HP_E_NONE otherwise */
	struct hp_phase_time phase[HP_PHASES];
	uint64_t total_ns; /* from begin to end */
	uint64_t used_ns;  /* of the budget: without the baseline and the window of the proof */
	uint64_t budget_ns;

	struct hp_progress progress; /* the last seen, with its blockers; owned */
	struct hp_restoration restoration;
	bool verified; /* ->verify is filled */
	struct hp_verify_report verify;
	bool measured; /* ->measure is filled */
	struct hp_measure_report measure;
	enum hp_exit status;
};

/* A phase lasted from @start_ns to @end_ns, both of hp_now_ns(). */
void hp_apply_report__phase(struct hp_apply_report *report, enum hp_apply_phase phase,
			    uint64_t start_ns, uint64_t end_ns);

/* The phases that were reached, in the order in which they began; returns their number. */
size_t hp_apply_report__order(const struct hp_apply_report *report,
			      enum hp_apply_phase order[HP_PHASES]);

/* Frees what the report owns, not the report. */
void hp_apply_report__free(struct hp_apply_report *report);

/* @verbosity as for a verification: 1 tells of all targets and of the stacks of blockers. */
int hp_apply_report__print(const struct hp_apply_report *report, FILE *out, bool color, bool ascii,
			   int verbosity);

/* `--json`, docs/schema/apply.schema.json or revert.schema.json by ->verb; NULL: out of memory. */
json_t *hp_apply_report__json(const struct hp_apply_report *report);

#endif
