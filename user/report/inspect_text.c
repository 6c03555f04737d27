// SPDX-License-Identifier: GPL-2.0
/* The result of an inspection for people. */
#include "report/inspect.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/format.h"
#include "report/table.h"

#define LABEL_WIDTH 16

enum column {
	COL_OBJECT,
	COL_TARGET,
	COL_REPLACEMENT,
	COL_SIZE,
	COL_HERE,
};

static const struct hp_column columns[] = {
	[COL_OBJECT] = { "OBJECT", 0 },
	[COL_TARGET] = { "TARGET", SCOLS_FL_TRUNC },
	[COL_REPLACEMENT] = { "REPLACEMENT", SCOLS_FL_TRUNC },
	[COL_SIZE] = { "SIZE", SCOLS_FL_RIGHT },
	[COL_HERE] = { "IN THIS KERNEL", 0 },
	[COL_HERE + 1] = { 0 },
};

/* Text that the file chose: what could steer a terminal is shown as '?'. */
static void put_text(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, out);
}

static void put_label(FILE *out, const char *label)
{
	fprintf(out, "  %-*s", LABEL_WIDTH, label);
}

static void put_field(FILE *out, const char *label, const char *value)
{
	if (!value || !value[0])
		return;
	put_label(out, label);
	put_text(out, value);
	fputc('\n', out);
}

static void put_signature(FILE *out, const struct hp_module_signature *sig)
{
	put_label(out, "signature");
	if (!sig->present) {
		fprintf(out, "none\n");
		return;
	}
	fprintf(out, "%s", sig->signer[0] ? "by '" : "of an unnamed signer");
	put_text(out, sig->signer);
	fprintf(out, "%s, key %s, %s; not verified here\n", sig->signer[0] ? "'" : "",
		sig->key_id[0] ? sig->key_id : "unknown",
		sig->hash[0] ? sig->hash : "unknown hash");
}

static void put_file(const struct hp_klp_module *mod, FILE *out, int verbosity)
{
	static const char *const replace[] = {
		[HP_KLP_REPLACE_NO] = "no: it is stacked on the livepatches that are there",
		[HP_KLP_REPLACE_YES] = "yes: it disables all other livepatches",
		[HP_KLP_REPLACE_UNKNOWN] = "not known: its code decides (kpatch)",
	};
	char build_id[HP_BUILD_ID_TEXT_MAX] = "";

	put_field(out, "file", mod->path);
	put_field(out, "for kernel", mod->vermagic ? mod->vermagic : "(not said)");
	put_field(out, "description", mod->description);
	put_field(out, "version", mod->version);
	put_field(out, "srcversion", mod->srcversion);
	if (mod->build_id.len)
		put_field(out, "build-id", hp_build_id__format(&mod->build_id, build_id));
	put_field(out, "license", mod->license ? mod->license : "(not said)");
	put_field(out, "depends on", mod->depends);
	put_signature(out, &mod->signature);
	put_field(out, "atomic replace", replace[mod->replace]);
	put_field(out, "module BTF", mod->btf ? "yes" : "no: its functions are observed by kprobe");
	put_label(out, "code");
	fprintf(out, "%" PRIu64 " bytes\n", mod->text_size);
	if (verbosity) {
		put_label(out, "file size");
		fprintf(out, "%" PRIu64 " bytes\n", mod->file_size);
		put_field(out, "modversions", mod->modversions ? "yes" : "no");
		put_field(out, "made by",
			  mod->form == HP_KLP_KPATCH ? "kpatch-build" : "hand (a klp_patch)");
	}
}

/* What was found of a target in the running kernel; @color gets the colour for it. */
static void describe_fit(const struct hp_klp_target *t, const struct hp_target_fit *fit, char *text,
			 size_t size, const char **color)
{
	*color = "red";
	switch (fit->state) {
	case HP_TARGET_FOUND:
		*color = fit->untraceable ? "red" : "green";
		if (fit->untraceable)
			snprintf(text, size, "found, but ftrace does not know it");
		else if (fit->matches == 1)
			snprintf(text, size, "found once");
		else
			snprintf(text, size, "found, %" PRIu64 " of %zu", t->sympos, fit->matches);
		break;
	case HP_TARGET_NOT_LOADED:
		*color = "yellow";
		snprintf(text, size, "module not loaded");
		break;
	case HP_TARGET_MISSING:
		if (fit->matches)
			snprintf(text, size, "missing: there are %zu", fit->matches);
		else
			snprintf(text, size, "missing");
		break;
	case HP_TARGET_AMBIGUOUS:
		snprintf(text, size, "ambiguous: there are %zu", fit->matches);
		break;
	}
}

