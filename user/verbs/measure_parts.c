// SPDX-License-Identifier: GPL-2.0
/* What measure of kernel functions and of processes have in common. */
#include "verbs/measure_parts.h"

#include <string.h>

#include "base/clock.h"
#include "report/error.h"
#include "report/histogram.h"
#include "report/json.h"

int hp_earlier__read(const char *path, struct hp_measure_report *earlier, struct hp_error *err)
{
	struct hp_measure_report here = { 0 };
	int ret = hp_measure_report__read(earlier, path, err);

	if (ret)
		return ret;
	hp_measure_report__stamp(&here);
	if (strcmp(here.kernel_build_id, earlier->kernel_build_id))
		return hp_fail(err, HP_E_EARLIER,
			       "%s was measured on another kernel (build-id %s, this one's is %s)",
			       path, earlier->kernel_build_id, here.kernel_build_id);
	return 0;
}

int hp_earlier__fail(const char *path, enum hp_measure_which side, const char *symbol,
		     struct hp_error *err)
{
	return hp_fail(err, HP_E_EARLIER, "%s has no times of %s code of %s", path,
		       side == HP_MEASURE_OLD ? "the old" : "new", symbol);
}

int hp_earlier__compare(struct hp_measure_report *report, struct hp_measure_report *earlier,
			const char *path, struct hp_error *err)
{
	int ret;

	hp_measure_report__complete(report, earlier, path);
	ret = hp_measure_report__finish(report, hp_now_ns());
	return ret ? hp_fail_errno(err, HP_E_NOMEM, ret, "old and new cannot be compared") : 0;
}

static int print(const struct hp_measure_report *report, const struct hp_globals *globals)
{
	bool ascii = hp_histogram__needs_ascii();

	if (globals->json)
		return hp_json_print(hp_measure_report__json(report));
	return hp_measure_report__print(report, stdout, globals->color, ascii);
}

int hp_measure_finish(const struct hp_command *cmd, const struct hp_globals *globals,
		      struct hp_measure_report *report, int ret, struct hp_error *err)
{
	int status;

	if (!ret && print(report, globals))
		ret = hp_fail(err, HP_E_OUTPUT, "the report cannot be written");
	status = ret ? (int)hp_report_error(globals, cmd->name, err) : (int)report->status;
	hp_measure_report__free(report);
	return status;
}
