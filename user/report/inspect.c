// SPDX-License-Identifier: GPL-2.0
/* The result of an inspection as JSON. */
#include "report/inspect.h"

#include "report/json.h"

static const char *const state_names[] = {
	[HP_TARGET_FOUND] = "found",
	[HP_TARGET_NOT_LOADED] = "not-loaded",
	[HP_TARGET_MISSING] = "missing",
	[HP_TARGET_AMBIGUOUS] = "ambiguous",
};

static const char *const form_names[] = {
	[HP_KLP_STATIC] = "static",
	[HP_KLP_KPATCH] = "kpatch",
};

static json_t *replace_json(enum hp_klp_replace replace)
{
	if (replace == HP_KLP_REPLACE_UNKNOWN)
		return json_null();
	return json_boolean(replace == HP_KLP_REPLACE_YES);
}

static json_t *signature_json(const struct hp_module_signature *sig)
{
	if (!sig->present)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:b}", "signer", hp_json_text_or_null(sig->signer),
			 "key_id", hp_json_text_or_null(sig->key_id), "hash",
			 hp_json_text_or_null(sig->hash), "verified", 0);
}

static json_t *file_json(const struct hp_klp_module *mod)
{
	char build_id[HP_BUILD_ID_TEXT_MAX] = "";

	if (mod->build_id.len)
		hp_build_id__format(&mod->build_id, build_id);
	return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:I}",
			 "path", hp_json_text(mod->path), "size", (json_int_t)mod->file_size,
			 "name", hp_json_text(mod->name), "vermagic",
			 hp_json_text_or_null(mod->vermagic), "srcversion",
			 hp_json_text_or_null(mod->srcversion), "version",
			 hp_json_text_or_null(mod->version), "build_id",
			 hp_json_text_or_null(build_id), "license",
			 hp_json_text_or_null(mod->license), "description",
			 hp_json_text_or_null(mod->description), "depends",
			 hp_json_text_or_null(mod->depends), "signature",
			 signature_json(&mod->signature), "modversions", mod->modversions, "btf",
			 mod->btf, "text_size", (json_int_t)mod->text_size);
}

static json_t *target_json(const struct hp_klp_target *t, const struct hp_target_fit *fit,
			   bool traceable_known)
{
	bool found = fit->state == HP_TARGET_FOUND;

	return json_pack("{s:o, s:o, s:I, s:o, s:o, s:b, s:s, s:I, s:o, s:o, s:o, s:o}", "object",
			 hp_json_text(t->object), "symbol", hp_json_text(t->symbol), "sympos",
			 (json_int_t)t->sympos, "replacement", hp_json_text_or_null(t->replacement),
			 "replacement_size",
			 t->replacement_size ? json_integer((json_int_t)t->replacement_size)
					     : json_null(),
			 "replacement_traceable", t->traceable, "state", state_names[fit->state],
			 "matches", (json_int_t)fit->matches, "address",
			 fit->address ? hp_json_address(fit->address) : json_null(), "size",
			 fit->size ? json_integer((json_int_t)fit->size) : json_null(), "traceable",
			 found && traceable_known ? json_boolean(!fit->untraceable) : json_null(),
			 "stacked_on", hp_json_text_or_null(fit->stacked_on));
}

static json_t *targets_json(const struct hp_inspect_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->mod->target_count; i++)
		hp_json_append(&array,
			       target_json(&report->mod->targets[i], &report->fit->targets[i],
					   report->fit->traceable_known));
	return array;
}

static json_t *reverses_json(const struct hp_klp_module *mod)
{
	json_t *array = json_array();

	for (size_t i = 0; i < mod->reverse_count; i++) {
		const struct hp_klp_reverse *r = &mod->reverses[i];

		hp_json_append(&array,
			       json_pack("{s:o, s:o, s:I, s:I}", "object", hp_json_text(r->object),
					 "symbol", hp_json_text(r->symbol), "sympos",
					 (json_int_t)r->sympos, "references",
					 (json_int_t)r->references));
	}
	return array;
}

static json_t *callbacks_json(const struct hp_klp_module *mod)
{
	json_t *array = json_array();

	for (size_t i = 0; i < mod->callback_count; i++) {
		const struct hp_klp_callbacks *c = &mod->callbacks[i];

		hp_json_append(&array, json_pack("{s:o, s:b, s:b, s:b, s:b}", "object",
						 hp_json_text(c->object), "pre_patch", c->pre_patch,
						 "post_patch", c->post_patch, "pre_unpatch",
						 c->pre_unpatch, "post_unpatch", c->post_unpatch));
	}
	return array;
}

static json_t *imports_json(const struct hp_klp_module *mod)
{
	json_t *array = json_array();

	for (size_t i = 0; i < mod->import_count; i++)
		hp_json_append(&array, hp_json_text(mod->imports[i]));
	return array;
}

/* The remarks from @from to before @to; refusals have a code and a hint, notes a text only. */
static json_t *remarks_json(const struct hp_eligibility *fit, size_t from, size_t to)
{
	json_t *array = json_array();

	for (size_t i = from; i < to; i++) {
		const struct hp_remark *r = &fit->remarks[i];

		if (r->reason == HP_E_NONE)
			hp_json_append(&array, hp_json_text(r->text));
		else
			hp_json_append(&array, json_pack("{s:s, s:o, s:s, s:i}", "code",
							 hp_reason_code(r->reason), "message",
							 hp_json_text(r->text), "hint",
							 hp_reason_hint(r->reason), "status",
							 (int)hp_reason_exit(r->reason)));
	}
	return array;
}

static json_t *host_json(const struct hp_eligibility *fit)
{
	return json_pack("{s:o, s:b, s:o, s:o, s:o}", "release", hp_json_text(fit->release),
			 "eligible", !fit->refusal_count, "signature_enforced_by",
			 hp_json_text_or_null(fit->signature_cause), "refusals",
			 remarks_json(fit, 0, fit->refusal_count), "notes",
			 remarks_json(fit, fit->refusal_count, fit->remark_count));
}

json_t *hp_inspect_report__body(const struct hp_inspect_report *report)
{
	const struct hp_klp_module *mod = report->mod;

	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "file", file_json(mod), "form",
			 form_names[mod->form], "replace", replace_json(mod->replace), "targets",
			 targets_json(report), "reverse_attaches", reverses_json(mod), "callbacks",
			 callbacks_json(mod), "imports", imports_json(mod), "host",
			 host_json(report->fit));
}

json_t *hp_inspect_report__json(const struct hp_inspect_report *report)
{
	return hp_json_envelope("inspect", 1, hp_inspect_report__body(report));
}
