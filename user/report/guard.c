// SPDX-License-Identifier: GPL-2.0
/* Guards as JSON. */
#include "report/guard.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "engines/guard/rule.h"
#include "report/json.h"
#include "report/status.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

void hp_guard_report__free(struct hp_guard_report *report)
{
	free(report->rows);
	hp_guard_candidates__free(&report->functions);
	memset(report, 0, sizeof(*report));
}

static const char *kind_name(enum hp_guard_kind kind)
{
	switch (kind) {
	case HP_GUARD_FMOD_RET:
		return "fmod_ret";
	case HP_GUARD_LSM:
		return "lsm";
	}
	return "";
}

/* A moment of CLOCK_BOOTTIME as UTC; null for 0. */
static json_t *boot_time_json(uint64_t ns)
{
	int64_t now = (int64_t)time(NULL), boot = (int64_t)hp_boot_ns();

	if (!ns)
		return json_null();
	return json_string(hp_time_text(now + ((int64_t)ns - boot) / 1000000000).s);
}

static json_t *uids_json(const struct hp_guard_rule *rule)
{
	json_t *array;

	if (!rule->uid_count)
		return json_null();
	array = json_array();
	for (uint32_t i = 0; i < rule->uid_count && i < HP_GUARD_UIDS; i++)
		hp_json_append(&array, json_integer(rule->uids[i]));
	return array;
}

static json_t *args_json(const struct hp_guard_rule *rule)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < rule->cond_count && i < HP_GUARD_CONDS; i++)
		hp_json_append(&array, hp_json_text(rule->conds[i].text));
	return array;
}

static json_t *scope_json(const struct hp_guard_view *view)
{
	const struct hp_guard_rule *rule = &view->rule;
	json_t *cgroup = json_null(), *exe = json_null();

	if (rule->flags & HP_GUARD_BY_CGROUP)
		cgroup = json_pack("{s:o, s:I, s:b}", "path", hp_json_text(rule->cgroup_path), "id",
				   (json_int_t)rule->cgroup_id, "gone", view->cgroup_gone);
	if (rule->flags & HP_GUARD_BY_EXE)
		exe = json_pack("{s:o, s:I, s:b}", "path", hp_json_text(rule->exe_path), "inode",
				(json_int_t)rule->exe_inode, "gone", view->exe_gone);
	return json_pack("{s:o, s:o, s:o, s:f, s:o, s:o}", "uids", uids_json(rule), "cgroup",
			 cgroup, "exe", exe, "percent", rule->percent * 100.0 / HP_GUARD_PERCENT,
			 "args", args_json(rule), "expires", boot_time_json(rule->expires_ns));
}

/* The cgroup with an id, by walking the hierarchy: only its inode number is known. */
static struct {
	uint64_t id;
	char path[512];
} wanted;

static int match_cgroup(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	if (flag != FTW_D)
		return 0;
	if (st->st_ino != wanted.id)
		return 0;
	snprintf(wanted.path, sizeof(wanted.path), "%s", path);
	return 1;
}

static json_t *caller_json(const struct hp_guard_caller_line *line)
{
	char comm[sizeof(line->caller.comm) + 1] = "";

	memcpy(comm, line->caller.comm, sizeof(line->caller.comm));
	wanted.id = line->caller.cgroup_id;
	wanted.path[0] = '\0';
	nftw(CGROUP_MOUNT, match_cgroup, 16, FTW_PHYS | FTW_MOUNT);
	return json_pack("{s:o, s:I, s:I, s:o, s:I, s:I}", "comm", hp_json_text(comm), "uid",
			 (json_int_t)line->caller.uid, "cgroup_id",
			 (json_int_t)line->caller.cgroup_id, "cgroup",
			 hp_json_text_or_null(wanted.path), "returned",
			 (json_int_t)line->calls.returned, "observed",
			 (json_int_t)line->calls.observed);
}

static json_t *site_json(const struct hp_guard_view *view, const struct hp_guard_site *site)
{
	const struct hp_guard_site_calls *calls = &site->line.calls;
	bool all = calls->passed || (view->rule.flags & HP_GUARD_ALL_SITES);

	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:o}", "address",
			 hp_json_address(site->line.address), "symbol",
			 hp_json_text_or_null(site->symbol), "offset", (json_int_t)site->offset,
			 "returned", (json_int_t)calls->returned, "observed",
			 (json_int_t)calls->observed, "passed",
			 all ? json_integer((json_int_t)calls->passed) : json_null());
}

