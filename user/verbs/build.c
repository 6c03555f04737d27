// SPDX-License-Identifier: GPL-2.0
/* hotproof build: make a hotfix file from C for the functions of an ELF file. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "hotfix/build.h"
#include "hotfix/elf_hotfix.h"
#include "hotfix/inspect.h"
#include "report/error.h"
#include "report/json.h"
#include "verbs/begin.h"
#include "verbs/verbs.h"

HP_VERB(build)
{
	struct hp_build build = { 0 };
	struct hp_strings cves = { 0 };
	const struct hp_option options[] = {
		{ "target", HP_OPT_STRING, &build.target, "FILE",
		  "the ELF file whose functions are replaced; may not be left out" },
		{ "output", HP_OPT_OUTPUT, &build.output, "FIX.so", "where the hotfix goes" },
		{ "id", HP_OPT_STRING, &build.id, "ID",
		  "the hotfix's name (default: that of the file)" },
		{ "sequence", HP_OPT_UINT, &build.sequence, "N",
		  "its place among the hotfixes of that id (default 0)" },
		{ "cve", HP_OPT_STRINGS, &cves, "CVE",
		  "what it mends; may be given more than once" },
		{ "description", HP_OPT_STRING, &build.description, "TEXT", "one line for people" },
		{ "no-exceptions", HP_OPT_FLAG, &build.no_exceptions, NULL,
		  "no exception ever passes through a replacement: for targets that throw them" },
		{ 0 }
	};
	__cleanup(hp_cleanup_hp_hotfix__close) struct hp_hotfix *hotfix = NULL;
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 0, -1, NULL };
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	if (first == argc || !build.target || !build.output) {
		hp_fail(&err, HP_E_USAGE, "a source file, --target and -o are needed");
		return hp_report_error(&globals, cmd->name, &err);
	}
	if (build.sequence > INT64_MAX) {
		hp_fail(&err, HP_E_USAGE, "--sequence takes at most %" PRId64, INT64_MAX);
		return hp_report_error(&globals, cmd->name, &err);
	}
	hp_interrupt_catch();
	build.source = argv[first];
	build.options = (const char *const *)argv + first + 1;
	build.option_count = (size_t)(argc - first - 1);
	build.cves = cves.items;
	build.cve_count = cves.count;
	ret = hp_build__run(&build, &err);
	ret = ret ?: hp_hotfix__open(&hotfix, build.output, &err);
	if (ret)
		return hp_report_error(&globals, cmd->name, &err);
	if (globals.json)
		return hp_json_print(hp_hotfix__report(hotfix)) ? HP_EXIT_INTERNAL : HP_EXIT_OK;
	hp_hotfix__print(hotfix, stdout);
	return HP_EXIT_OK;
}
