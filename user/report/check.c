// SPDX-License-Identifier: GPL-2.0
/* The report of `hotproof check`. */
#include "report/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "report/json.h"
#include "report/table.h"

/* NULL for "", so that JSON says null. */
static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *errno_json(int err)
{
	return err ? json_string(strerrorname_np(-err)) : json_null();
}

static json_t *cause_json(const struct hp_finding *found)
{
	if (found->state == HP_STATE_AVAILABLE)
		return json_null();
	return json_pack("{s:s, s:o, s:s, s:s, s:s}", "step", hp_step_name(found->step), "errno",
			 errno_json(found->err), "code", hp_reason_code(found->cause), "why",
			 found->why, "fix", found->fix);
}

static json_t *feature_json(const struct hp_feature *feature, const struct hp_finding *found)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "name", feature->name, "kind",
			 hp_feature_kind_name(feature->kind), "state",
			 hp_feature_state_name(found->state), "purpose", feature->purpose, "lost",
			 feature->lost, "seen", text_or_null(found->value), "cause",
			 cause_json(found), "log", text_or_null(found->log));
}

/* Why the first of the choices, the one to have, is not there. */
static json_t *needs_json(struct hp_features *features, const struct hp_need *const *needs,
			  size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *any = json_array();

		for (size_t j = 0; j < needs[i]->count; j++)
			json_array_append_new(
				any, json_string(hp_feature__row(needs[i]->choice[j])->name));
		json_array_append_new(
			list, json_pack("{s:o, s:s}", "any_of", any, "why",
					hp_features__get(features, needs[i]->choice[0])->why));
	}
	return list;
}

static json_t *outcome_json(struct hp_features *features, const struct hp_outcome *outcome)
{
	static const char *const states[] = {
		[HP_ABILITY_WORKS] = "works",
		[HP_ABILITY_LIMITED] = "limited",
		[HP_ABILITY_NOT_HERE] = "not_here",
	};

	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", outcome->ability->name, "kind",
			 outcome->ability->engine ? "engine" : "verb", "state",
			 states[outcome->state], "blocked_by",
			 needs_json(features, outcome->blocked_by, outcome->blocked_count),
			 "without", needs_json(features, outcome->without, outcome->without_count));
}

static json_t *required_json(const struct hp_required *required)
{
	if (required->met)
		return json_pack("{s:s, s:b, s:n}", "name", required->name, "met", 1, "error");
	return json_pack("{s:s, s:b, s:{s:s, s:s}}", "name", required->name, "met", 0, "error",
			 "code", hp_reason_code(required->error.reason), "message",
			 required->error.message);
}

static int print_json(const struct hp_check *check)
{
	json_t *report = hp_json_report("check", 1);
	json_t *features = json_array(), *outcomes = json_array(), *required = json_array();
	struct utsname uts;

	for (int id = 0; id < HP_FEATURES; id++)
		if (check->show[id])
			json_array_append_new(features,
					      feature_json(hp_feature__row(id),
							   hp_features__get(check->features, id)));
	for (size_t i = 0; i < check->outcome_count; i++)
		json_array_append_new(outcomes, outcome_json(check->features, &check->outcomes[i]));
	for (size_t i = 0; i < check->required_count; i++)
		json_array_append_new(required, required_json(&check->required[i]));
	uname(&uts);
	json_object_set_new(report, "kernel",
			    json_pack("{s:s, s:s}", "release", uts.release, "machine",
				      uts.machine));
	json_object_set_new(report, "features", features);
	json_object_set_new(report, "abilities", outcomes);
	json_object_set_new(report, "required", required);
	json_object_set_new(report, "status", json_integer(check->status));
	return hp_json_print(report);
}

/* A table whose last column takes what is left of a terminal's width, in several lines. */
static struct libscols_table *new_table(const struct hp_globals *globals, const char *first,
					const char *second, const char *last)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	scols_table_enable_colors(table, globals->color);
	scols_table_new_column(table, first, 0, 0);
	scols_table_new_column(table, second, 0, 0);
	scols_table_new_column(table, last, 0.7, SCOLS_FL_WRAP);
	return table;
}

static int add_row(struct libscols_table *table, const char *first, const char *second,
		   const char *color, const char *last)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line || scols_line_set_data(line, 0, first) || scols_line_set_data(line, 1, second) ||
	    scols_line_set_data(line, 2, last))
		return -ENOMEM;
	return scols_cell_set_color(scols_line_get_cell(line, 1), color);
}

static const char *state_color(enum hp_feature_state state)
{
	static const char *const colors[] = {
		[HP_STATE_AVAILABLE] = "green",
		[HP_STATE_REFUSED] = "red",
		[HP_STATE_MISSING] = "yellow",
		[HP_STATE_UNKNOWN] = "magenta",
	};

	return colors[state];
}