static json_t *counts_json(const struct hp_guard_view *view)
{
	const struct hp_guard_counters *c = &view->counts.sum;
	json_t *callers, *sites;

	if (!view->counted)
		return json_null();
	callers = json_array();
	sites = json_array();
	for (size_t i = 0; i < view->top_count; i++)
		hp_json_append(&callers, caller_json(&view->top[i]));
	for (size_t i = 0; i < view->site_count; i++)
		hp_json_append(&sites, site_json(view, &view->sites[i]));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:o, s:I}", "calls",
			 (json_int_t)c->calls, "returned", (json_int_t)c->returned, "observed",
			 (json_int_t)c->observed, "passed", (json_int_t)(c->calls - c->returned),
			 "missed", (json_int_t)view->counts.missed, "unread", (json_int_t)c->unread,
			 "first", boot_time_json(c->first_ns), "last", boot_time_json(c->last_ns),
			 "callers", callers, "other_callers", (json_int_t)view->others, "sites",
			 sites, "other_sites", (json_int_t)view->elsewhere);
}

static json_t *proof_json(const struct hp_guard_row *row)
{
	const struct hp_guard_window *w = &row->window;

	if (!row->proved)
		return json_null();
	return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "verdict",
			 hp_verdict__name(row->verdict.verdict), "reason",
			 hp_json_text(row->verdict.reason), "window_ns", (json_int_t)w->ns, "calls",
			 (json_int_t)w->calls, "returned", (json_int_t)w->returned, "observed",
			 (json_int_t)w->observed, "missed", (json_int_t)w->missed, "unread",
			 (json_int_t)w->unread, "exercise_status",
			 hp_json_exercise_status(w->exercise_status));
}

json_t *hp_guard_json(const struct hp_guard_row *row)
{
	const struct hp_guard_view *view = &row->view;
	bool known = view->function[0];
	json_t *answer = json_null();

	/* 0: its code says. */
	if (known && view->rule.value)
		answer = json_pack("{s:o, s:i}", "name",
				   hp_json_text_or_null(hp_errno_name(-view->rule.value)), "value",
				   view->rule.value);
	return json_pack(
		"{s:o, s:o, s:o, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:{s:s, s:o}, s:o}", "name",
		hp_json_text(view->name), "function", hp_json_text_or_null(view->function), "by",
		hp_json_text_or_null(kind_name(view->kind)), "code", view->code, "state",
		hp_guard_status_name(view->status), "return", answer, "scope",
		known ? scope_json(view) : json_null(), "made",
		known ? json_string(hp_time_text(view->made_time).s) : json_null(), "changed",
		known ? json_string(hp_time_text((int64_t)view->rule.set_time).s) : json_null(),
		"counts", counts_json(view), "redirect", "state",
		hp_redirect_name(view->read_back.redirect), "reason",
		hp_json_text(view->read_back.reason), "proof", proof_json(row));
}

static json_t *functions_json(const struct hp_guard_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->functions.count; i++) {
		const struct hp_guard_candidate *c = &report->functions.items[i];

		hp_json_append(&array, json_pack("{s:s, s:s, s:b, s:b}", "function", c->function,
						 "prototype", c->prototype, "fmod_ret",
						 c->fmod_ret && !report->no_fmod_ret[0], "lsm",
						 c->lsm && !report->no_lsm[0]));
	}
	return json_pack("{s:o, s:o, s:o}", "no_fmod_ret",
			 hp_json_text_or_null(report->no_fmod_ret), "no_lsm",
			 hp_json_text_or_null(report->no_lsm), "items", array);
}

static json_t *change_json(const struct hp_guard_report *report)
{
	const struct hp_guard_times *t = &report->times;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "lock_ns",
			 (json_int_t)t->lock, "load_ns", (json_int_t)t->load, "attach_ns",
			 (json_int_t)t->attach, "pin_ns", (json_int_t)t->pin, "way_back_ns",
			 (json_int_t)t->test, "activate_ns", (json_int_t)t->activate, "detach_ns",
			 (json_int_t)t->detach, "total_ns", (json_int_t)report->total_ns,
			 "budget_ns", (json_int_t)report->budget_ns, "way_back_hits",
			 (json_int_t)report->way_back_hits);
}

json_t *hp_guard_report__json(const struct hp_guard_report *report)
{
	json_t *guards = json_array();

	for (size_t i = 0; i < report->count; i++)
		hp_json_append(&guards, hp_guard_json(&report->rows[i]));
	return hp_json_envelope(
		"guard", 1,
		json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "action", report->action, "guards",
			  guards, "change", report->changed ? change_json(report) : json_null(),
			  "detached",
			  report->removed ? json_boolean(report->detached) : json_null(),
			  "exercise", hp_json_text_or_null(report->exercise), "functions",
			  report->listed ? functions_json(report) : json_null()));
}
