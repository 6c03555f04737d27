/* SPDX-License-Identifier: GPL-2.0 */
/* What calls cost: from the histograms of a proof's points to a measurement report. */
#ifndef HP_PROOF_COST_H
#define HP_PROOF_COST_H

#include "proof/proof.h"
#include "report/measure.h"

/*
 * Take the times that were measured at @role's points in @state as one side of @report. Its list
 * of functions is made from the proof's targets when it is empty. The window is the last one.
 */
int hp_cost__collect(struct hp_proof *proof, enum hp_measure_which side, enum hp_point_role role,
		     enum hp_pm_state state, struct hp_measure_report *report,
		     struct hp_error *err);

/*
 * Measure what the probes themselves cost, by each way that was used, and compare the sides. A
 * side that was not measured must have its reason by now.
 */
int hp_cost__finish(struct hp_proof *proof, struct hp_measure_report *report, struct hp_error *err);

/* The same for sides that @obs timed, however they came into @report. */
int hp_cost__compare(struct hp_observer *obs, struct hp_measure_report *report,
		     struct hp_error *err);

#endif
