// SPDX-License-Identifier: GPL-2.0
/* A hotfix for a BPF program, and the functions of a loaded one. */
#include "report/program.h"

#include <errno.h>

#include "report/format.h"
#include "report/json.h"
#include "report/parts.h"

static json_t *object_json(const struct hp_bpf_object *object)
{
	json_t *forwards;

	if (!object)
		return json_null();
	forwards = json_array();
	for (size_t i = 0; i < object->forward_count; i++) {
		const struct hp_bpf_forward *f = &object->forwards[i];

		hp_json_append(&forwards,
			       json_pack("{s:o, s:o, s:I}", "target", hp_json_text(f->target),
					 "replacement", hp_json_text(f->replacement),
					 "instructions", (json_int_t)f->instructions));
	}
	return json_pack("{s:o, s:o, s:o, s:o}", "name", hp_json_text(object->name), "file",
			 hp_json_text(object->path), "baseline",
			 hp_json_text_or_null(object->baseline), "forward_attaches", forwards);
}

static json_t *program_json(const struct hp_program_report *report)
{
	const struct hp_bpf_program *p = report->program;
	json_t *functions;

	if (!p)
		return json_null();
	functions = json_array();
	for (size_t i = 0; i < p->function_count; i++) {
		const struct hp_program_row *row = &report->rows[i];

		hp_json_append(&functions, json_pack("{s:o, s:o, s:b, s:b, s:o}", "name",
						     hp_json_text(row->function->name), "prototype",
						     hp_json_text_or_null(row->function->prototype),
						     "global", row->function->global, "replaceable",
						     row->refusal.reason == HP_E_NONE, "refusal",
						     hp_json_error(&row->refusal)));
	}
	return json_pack("{s:I, s:o, s:s, s:s, s:b, s:o}", "id", (json_int_t)p->id, "name",
			 hp_json_text_or_null(p->name), "type", hp_bpf_type_name(p->type), "tag",
			 p->tag, "btf", p->btf != NULL, "functions", functions);
}

json_t *hp_program_report__json(const struct hp_program_report *report)
{
	return hp_json_envelope("program", 1,
				json_pack("{s:o, s:o, s:o}", "hotfix", object_json(report->object),
					  "program", program_json(report), "refusal",
					  hp_json_error(&report->refusal)));
}

static void print_object(const struct hp_bpf_object *object, FILE *out)
{
	fprintf(out, "%s: %s, for %s\n", object->path, object->name,
		object->baseline[0] ? object->baseline : "any program with these functions");
	for (size_t i = 0; i < object->forward_count; i++)
		fprintf(out, "  %s -> %s, %u instructions\n", object->forwards[i].target,
			object->forwards[i].replacement, object->forwards[i].instructions);
}

static void print_program(const struct hp_program_report *report, FILE *out, bool color)
{
	const struct hp_bpf_program *p = report->program;

	fprintf(out, "program %u: %s, %s, tag %s\n", p->id, p->name[0] ? p->name : "(no name)",
		hp_bpf_type_name(p->type), p->tag);
	if (!p->btf)
		fprintf(out, "  loaded without BTF: none of its functions can be replaced\n");
	for (size_t i = 0; i < p->function_count; i++) {
		const struct hp_program_row *row = &report->rows[i];
		bool can = row->refusal.reason == HP_E_NONE;

		fprintf(out, "  %s%s%s: %s\n", hp_format__color(can ? "green" : "yellow", color),
			row->function->prototype, hp_format__reset(color),
			can ? "can be replaced" : row->refusal.message);
	}
}

int hp_program_report__print(const struct hp_program_report *report, FILE *out, bool color)
{
	if (report->object)
		print_object(report->object, out);
	if (report->program)
		print_program(report, out, color);
	if (report->refusal.reason)
		fprintf(out, "not eligible here: %s (%s)\n  %s\n", report->refusal.message,
			hp_reason_code(report->refusal.reason),
			hp_reason_hint(report->refusal.reason));
	fflush(out);
	return 0;
}
