// SPDX-License-Identifier: GPL-2.0
/* hotproof check: try what the host can do, and say what follows. */
#include <stdio.h>
#include <string.h>

#include "base/interrupt.h"
#include "host/abilities.h"
#include "host/features.h"
#include "report/check.h"
#include "report/error.h"
#include "verbs/begin.h"
#include "verbs/verbs.h"

static int unknown_name(const char *name, struct hp_error *err)
{
	return hp_fail(err, HP_E_USAGE, "'%.32s' is no feature, verb or engine", name);
}

static void add_ability(struct hp_check *check, const struct hp_ability *ability)
{
	hp_ability__judge(ability, check->features, &check->outcomes[check->outcome_count++]);
}

static int select_operands(struct hp_check *check, char **names, struct hp_error *err)
{
	bool all = !*names;
	const struct hp_ability *ability;

	for (; *names; names++) {
		int id = hp_feature__find(*names);

		ability = hp_ability__find(*names);
		if (id >= 0)
			check->show[id] = true;
		else if (!ability)
			return unknown_name(*names, err);
		else if (check->outcome_count == HP_CHECK_ABILITIES_MAX)
			return hp_fail(err, HP_E_USAGE, "at most %d verbs and engines",
				       HP_CHECK_ABILITIES_MAX);
		else
			add_ability(check, ability);
	}
	if (!all)
		return 0;
	memset(check->show, true, sizeof(check->show));
	for (size_t i = 0; (ability = hp_ability__row(i)); i++)
		add_ability(check, ability);
	return 0;
}

/* All names must be right before anything is tried. */
static int parse_required(struct hp_check *check, const char *list, struct hp_error *err)
{
	struct hp_required *required;
	size_t len;

	for (; list && *list; list += len, list += *list == ',') {
		len = strcspn(list, ",");
		if (!len)
			continue;
		if (check->required_count == HP_CHECK_REQUIRED_MAX)
			return hp_fail(err, HP_E_USAGE, "--require takes at most %d names",
				       HP_CHECK_REQUIRED_MAX);
		required = &check->required[check->required_count++];
		if (len >= sizeof(required->name))
			return unknown_name(list, err);
		memcpy(required->name, list, len);
		if (hp_feature__find(required->name) < 0 && !hp_ability__find(required->name))
			return unknown_name(required->name, err);
	}
	if (list && !check->required_count)
		return hp_fail(err, HP_E_USAGE, "--require takes names with commas between them");
	return 0;
}

/* Before anything is printed: a signal must not leave half a report. */
static void try_shown(struct hp_check *check)
{
	for (int id = 0; id < HP_FEATURES; id++)
		if (check->show[id])
			hp_features__get(check->features, (enum hp_feature_id)id);
}

/* Judge what was required; the first that is not met decides the error. */
static void judge_required(struct hp_check *check, struct hp_error *err)
{
	for (size_t i = 0; i < check->required_count; i++) {
		struct hp_required *required = &check->required[i];
		int id = hp_feature__find(required->name);
		int ret;

		if (id >= 0)
			ret = hp_features__require(check->features, id, &required->error);
		else
			ret = hp_ability__require(hp_ability__find(required->name), check->features,
						  &required->error);
		required->met = !ret;
		if (ret)
			hp_fail(err, required->error.reason, "required: %s",
				required->error.message);
	}
	check->status = err->reason ? HP_EXIT_PRIVILEGE : HP_EXIT_OK;
}

HP_VERB(check)
{
	const char *require = NULL;
	const struct hp_option options[] = {
		{ "require", HP_OPT_STRING, &require, "LIST",
		  "exit 5 unless each of these features, verbs and engines is there (a,b,c)" },
		{ 0 },
	};
	_cleanup_free_ struct hp_check *check = calloc(1, sizeof(*check));
	struct hp_features *features __cleanup(hp_cleanup_hp_features__close) = NULL;
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 0, -1, NULL };
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	if (!check) {
		hp_fail(&err, HP_E_NOMEM, "no memory for the report");
		return hp_report_error(&globals, cmd->name, &err);
	}
	hp_interrupt_catch();
	ret = parse_required(check, require, &err);
	if (!ret)
		ret = hp_features__open(&features, &err);
	check->features = features;
	if (!ret)
		ret = select_operands(check, argv + first, &err);
	if (ret)
		return hp_report_error(&globals, cmd->name, &err);
	try_shown(check);
	judge_required(check, &err);
	if (hp_interrupted()) {
		err = (struct hp_error){ 0 };
		hp_fail(&err, HP_E_INTERRUPTED, "interrupted: not all was tried");
		return hp_report_error(&globals, cmd->name, &err);
	}
	if (hp_report_check(&globals, check)) {
		hp_fail(&err, HP_E_INTERNAL, "cannot write the report");
		check->status = HP_EXIT_INTERNAL;
	}
	if (err.reason) {
		/* The report is on stdout already, and it is one document. */
		globals.json = false;
		hp_report_error(&globals, cmd->name, &err);
	}
	return check->status;
}
