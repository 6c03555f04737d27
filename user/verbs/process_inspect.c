// SPDX-License-Identifier: GPL-2.0
/* hotproof inspect of a hotfix for processes. */
#include "hotfix/image.h"
#include "hotfix/inspect.h"
#include "report/error.h"
#include "report/json.h"
#include "verbs/begin.h"
#include "verbs/process.h"

int hp_process__inspect(const struct hp_command *cmd, int argc, char **argv)
{
	static const struct hp_option options[] = { { 0 } };
	__cleanup(hp_cleanup_hp_hotfix__close) struct hp_hotfix *hotfix = NULL;
	__cleanup(hp_cleanup_hp_image__free) struct hp_image *image = NULL;
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = HP_ONE_HOTFIX;
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	ret = hp_hotfix__open(&hotfix, argv[first], &err);
	/* What an apply would refuse of the file itself is refused here. */
	ret = ret ?: hp_image__read(&image, hotfix, &err);
	if (ret)
		return hp_report_error(&globals, cmd->name, &err);
	if (globals.json)
		return hp_json_print(hp_hotfix__report(hotfix)) ? HP_EXIT_INTERNAL : HP_EXIT_OK;
	hp_hotfix__print(hotfix, stdout);
	return HP_EXIT_OK;
}
