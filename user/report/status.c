// SPDX-License-Identifier: GPL-2.0
/* The livepatches of this host as JSON. */
#include "report/status.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "report/json.h"
#include "report/parts.h"

void hp_status_report__free(struct hp_status_report *report)
{
	hp_klp_snapshot__free(report->snap);
	hp_progress_free(&report->progress);
	free(report->entries);
	free(report->replaced);
	free(report->replaced_by);
	hp_guard_report__free(&report->guards);
	memset(report, 0, sizeof(*report));
}

const struct hp_status_entry *hp_status_report__applied(const struct hp_status_report *report,
							const char *name)
{
	for (size_t i = 0; i < report->entry_count; i++) {
		const struct hp_status_entry *e = &report->entries[i];

		/* What recover would only forget says nothing about the livepatch that is here. */
		if (!strcmp(e->entry.engine, "klp") && !strcmp(e->entry.hotfix, name) &&
		    e->action != HP_RECOVER_FORGET)
			return e;
	}
	return NULL;
}

struct hp_time_text hp_time_text(int64_t seconds)
{
	struct hp_time_text text = { "" };
	time_t t = (time_t)seconds;
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(text.s, sizeof(text.s), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return text;
}

static json_t *address_or_null(uint64_t address)
{
	return address ? hp_json_address(address) : json_null();
}

static json_t *size_or_null(uint64_t size)
{
	return size ? json_integer((json_int_t)size) : json_null();
}

static json_t *target_json(const struct hp_klp_snapshot *snap, const struct hp_klp_patch *patch,
			   const struct hp_klp_object *object, const struct hp_klp_func *func)
{
	bool kernel = snap->source == HP_KLP_FROM_KERNEL;
	struct hp_read_back read_back;

	hp_klp_snapshot__read_back(snap, patch, object, func, &read_back);
	return json_pack(
		"{s:o, s:b, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:{s:s, s:s}}",
		"object", hp_json_text(object->name), "object_loaded", object->loaded, "symbol",
		hp_json_text(func->old_name), "sympos", (json_int_t)func->sympos, "replacement",
		hp_json_text_or_null(func->new_name), "old_address",
		address_or_null(func->old_addr), "new_address", address_or_null(func->new_addr),
		"old_size", size_or_null(func->old_size), "new_size", size_or_null(func->new_size),
		"registered", kernel ? json_boolean(func->patched) : json_null(), "gives_back",
		func->nop, "superseded_by", hp_json_text_or_null(func->superseded_by), "redirect",
		"state", hp_redirect_name(read_back.redirect), "reason", read_back.reason);
}

static json_t *targets_json(const struct hp_klp_snapshot *snap, const struct hp_klp_patch *patch)
{
	json_t *array = json_array();

	for (size_t j = 0; j < patch->object_count; j++) {
		const struct hp_klp_object *object = &patch->objects[j];

		for (size_t k = 0; k < object->func_count; k++)
			hp_json_append(&array, target_json(snap, patch, object, &object->funcs[k]));
	}
	return array;
}

static json_t *applied_json(const struct hp_status_entry *e)
{
	if (!e)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:s, s:s, s:i}", "file",
			 hp_json_text_or_null(e->entry.file), "srcversion",
			 hp_json_text_or_null(e->entry.srcversion), "build_id",
			 hp_json_text_or_null(e->entry.build_id), "time",
			 hp_time_text(e->entry.time).s, "phase",
			 hp_journal_phase__name(e->entry.phase), "pid", e->entry.pid);
}

static json_t *patch_json(const struct hp_status_report *report, size_t i)
{
	const struct hp_klp_snapshot *snap = report->snap;
	const struct hp_klp_patch *patch = &snap->patches[i];
	const struct hp_progress *progress = &report->progress;
	bool kernel = snap->source == HP_KLP_FROM_KERNEL;
	json_t *transition = json_null(), *reach = json_null();

	if (patch->transition)
		transition = json_string(patch->enabled ? "patching" : "unpatching");
	if (progress->total && (patch->transition || patch->enabled))
		reach = json_pack("{s:I, s:I}", "switched",
				  (json_int_t)(patch->transition ? progress->switched
								 : progress->total),
				  "total", (json_int_t)progress->total);
	return json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
			 hp_json_text(patch->name), "order",
			 kernel ? json_integer((json_int_t)i + 1) : json_null(), "enabled",
			 patch->enabled, "transition", transition, "replace",
			 kernel ? json_boolean(patch->replace) : json_null(), "forced",
			 kernel ? json_boolean(patch->forced) : json_null(), "reach", reach,
			 "blockers", patch->transition ? hp_json_blockers(progress) : json_array(),
			 "applied_by_hotproof",
			 applied_json(hp_status_report__applied(report, patch->name)), "targets",
			 targets_json(snap, patch));
}

