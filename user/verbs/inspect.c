// SPDX-License-Identifier: GPL-2.0
/* hotproof inspect: read a hotfix file, compare it with this host, load nothing. */
#include "hotfix/eligibility.h"
#include "hotfix/klp_module.h"
#include "report/error.h"
#include "report/inspect.h"
#include "report/json.h"
#include "verbs/begin.h"
#include "verbs/verbs.h"

static int print_report(const struct hp_inspect_report *report, const struct hp_globals *globals,
			struct hp_error *err)
{
	json_t *json;
	int ret;

	if (globals->json) {
		json = hp_inspect_report__json(report);
		if (!json)
			return hp_fail(err, HP_E_NOMEM, "no memory for the report");
		ret = hp_json_print(json);
	} else {
		ret = hp_inspect_report__print(report, stdout, globals->color, globals->verbosity);
	}
	return ret ? hp_fail_errno(err, HP_E_INTERNAL, ret, "cannot write the report") : 0;
}

HP_VERB(inspect)
{
	__cleanup(hp_cleanup_hp_klp_module__close) struct hp_klp_module *mod = NULL;
	__cleanup(hp_cleanup_hp_eligibility__free) struct hp_eligibility *fit = NULL;
	bool require = false;
	const struct hp_option options[] = {
		{ "require-eligible", HP_OPT_FLAG, &require, NULL,
		  "exit as 'apply' would when the hotfix is not eligible here" },
		{ 0 },
	};
	struct hp_inspect_report report;
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 1, 1, "one hotfix file" };
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	ret = hp_klp_module__open(&mod, argv[first], &err);
	if (!ret)
		ret = hp_eligibility__check(&fit, mod, NULL, &err);
	if (ret)
		return hp_report_error(&globals, cmd->name, &err);

	report = (struct hp_inspect_report){ mod, fit };
	ret = print_report(&report, &globals, &err);
	if (ret)
		return hp_report_error(&globals, cmd->name, &err);
	return require && fit->refusal_count ? hp_reason_exit(fit->remarks[0].reason) : HP_EXIT_OK;
}
