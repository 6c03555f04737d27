// SPDX-License-Identifier: GPL-2.0
/* What all JSON reports share. */
#include "report/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

json_t *hp_json_report(const char *verb, int version)
{
	char name[64];

	snprintf(name, sizeof(name), "hotproof.%s", verb);
	return json_pack("{s:s, s:i, s:s}", "schema", name, "version", version, "hotproof",
			 HP_VERSION);
}

int hp_json_print(json_t *report)
{
	int ret = json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));

	json_decref(report);
	putchar('\n');
	return ret || fflush(stdout) ? -EIO : 0;
}

json_t *hp_json_address(uint64_t address)
{
	return json_sprintf("0x%" PRIx64, address);
}
