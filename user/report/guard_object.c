// SPDX-License-Identifier: GPL-2.0
/* A guard with code as a file. */
#include "report/guard_object.h"

#include <errno.h>

#include "report/json.h"
#include "report/parts.h"

static const char *kind_name(const struct hp_guard_object *object)
{
	return object->kind == HP_GUARD_LSM ? "lsm" : "fmod_ret";
}

json_t *hp_guard_object_report__json(const struct hp_guard_object_report *report)
{
	const struct hp_guard_object *o = report->object;

	return hp_json_envelope(
		"guard-object", 1,
		json_pack("{s:o, s:o, s:o, s:s, s:o, s:i, s:o}", "guard", hp_json_text(o->name),
			  "file", hp_json_text(o->path), "function", hp_json_text(o->function),
			  "by", kind_name(o), "prototype", hp_json_text_or_null(report->prototype),
			  "format", HP_GUARD_VERSION, "refusal", hp_json_error(&report->refusal)));
}

int hp_guard_object_report__print(const struct hp_guard_object_report *report, FILE *out)
{
	const struct hp_guard_object *o = report->object;

	fprintf(out, "%s: %s, a guard with code of %s by %s\n", o->path, o->name, o->function,
		kind_name(o));
	if (report->prototype[0])
		fprintf(out, "  %s\n", report->prototype);
	fprintf(out,
		"  calls of everybody, answered by its code, unless 'apply' is told otherwise\n");
	if (report->refusal.reason)
		fprintf(out, "not eligible here: %s (%s)\n  %s\n", report->refusal.message,
			hp_reason_code(report->refusal.reason),
			hp_reason_hint(report->refusal.reason));
	else
		fprintf(out, "this kernel takes it: the verifier has seen it\n");
	fflush(out);
	return 0;
}