static int add_row(struct libscols_table *table, const struct hp_klp_target *t,
		   const struct hp_target_fit *fit)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char target[HP_SYMBOL_MAX + 32], bytes[32] = "-", here[64] = "";
	const char *color;
	int ret = 0;

	if (!line)
		return -ENOMEM;
	if (t->sympos)
		snprintf(target, sizeof(target), "%s,%" PRIu64, t->symbol, t->sympos);
	else
		snprintf(target, sizeof(target), "%s", t->symbol);
	if (t->replacement_size)
		snprintf(bytes, sizeof(bytes), "%" PRIu64, t->replacement_size);
	describe_fit(t, fit, here, sizeof(here), &color);

	ret |= scols_line_set_data(line, COL_OBJECT, t->object);
	ret |= scols_line_set_data(line, COL_TARGET, target);
	ret |= scols_line_set_data(line, COL_REPLACEMENT, t->replacement[0] ? t->replacement : "-");
	ret |= scols_line_set_data(line, COL_SIZE, bytes);
	ret |= scols_line_set_data(line, COL_HERE, here);
	ret |= scols_cell_set_color(scols_line_get_cell(line, COL_HERE), color);
	return ret ? -ENOMEM : 0;
}

static int put_targets(const struct hp_inspect_report *report, FILE *out, bool color)
{
	__cleanup(hp_cleanup_scols_unref_table) struct libscols_table *table =
		hp_table__new(out, color, columns);

	if (!report->mod->target_count) {
		fprintf(out, "\nIt replaces no function.\n");
		return 0;
	}
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < report->mod->target_count; i++)
		if (add_row(table, &report->mod->targets[i], &report->fit->targets[i]))
			return -ENOMEM;
	fputc('\n', out);
	return scols_print_table(table) ? -EIO : 0;
}

static void put_references(const struct hp_klp_module *mod, FILE *out, int verbosity)
{
	if (mod->reverse_count)
		fprintf(out, "\nIt refers back to what is not exported:\n");
	for (size_t i = 0; i < mod->reverse_count; i++) {
		const struct hp_klp_reverse *r = &mod->reverses[i];

		fprintf(out, "  %s of %s", r->symbol, r->object);
		if (r->sympos)
			fprintf(out, ", number %" PRIu64, r->sympos);
		fprintf(out, ", from %zu place%s\n", r->references, r->references == 1 ? "" : "s");
	}
	if (mod->callback_count)
		fprintf(out, "\nIt has callbacks:\n");
	for (size_t i = 0; i < mod->callback_count; i++) {
		const struct hp_klp_callbacks *c = &mod->callbacks[i];

		fprintf(out, "  for %s:%s%s%s%s\n", c->object, c->pre_patch ? " pre-patch" : "",
			c->post_patch ? " post-patch" : "", c->pre_unpatch ? " pre-unpatch" : "",
			c->post_unpatch ? " post-unpatch" : "");
	}
	if (!verbosity || !mod->import_count)
		return;
	fprintf(out, "\nIt imports:\n");
	for (size_t i = 0; i < mod->import_count; i++) {
		fputs("  ", out);
		put_text(out, mod->imports[i]);
		fputc('\n', out);
	}
}

static void put_verdict(const struct hp_eligibility *fit, FILE *out, bool color)
{
	bool eligible = !fit->refusal_count;

	fprintf(out, "\n%s%s%s on this host (%s)\n",
		hp_format__color(eligible ? "green" : "red", color),
		eligible ? "eligible" : "not eligible", hp_format__reset(color), fit->release);
	for (size_t i = 0; i < fit->remark_count; i++) {
		const struct hp_remark *r = &fit->remarks[i];

		fputs(r->reason == HP_E_NONE ? "  note: " : "  ", out);
		put_text(out, r->text);
		if (r->reason == HP_E_NONE)
			fputc('\n', out);
		else
			fprintf(out, " (%s)\n    %s\n", hp_reason_code(r->reason),
				hp_reason_hint(r->reason));
	}
}

int hp_inspect_report__print(const struct hp_inspect_report *report, FILE *out, bool color,
			     int verbosity)
{
	int ret;

	fprintf(out, "%s\n", report->mod->name);
	put_file(report->mod, out, verbosity);
	ret = put_targets(report, out, color);
	if (ret)
		return ret;
	put_references(report->mod, out, verbosity);
	put_verdict(report->fit, out, color);
	fflush(out);
	return 0;
}
