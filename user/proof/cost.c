// SPDX-License-Identifier: GPL-2.0
/* What calls cost: from the histograms of a proof's points to a measurement report. */
#include "proof/cost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "observe/hist.h"

static int make_functions(struct hp_proof *proof, struct hp_measure_report *report,
			  struct hp_error *err)
{
	size_t count = hp_proof__count(proof);

	if (report->functions)
		return 0;
	report->functions = calloc(count + 1, sizeof(*report->functions));
	if (!report->functions)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	report->function_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct hp_target *t = hp_proof__target(proof, i);
		struct hp_measure_function *f = &report->functions[i];

		snprintf(f->symbol, sizeof(f->symbol), "%s", t->symbol);
		snprintf(f->object, sizeof(f->object), "%s", t->object);
		f->sympos = t->sympos;
		snprintf(f->livepatch, sizeof(f->livepatch), "%s", t->hotfix);
	}
	return 0;
}

static int collect_side(struct hp_proof *proof, size_t i, enum hp_point_role role,
			enum hp_pm_state state, struct hp_measure_side *side)
{
	struct hp_watch *watch = hp_proof__watch(proof);
	struct hp_watch_result seen;
	struct hp_hist *hist;
	int ret = hp_watch__collect(watch, i, state, &seen);

	if (ret)
		return ret;
	side->window_ns = hp_proof__last_window(proof)->ns;
	snprintf(side->symbol, sizeof(side->symbol), "%s", seen.point[role].point.symbol);
	if (!seen.point[role].armed) {
		snprintf(side->reason, sizeof(side->reason), "%.*s", (int)sizeof(side->reason) - 1,
			 seen.point[role].obstacle.reason ? seen.point[role].obstacle.message
							  : "there is no such code here (yet)");
		hp_watch_result_free(&seen);
		return 0;
	}
	if (seen.point[role].counts.foreign) {
		snprintf(side->reason, sizeof(side->reason),
			 "another function of this name was observed in its place");
		hp_watch_result_free(&seen);
		return 0;
	}
	side->method = hp_method_name(seen.point[role].method);
	side->untimed = seen.point[role].counts.untimed;
	side->misses = seen.point[role].counts.misses;
	hp_watch_result_free(&seen);
	hist = hp_measure_side__start(side);
	if (!hist)
		return -ENOMEM;
	return hp_observer__read_hist(hp_watch__observer(watch), i, role, state, hist);
}

int hp_cost__collect(struct hp_proof *proof, enum hp_measure_which side, enum hp_point_role role,
		     enum hp_pm_state state, struct hp_measure_report *report, struct hp_error *err)
{
	const struct hp_window_result *window = hp_proof__last_window(proof);
	int ret = make_functions(proof, report, err);

	for (size_t i = 0; !ret && i < report->function_count; i++) {
		ret = collect_side(proof, i, role, state, &report->functions[i].side[side]);
		if (ret)
			hp_fail_errno(err, HP_E_OBSERVER, ret, "the times cannot be read");
	}
	hp_measure_report__stamp(report);
	report->exercise.command = hp_proof__exercise(proof);
	report->exercise.status = window->exercise_status;
	return ret;
}

/* The median that @method adds to a call, and its spread: measured once for each way that was used. */
static int probe_cost(struct hp_observer *obs, const char *method, double *cost, double *spread,
		      struct hp_error *err)
{
	enum hp_method m = hp_method_find(method);
	_cleanup_free_ struct hp_hist *hist = calloc(1, sizeof(*hist));
	int ret;

	if (!hist)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = hp_observer__calibrate(obs, m, hist, err);
	if (ret)
		return ret;
	*cost = hp_hist__percentile(hist, 50);
	*spread = hp_hist__percentile(hist, 90) - hp_hist__percentile(hist, 10);
	return 0;
}

int hp_cost__compare(struct hp_observer *obs, struct hp_measure_report *report,
		     struct hp_error *err)
{
	struct {
		const char *method;
		double cost, spread;
	} known[HP_METHODS] = { 0 };
	size_t known_count = 0;
	int ret;

	for (size_t i = 0; i < report->function_count * HP_MEASURE_SIDES; i++) {
		struct hp_measure_side *side =
			&report->functions[i / HP_MEASURE_SIDES].side[i % HP_MEASURE_SIDES];
		size_t k = 0;

		if (!side->measured)
			continue;
		while (k < known_count && strcmp(known[k].method, side->method))
			k++;
		if (k == known_count) {
			ret = probe_cost(obs, side->method, &known[k].cost, &known[k].spread, err);
			if (ret)
				return ret;
			known[k].method = side->method;
			known_count++;
		}
		side->probe_cost = known[k].cost;
		if (side->processes)
			side->probe_spread = known[k].spread;
	}
	ret = hp_measure_report__finish(report, (uint64_t)time(NULL));
	return ret ? hp_fail_errno(err, HP_E_NOMEM, ret, "old and new cannot be compared") : 0;
}

int hp_cost__finish(struct hp_proof *proof, struct hp_measure_report *report, struct hp_error *err)
{
	return hp_cost__compare(hp_watch__observer(hp_proof__watch(proof)), report, err);
}
