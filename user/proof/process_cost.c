// SPDX-License-Identifier: GPL-2.0
/*
 * What calls of functions of processes cost. Each process has its own probes, so that old and new may
 * be measured at once: some processes patched, others not. Old code is timed at the entry, which is
 * for processes that are not patched; new code at the replacement's (docs/kernel-hazards.md, 2).
 */
#include "proof/process_cost.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "observe/watch.h"
#include "proof/cost.h"

static const enum hp_point_role roles[HP_MEASURE_SIDES] = {
	[HP_MEASURE_OLD] = HP_POINT_OLD_ENTRY,
	[HP_MEASURE_NEW] = HP_POINT_NEW_ENTRY,
};

struct process_cost {
	struct hp_proc *proc;
	const struct hp_processes_report *rows;
	const struct hp_hotfix_meta *meta;
	struct hp_watch *watch;
	struct hp_measure_report *report;
};

static bool shows(const struct hp_process_row *row, size_t i, enum hp_measure_which side)
{
	enum hp_redirect redirect;

	if (!row->targets)
		return false;
	redirect = row->targets[i].read_back.redirect;
	return side == HP_MEASURE_NEW ? redirect == HP_REDIRECT_IN_PLACE && row->hotfix_file.inode
				      : redirect == HP_REDIRECT_ABSENT;
}

bool hp_process_cost__has_side(const struct hp_processes_report *rows, size_t i,
			       enum hp_measure_which side)
{
	for (size_t r = 0; r < rows->count; r++)
		if (shows(&rows->rows[r], i, side))
			return true;
	return false;
}

static int make_functions(struct process_cost *cost, struct hp_error *err)
{
	const struct hp_hotfix_meta *meta = cost->meta;
	struct hp_measure_report *report = cost->report;
	const char *base = strrchr(meta->target_path, '/');

	report->functions = calloc(meta->forward_count, sizeof(*report->functions));
	if (!report->functions)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	report->function_count = meta->forward_count;
	for (size_t i = 0; i < meta->forward_count; i++) {
		struct hp_measure_function *f = &report->functions[i];

		snprintf(f->symbol, sizeof(f->symbol), "%s", meta->forward[i].target);
		snprintf(f->object, sizeof(f->object), "%.*s", (int)sizeof(f->object) - 1,
			 base ? base + 1 : meta->target_path);
		hp_build_id__format(&meta->target_id, f->object_id);
		if (hp_process_cost__has_side(cost->rows, i, HP_MEASURE_NEW))
			snprintf(f->livepatch, sizeof(f->livepatch), "%.*s",
				 (int)sizeof(f->livepatch) - 1, meta->id);
		for (int s = 0; s < HP_MEASURE_SIDES; s++)
			snprintf(f->side[s].symbol, sizeof(f->side[s].symbol), "%s",
				 s == HP_MEASURE_NEW ? meta->forward[i].replacement
						     : meta->forward[i].target);
	}
	return 0;
}

/* Time one target in one process. What cannot be timed is told, and is no error. */
static void arm_one(struct process_cost *cost, const struct hp_process_row *row, size_t i,
		    enum hp_measure_which which)
{
	const struct hp_process *process = &row->record.process;
	struct hp_measure_side *side = &cost->report->functions[i].side[which];
	struct hp_point point = { .role = roles[which] };
	struct hp_proc_file file = row->hotfix_file;
	struct hp_error why = { 0 };
	struct hp_proc_timing place;
	enum hp_method method;
	int ret;

	if (which == HP_MEASURE_OLD)
		hp_proc__target_file(process, &file);
	point.path = file.path;
	snprintf(point.symbol, sizeof(point.symbol), "%s", side->symbol);
	if (which == HP_MEASURE_OLD && row->targets[i].read_back.body_moved) {
		snprintf(side->reason, sizeof(side->reason),
			 "process %d runs a copy of the code, in memory of no file", process->pid);
		return;
	}
	ret = hp_proc__timing(cost->proc, process, i, point.role, &place, &why);
	if (!ret) {
		struct hp_timing timing = {
			.pid = process->pid,
			.stepped = place.stepped,
			.returns = place.returns,
			.return_count = place.return_count,
		};

		point.file_offset = place.entry;
		ret = hp_observer__time_process(hp_watch__observer(cost->watch), i, &point, &timing,
						&method, &why);
	}
	if (ret) {
		snprintf(side->reason, sizeof(side->reason), "process %d: %.130s", process->pid,
			 why.message);
		return;
	}
	side->processes++;
	side->method = hp_method_name(method);
}

