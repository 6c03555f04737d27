// SPDX-License-Identifier: GPL-2.0
/* The result of a verification: its totals and its JSON. */
#include "report/verify.h"

#include <stdlib.h>
#include <string.h>

#include "report/json.h"

static const char *const role_names[HP_POINT_ROLES] = {
	[HP_POINT_OLD_ENTRY] = "old-entry",
	[HP_POINT_NEW_ENTRY] = "new-entry",
	[HP_POINT_OLD_BODY] = "old-body",
};

static const char *const kind_names[] = {
	[HP_SITE_UNKNOWN] = "unknown",
	[HP_SITE_CALL] = "call",
	[HP_SITE_TAIL] = "tail",
	[HP_SITE_COND] = "cond",
};

struct hp_site_totals hp_call_sites__totals(const struct hp_call_sites *sites)
{
	struct hp_site_totals totals = { .known = sites->unlisted,
					 .countable = sites->unlisted_countable };

	for (size_t i = 0; i < sites->count; i++) {
		const struct hp_verify_site *site = &sites->list[i];

		if (!site->found_static) {
			totals.dynamic++;
			continue;
		}
		totals.known++;
		if (!site->countable)
			continue;
		totals.countable++;
		totals.exercised += site->redirected || site->stale;
		totals.redirected += site->redirected && !site->stale;
	}
	return totals;
}

void hp_call_sites__free(struct hp_call_sites *sites)
{
	for (size_t i = 0; i < sites->count; i++) {
		free(sites->list[i].object);
		free(sites->list[i].symbol);
	}
	free(sites->list);
}

