/* SPDX-License-Identifier: GPL-2.0 */
/* The proof for hotfixes of processes: per process and target, from calls and read-back to verdicts. */
#ifndef HP_PROOF_PROCESS_PROOF_H
#define HP_PROOF_PROCESS_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "engines/proc/proc.h"
#include "report/processes.h"

struct hp_process_proof_opts {
	uint64_t for_ns;      /* how long the window lasts; 0 with a workload: until it ends */
	const char *exercise; /* a workload to run in it, or NULL */
	bool until_exercised; /* it ends once each target of each process has what it needs */
	uint64_t min_calls;   /* what a target needs in each process to be live; 0: one call */
	double min_coverage;  /* percent of its call sites, the same; 0: none */
	/*
	 * Finds the processes in scope once more: those that were started in the window are in
	 * scope too. NULL: they are not. hp_processes__free() what it finds.
	 */
	int (*search_again)(struct hp_proc *proc, struct hp_processes *found, void *arg,
			    struct hp_error *err);
	void *search_arg;
};

/* Fill the state of one row from its process: the read-back of each target. */
int hp_process_row__look(struct hp_proc *proc, struct hp_process_row *row, struct hp_error *err);

/* A hotfix, and the processes that are to have it. */
struct hp_process_subject {
	struct hp_proc *proc;
	struct hp_processes_report report;
};

/* Observe the processes of all reports for one window, and decide. */
int hp_process_proof__run(struct hp_process_subject *subjects, size_t count,
			  const struct hp_process_proof_opts *opts, struct hp_error *err);

#endif
