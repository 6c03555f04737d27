// SPDX-License-Identifier: GPL-2.0
/* The beginning that all verbs have in common. */
#include "verbs/begin.h"

#include "report/error.h"

int hp_verb_begin(const struct hp_command *cmd, const struct hp_option *options,
		  struct hp_operands wanted, struct hp_globals *globals, int argc, char **argv,
		  int *status)
{
	struct hp_error err = { 0 };
	int first = hp_options_parse(cmd, options, globals, argc, argv, &err);
	int count = argc - first;

	if (first >= 0 && globals->help) {
		*status = HP_EXIT_OK;
		return -1;
	}
	if (first >= 0 && count && !wanted.max)
		first = hp_fail(&err, HP_E_USAGE, "no operand is wanted, not '%s'", argv[first]);
	if (first >= 0 && (count < wanted.min || (wanted.max >= 0 && count > wanted.max)))
		first = hp_fail(&err, HP_E_USAGE, "%s is wanted, not %d operand%s", wanted.what,
				count, count == 1 ? "" : "s");
	if (first >= 0)
		return first;
	*status = (int)hp_report_error(globals, cmd->name, &err);
	return -1;
}
