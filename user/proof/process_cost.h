/* SPDX-License-Identifier: GPL-2.0 */
/* What calls of functions of processes cost: timed in the processes in scope, old code and new. */
#ifndef HP_PROOF_PROCESS_COST_H
#define HP_PROOF_PROCESS_COST_H

#include <stdbool.h>
#include <stdint.h>

#include "engines/proc/proc.h"
#include "report/measure.h"
#include "report/processes.h"

struct hp_process_cost_opts {
	uint64_t for_ns;      /* how long the window lasts; 0 with a workload: until it ends */
	const char *exercise; /* a workload to run in it, or NULL */
	/* Called when all probes are in place: from then on an apply sees them. */
	void (*armed)(void *arg);
	void *armed_arg;
};

/*
 * Which side of forward attach @i the processes of @rows can show: HP_MEASURE_NEW where its entry
 * jumps to the replacement, HP_MEASURE_OLD where it has its own bytes. The rows have been looked at.
 */
bool hp_process_cost__has_side(const struct hp_processes_report *rows, size_t i,
			       enum hp_measure_which side);

/*
 * Time the calls of all targets in the processes of @rows, which have been looked at. The caller holds
 * the lock of those who change this host until opts->armed().
 */
int hp_process_cost__measure(struct hp_proc *proc, const struct hp_processes_report *rows,
			     const struct hp_process_cost_opts *opts,
			     struct hp_measure_report *report, struct hp_error *err);

#endif