static void arm(struct process_cost *cost)
{
	for (size_t r = 0; r < cost->rows->count; r++)
		for (size_t i = 0; i < cost->meta->forward_count; i++)
			for (int s = 0; s < HP_MEASURE_SIDES; s++)
				if (shows(&cost->rows->rows[r], i, s))
					arm_one(cost, &cost->rows->rows[r], i, s);
}

/* For the progress line: a target is called when either its old code or its new code is. */
static void count_called(void *arg, struct hp_exercised *out)
{
	struct process_cost *cost = arg;
	struct hp_observer *obs = hp_watch__observer(cost->watch);

	for (size_t i = 0; i < cost->meta->forward_count; i++) {
		uint64_t calls = 0;

		for (int s = 0; s < HP_MEASURE_SIDES; s++)
			calls += hp_observer__calls(obs, i, roles[s], HP_PM_ACTIVE);
		out->calls += calls;
		out->wanted++;
		out->exercised += calls > 0;
	}
}

static int collect(struct process_cost *cost, const struct hp_window_result *window,
		   struct hp_error *err)
{
	struct hp_observer *obs = hp_watch__observer(cost->watch);
	int ret = 0;

	for (size_t i = 0; i < cost->meta->forward_count * HP_MEASURE_SIDES && !ret; i++) {
		size_t target = i / HP_MEASURE_SIDES, which = i % HP_MEASURE_SIDES;
		struct hp_measure_side *side = &cost->report->functions[target].side[which];
		struct hp_counts counts;
		struct hp_hist *hist;

		if (!side->processes) {
			if (!side->reason[0])
				snprintf(side->reason, sizeof(side->reason), "%s",
					 which == HP_MEASURE_NEW
						 ? "no process in scope has the hotfix"
						 : "no process in scope is without the hotfix: see "
						   "--against");
			continue;
		}
		hist = hp_measure_side__start(side);
		if (!hist)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		side->window_ns = window->ns;
		side->misses = HP_COUNT_UNKNOWN;
		ret = hp_observer__read(obs, target, roles[which], HP_PM_ACTIVE, &counts);
		side->untimed = ret ? 0 : counts.untimed;
		ret = ret ?: hp_observer__read_hist(obs, target, roles[which], HP_PM_ACTIVE, hist);
		if (ret)
			hp_fail_errno(err, HP_E_OBSERVER, ret, "the times cannot be read");
	}
	return ret;
}

/* Each process and target takes several files. */
static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		hp_debug("the limit of open files stays as it is");
}

int hp_process_cost__measure(struct hp_proc *proc, const struct hp_processes_report *rows,
			     const struct hp_process_cost_opts *opts,
			     struct hp_measure_report *report, struct hp_error *err)
{
	struct process_cost cost = {
		.proc = proc,
		.rows = rows,
		.meta = hp_hotfix__meta(hp_proc__hotfix(proc)),
		.report = report,
	};
	struct hp_observer_opts observer = {
		.targets = cost.meta->forward_count,
		.time = true,
	};
	struct hp_window window = {
		.state = HP_PM_ACTIVE,
		.for_ns = opts->for_ns,
		.exercise = opts->exercise,
		.count = count_called,
		.count_arg = &cost,
		.what = "measuring",
	};
	struct hp_window_result result;
	int ret;

	allow_files();
	ret = hp_watch__open(&cost.watch, &observer, err);
	if (ret)
		return ret;
	ret = make_functions(&cost, err);
	if (!ret) {
		arm(&cost);
		opts->armed(opts->armed_arg);
		ret = hp_watch__run(cost.watch, &window, &result, err);
	}
	ret = ret ?: collect(&cost, &result, err);
	if (!ret) {
		hp_measure_report__stamp(report);
		report->exercise.command = opts->exercise;
		report->exercise.status = result.exercise_status;
		ret = hp_cost__compare(hp_watch__observer(cost.watch), report, err);
	}
	if (!ret && result.interrupted) {
		hp_warn("interrupted: this is what was seen until then");
		report->status = HP_EXIT_INTERNAL;
	}
	hp_watch__close(cost.watch);
	return ret;
}