struct hp_verify_site *hp_call_sites__add(struct hp_call_sites *sites)
{
	struct hp_verify_site *grown = realloc(sites->list, (sites->count + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	sites->list = grown;
	grown += sites->count++;
	memset(grown, 0, sizeof(*grown));
	return grown;
}

struct hp_verify_site *hp_call_sites__at(const struct hp_call_sites *sites, const char *object,
					 uint64_t address)
{
	for (size_t i = 0; i < sites->count; i++) {
		struct hp_verify_site *site = &sites->list[i];

		if (site->address == address && !strcmp(site->object ?: "", object ?: ""))
			return site;
	}
	return NULL;
}

void hp_verify_report__finish(struct hp_verify_report *report)
{
	report->verdict = report->target_count ? HP_VERDICT_LIVE : HP_VERDICT_ABSENT;
	for (size_t i = 0; i < report->target_count; i++)
		report->verdict = hp_verdict__worst(report->verdict, report->targets[i].verdict);
	report->status = report->verdict == HP_VERDICT_LIVE ? HP_EXIT_OK : HP_EXIT_VERIFY;
}

void hp_verify_report__free(struct hp_verify_report *report)
{
	for (size_t i = 0; i < report->target_count; i++) {
		struct hp_verify_target *target = &report->targets[i];

		hp_call_sites__free(&target->call_sites);
	}
	free(report->targets);
	*report = (struct hp_verify_report){ 0 };
}

static json_t *count_or_null(uint64_t count)
{
	return count == HP_COUNT_UNKNOWN ? json_null() : json_integer((json_int_t)count);
}

static json_t *address_or_null(uint64_t address)
{
	return address ? hp_json_address(address) : json_null();
}

static json_t *points_json(const struct hp_verify_target *target)
{
	json_t *array = json_array();

	for (int role = 0; role < HP_POINT_ROLES; role++) {
		const struct hp_verify_point *point = &target->point[role];

		json_array_append_new(
			array, json_pack("{s:s, s:s?, s:o, s:I, s:b, s:o, s:o}", "role",
					 role_names[role], "method", point->method, "symbol",
					 hp_json_text_or_null(point->symbol), "offset",
					 (json_int_t)point->offset, "at_most", point->at_most,
					 "misses", count_or_null(point->misses), "reason",
					 hp_json_text_or_null(point->reason)));
	}
	return array;
}

static json_t *site_json(const struct hp_verify_site *site)
{
	json_t *item =
		json_pack("{s:o, s:o, s:I, s:s, s:s, s:b, s:I, s:I}", "address",
			  hp_json_address(site->address), "symbol", hp_json_text(site->symbol),
			  "offset", (json_int_t)site->offset, "kind", kind_names[site->kind],
			  "found", site->found_static ? "static" : "dynamic", "countable",
			  site->countable, "redirected", (json_int_t)site->redirected, "stale",
			  (json_int_t)site->stale);

	if (item && site->object &&
	    json_object_set_new(item, "object", hp_json_text(site->object))) {
		json_decref(item);
		item = NULL;
	}
	return item;
}

json_t *hp_call_sites__json(const struct hp_call_sites *sites)
{
	struct hp_site_totals totals = hp_call_sites__totals(sites);
	bool known = sites->known;
	json_t *list = json_array();

	for (size_t i = 0; i < sites->count; i++)
		hp_json_append(&list, site_json(&sites->list[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o}", "known",
			 count_or_null(known ? totals.known : HP_COUNT_UNKNOWN), "countable",
			 count_or_null(known ? totals.countable : HP_COUNT_UNKNOWN), "exercised",
			 count_or_null(known ? totals.exercised : HP_COUNT_UNKNOWN), "redirected",
			 count_or_null(known ? totals.redirected : HP_COUNT_UNKNOWN), "dynamic",
			 (int)totals.dynamic, "by_pointer",
			 !known || (!sites->by_pointer && sites->pointers_unseen)
				 ? json_null()
				 : json_boolean(sites->by_pointer),
			 "reason", hp_json_text_or_null(sites->reason), "list", list);
}

static json_t *target_json(const struct hp_verify_target *t)
{
	json_t *reach = json_null();

	if (t->total)
		reach = json_pack("{s:I, s:I}", "switched", (json_int_t)t->switched, "total",
				  (json_int_t)t->total);
	return json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o,"
			 " s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
			 " s:{s:s, s:o}, s:o, s:o, s:s, s:o}",
			 "hotfix", hp_json_text(t->target.hotfix), "object",
			 hp_json_text_or_null(t->target.object), "symbol",
			 hp_json_text_or_null(t->target.symbol), "sympos",
			 (json_int_t)t->target.sympos, "replacement",
			 hp_json_text_or_null(t->target.replacement), "old_address",
			 address_or_null(t->target.old_addr), "new_address",
			 address_or_null(t->target.new_addr), "superseded_by",
			 hp_json_text_or_null(t->target.superseded_by),

			 "calls", count_or_null(t->calls), "redirected",
			 count_or_null(t->redirected), "stale", count_or_null(t->stale), "scoped",
			 count_or_null(t->scoped), "misses", count_or_null(t->misses),
			 "program_runs",
			 count_or_null(t->target.old_program ? t->program_runs : HP_COUNT_UNKNOWN),
			 "reach", reach,

			 "redirect", "state", hp_redirect_name(t->read_back.redirect), "reason",
			 hp_json_text_or_null(t->read_back.reason), "points", points_json(t),
			 "call_sites", hp_call_sites__json(&t->call_sites), "verdict",
			 hp_verdict__name(t->verdict), "reason", hp_json_text(t->reason));
}

json_t *hp_verify_report__body(const struct hp_verify_report *report)
{
	json_t *targets = json_array();
	json_t *exercise = json_null();

	for (size_t i = 0; i < report->target_count; i++)
		hp_json_append(&targets, target_json(&report->targets[i]));
	if (report->exercise.command)
		exercise = json_pack("{s:o, s:o, s:o}", "command",
				     hp_json_text(report->exercise.command), "status",
				     hp_json_exercise_status(report->exercise.status), "calls",
				     count_or_null(report->exercise.calls));
	return json_pack("{s:s, s:i, s:I, s:I, s:f, s:o, s:o}", "verdict",
			 hp_verdict__name(report->verdict), "status", (int)report->status,
			 "window_ns", (json_int_t)report->window_ns, "min_calls",
			 (json_int_t)report->min_calls, "min_coverage", report->min_coverage,
			 "exercise", exercise, "targets", targets);
}

json_t *hp_verify_report__json(const struct hp_verify_report *report)
{
	return hp_json_envelope("verify", 1, hp_verify_report__body(report));
}