static json_t *unfinished_json(const struct hp_status_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->entry_count; i++) {
		const struct hp_status_entry *e = &report->entries[i];

		if (e->action != HP_RECOVER_KEEP)
			hp_json_append(&array, json_pack("{s:o, s:s, s:i, s:b, s:s, s:s}", "hotfix",
							 hp_json_text(e->entry.hotfix), "phase",
							 hp_journal_phase__name(e->entry.phase),
							 "pid", e->entry.pid, "loader_alive",
							 e->facts.loader_alive, "recover",
							 hp_recover_action_name(e->action),
							 "reason", e->why));
	}
	return array;
}

/* What hotproof applied to processes, and where it is now. */
static json_t *hotfixes_json(const struct hp_status_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->entry_count; i++) {
		const struct hp_status_entry *e = &report->entries[i];

		if (!strcmp(e->entry.engine, "proc"))
			hp_json_append(
				&array,
				json_pack("{s:o, s:o, s:s, s:s, s:s, s:i, s:I, s:I}", "name",
					  hp_json_text(e->entry.hotfix), "file",
					  hp_json_text_or_null(e->entry.file), "build_id",
					  e->entry.build_id, "time", hp_time_text(e->entry.time).s,
					  "phase", hp_journal_phase__name(e->entry.phase), "pid",
					  e->entry.pid, "processes", (json_int_t)e->facts.whole,
					  "half", (json_int_t)e->facts.half));
	}
	return array;
}

static json_t *programs_json(const struct hp_status_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->replaced_count; i++) {
		const struct hp_target *t = &report->replaced[i];
		const struct hp_read_back *r = &report->replaced_by[i];

		hp_json_append(&array,
			       json_pack("{s:o, s:o, s:I, s:o, s:o, s:I, s:{s:s, s:s}}", "hotfix",
					 hp_json_text(t->hotfix), "object", hp_json_text(t->object),
					 "program", (json_int_t)t->old_program, "symbol",
					 hp_json_text(t->symbol), "replacement",
					 hp_json_text_or_null(t->replacement),
					 "replacement_program", (json_int_t)t->new_program,
					 "redirect", "state", hp_redirect_name(r->redirect),
					 "reason", r->reason));
	}
	return array;
}

static json_t *guards_json(const struct hp_status_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->guards.count; i++)
		hp_json_append(&array, hp_guard_json(&report->guards.rows[i]));
	return array;
}

json_t *hp_status_report__json(const struct hp_status_report *report)
{
	static const char *const ftrace[] = { "unknown", "works", "dead" };
	const struct hp_klp_snapshot *snap = report->snap;
	json_t *patches = json_array();

	for (size_t i = 0; i < snap->count; i++)
		hp_json_append(&patches, patch_json(report, i));
	return hp_json_envelope(
		"status", 1,
		json_pack("{s:s, s:s, s:b, s:{s:o, s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:o, s:o}",
			  "source", snap->source == HP_KLP_FROM_KERNEL ? "kernel" : "sysfs",
			  "ftrace", ftrace[snap->ftrace_disabled + 1], "unstable", snap->unstable,
			  "limits", "list", hp_json_text_or_null(report->limited), "tasks",
			  hp_json_text_or_null(report->no_progress), "journal",
			  hp_json_text_or_null(report->no_journal), "programs",
			  hp_json_text_or_null(report->no_programs), "guards",
			  hp_json_text_or_null(report->no_guards), "livepatches", patches,
			  "hotfixes", hotfixes_json(report), "programs", programs_json(report),
			  "guards", guards_json(report), "unfinished", unfinished_json(report)));
}
