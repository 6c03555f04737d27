// SPDX-License-Identifier: GPL-2.0
/* hotproof inspect. */
#include "report/error.h"
#include "verbs/verbs.h"

HP_VERB(inspect)
{
	static const struct hp_option options[] = { { 0 } };
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	int first = hp_options_parse(cmd, options, &globals, argc, argv, &err);

	if (first < 0)
		return hp_report_error(&globals, cmd->name, &err);
	if (globals.help)
		return HP_EXIT_OK;
	hp_fail(&err, HP_E_INTERNAL, "not built yet");
	return hp_report_error(&globals, cmd->name, &err);
}