static void describe_finding(const struct hp_finding *found, char *buf, size_t size)
{
	if (found->state == HP_STATE_AVAILABLE)
		snprintf(buf, size, "%s", found->value);
	else if (found->err && found->step != HP_STEP_NONE)
		snprintf(buf, size, "%s: %s (%s)", hp_step_name(found->step), found->why,
			 strerrorname_np(-found->err));
	else
		snprintf(buf, size, "%s", found->why);
}

static int print_features(const struct hp_globals *globals, const struct hp_check *check)
{
	struct libscols_table *table __cleanup(hp_cleanup_scols_unref_table) =
		new_table(globals, "FEATURE", "STATE", "SEEN, OR WHAT REFUSED IT");
	char text[640];
	int ret = table ? 0 : -ENOMEM;

	for (int id = 0; !ret && id < HP_FEATURES; id++) {
		const struct hp_finding *found;

		if (!check->show[id])
			continue;
		found = hp_features__get(check->features, id);
		describe_finding(found, text, sizeof(text));
		ret = add_row(table, hp_feature__row(id)->name, hp_feature_state_name(found->state),
			      state_color(found->state), text);
	}
	return ret ? ret : scols_print_table(table);
}

static void print_loss(const struct hp_globals *globals, const struct hp_feature *feature,
		       const struct hp_finding *found)
{
	const char *line = found->log;
	size_t len;

	printf("      %s: %s", feature->name, feature->lost);
	if (globals->verbosity)
		printf(" (%s)", hp_reason_code(found->cause));
	putchar('\n');
	for (; globals->verbosity && *line; line += len, line += *line == '\n') {
		len = strcspn(line, "\n");
		printf("        | %.*s\n", (int)len, line);
	}
}

/* The ways out, each with what it would bring; with -v also codes and the verifier's words. */
static void print_remedies(const struct hp_globals *globals, const struct hp_check *check)
{
	bool told[HP_FEATURES] = { false };
	bool first = true;

	for (int id = 0; id < HP_FEATURES; id++) {
		const struct hp_finding *found, *other;

		if (!check->show[id] || told[id])
			continue;
		found = hp_features__get(check->features, id);
		if (found->state == HP_STATE_AVAILABLE)
			continue;
		printf("%s  %s\n", first ? "\nThe ways out, and what is lost until then:\n" : "",
		       found->fix);
		first = false;
		for (int i = id; i < HP_FEATURES; i++) {
			if (!check->show[i])
				continue;
			other = hp_features__get(check->features, i);
			if (other->state == HP_STATE_AVAILABLE || strcmp(other->fix, found->fix))
				continue;
			told[i] = true;
			print_loss(globals, hp_feature__row(i), other);
		}
	}
}

static void describe_outcome(const struct hp_outcome *outcome, char *buf, size_t size)
{
	bool blocked = outcome->state == HP_ABILITY_NOT_HERE;
	const struct hp_need *const *needs = blocked ? outcome->blocked_by : outcome->without;
	size_t count = blocked ? outcome->blocked_count : outcome->without_count;
	size_t len = 0;
	char what[96];

	buf[0] = '\0';
	for (size_t i = 0; i < count && len < size; i++) {
		hp_need__describe(needs[i], what, sizeof(what));
		len += (size_t)snprintf(buf + len, size - len, "%s%s",
					i	  ? ", "
					: blocked ? "needs "
						  : "without ",
					what);
	}
}

static int print_outcomes(const struct hp_globals *globals, const struct hp_check *check)
{
	static const char *const colors[] = {
		[HP_ABILITY_WORKS] = "green",
		[HP_ABILITY_LIMITED] = "yellow",
		[HP_ABILITY_NOT_HERE] = "red",
	};
	struct libscols_table *table __cleanup(hp_cleanup_scols_unref_table) =
		new_table(globals, "VERB", "HERE", "BECAUSE");
	char name[32], text[640];
	int ret = table ? 0 : -ENOMEM;

	for (size_t i = 0; !ret && i < check->outcome_count; i++) {
		const struct hp_outcome *outcome = &check->outcomes[i];

		snprintf(name, sizeof(name), "%s%s", outcome->ability->name,
			 outcome->ability->engine ? " engine" : "");
		describe_outcome(outcome, text, sizeof(text));
		ret = add_row(table, name, hp_ability_state_name(outcome->state),
			      colors[outcome->state], text);
	}
	return ret ? ret : scols_print_table(table);
}

static int print_text(const struct hp_globals *globals, const struct hp_check *check)
{
	struct utsname uts;
	int ret = 0;

	uname(&uts);
	printf("Kernel %s (%s)\n\n", uts.release, uts.machine);
	for (int id = 0; id < HP_FEATURES; id++) {
		if (!check->show[id])
			continue;
		ret = print_features(globals, check);
		print_remedies(globals, check);
		if (check->outcome_count)
			putchar('\n');
		break;
	}
	if (!ret && check->outcome_count)
		ret = print_outcomes(globals, check);
	fflush(stdout);
	return ret;
}

int hp_report_check(const struct hp_globals *globals, const struct hp_check *check)
{
	return globals->json ? print_json(check) : print_text(globals, check);
}
