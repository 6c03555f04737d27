// SPDX-License-Identifier: GPL-2.0
/* The livepatches of this host for people. */
#include "report/status.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/task_name.h"
#include "report/format.h"
#include "report/table.h"

static const char *state_of(const struct hp_klp_patch *patch)
{
	if (patch->transition)
		return patch->enabled ? "patching" : "unpatching";
	return patch->enabled ? "enabled" : "disabled";
}

static void applied_text(const struct hp_status_report *report, const char *name, char *out,
			 size_t size)
{
	const struct hp_status_entry *e = hp_status_report__applied(report, name);

	if (e)
		snprintf(out, size, "hotproof, %s, %s%s%s", hp_time_text(e->entry.time).s,
			 e->entry.file, e->entry.phase == HP_PHASE_APPLIED ? "" : ", ",
			 e->entry.phase == HP_PHASE_APPLIED
				 ? ""
				 : hp_journal_phase__name(e->entry.phase));
	else
		snprintf(out, size, "%s", report->no_journal[0] ? "-" : "not hotproof");
}

static int print_patches(const struct hp_status_report *report, FILE *out, bool color)
{
	static const struct hp_column columns[] = {
		{ "STACK", 0 },	  { "LIVEPATCH", 0 },  { "STATE", 0 }, { "REACH", 0 },
		{ "REPLACE", 0 }, { "APPLIED BY", 0 }, { 0 }
	};
	__cleanup(hp_cleanup_scols_unref_table) struct libscols_table *table =
		hp_table__new(out, color, columns);
	const struct hp_klp_snapshot *snap = report->snap;
	const struct hp_progress *progress = &report->progress;
	bool kernel = snap->source == HP_KLP_FROM_KERNEL;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < snap->count; i++) {
		const struct hp_klp_patch *patch = &snap->patches[i];
		struct libscols_line *line = scols_table_new_line(table, NULL);
		char order[24] = "-", reach[32] = "-", applied[PATH_MAX + 128];
		int ret = 0;

		if (!line)
			return -ENOMEM;
		if (kernel)
			snprintf(order, sizeof(order), "%zu", i + 1);
		if (progress->total && (patch->transition || patch->enabled))
			snprintf(reach, sizeof(reach), "%u/%u",
				 patch->transition ? progress->switched : progress->total,
				 progress->total);
		applied_text(report, patch->name, applied, sizeof(applied));
		ret |= scols_line_set_data(line, 0, order);
		ret |= scols_line_set_data(line, 1, patch->name);
		ret |= scols_line_set_data(line, 2, state_of(patch));
		ret |= scols_line_set_data(line, 3, reach);
		ret |= scols_line_set_data(line, 4,
					   !kernel	    ? "-"
					   : patch->forced  ? "forced"
					   : patch->replace ? "all"
							    : "no");
		ret |= scols_line_set_data(line, 5, applied);
		if (patch->transition)
			ret |= scols_cell_set_color(scols_line_get_cell(line, 2), "yellow");
		if (ret)
			return -ENOMEM;
	}
	return scols_print_table(table) ? -EIO : 0;
}

static const char *redirect_color(enum hp_redirect redirect)
{
	switch (redirect) {
	case HP_REDIRECT_BROKEN:
		return "red";
	case HP_REDIRECT_IN_PLACE:
		return "green";
	default:
		return "yellow";
	}
}

static int add_target(struct libscols_table *table, const struct hp_klp_snapshot *snap,
		      const struct hp_klp_patch *patch, const struct hp_klp_object *object,
		      const struct hp_klp_func *func)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char target[HP_SYMBOL_MAX + HP_NAME_MAX + 32], replacement[HP_SYMBOL_MAX + 32];
	struct hp_read_back read_back;
	int n, ret = 0;

	if (!line)
		return -ENOMEM;
	n = snprintf(target, sizeof(target), "%s:%s", object->name, func->old_name);
	if (func->sympos)
		snprintf(target + n, sizeof(target) - (size_t)n, ",%" PRIu64, func->sympos);
	if (func->nop)
		snprintf(replacement, sizeof(replacement), "the old code");
	else if (func->new_addr)
		snprintf(replacement, sizeof(replacement), "%s 0x%" PRIx64,
			 func->new_name[0] ? func->new_name : "?", func->new_addr);
	else
		snprintf(replacement, sizeof(replacement), "-");
	hp_klp_snapshot__read_back(snap, patch, object, func, &read_back);
	ret |= scols_line_set_data(line, 0, patch->name);
	ret |= scols_line_set_data(line, 1, target);
	ret |= scols_line_set_data(line, 2, replacement);
	ret |= scols_line_set_data(line, 3, hp_redirect_name(read_back.redirect));
	ret |= scols_line_set_data(line, 4, read_back.reason);
	ret |= scols_cell_set_color(scols_line_get_cell(line, 3),
				    redirect_color(read_back.redirect));
	return ret ? -ENOMEM : 0;
}

static int print_targets(const struct hp_klp_snapshot *snap, FILE *out, bool color)
{
	static const struct hp_column columns[] = { { "LIVEPATCH", 0 },	  { "TARGET", 0 },
						    { "REPLACEMENT", 0 }, { "REDIRECT", 0 },
						    { "READ BACK", 0 },	  { 0 } };
	__cleanup(hp_cleanup_scols_unref_table) struct libscols_table *table =
		hp_table__new(out, color, columns);
	size_t i, j, k;

	if (!table)
		return -ENOMEM;
	for (i = 0; i < snap->count; i++)
		for (j = 0; j < snap->patches[i].object_count; j++) {
			const struct hp_klp_object *object = &snap->patches[i].objects[j];

			for (k = 0; k < object->func_count; k++)
				if (add_target(table, snap, &snap->patches[i], object,
					       &object->funcs[k]))
					return -ENOMEM;
		}
	return scols_print_table(table) ? -EIO : 0;
}

/* Functions of loaded BPF programs that other programs replace. */
static int print_programs(const struct hp_status_report *report, FILE *out, bool color)
{
	static const struct hp_column columns[] = { { "HOTFIX", 0 },	  { "TARGET", 0 },
						    { "REPLACEMENT", 0 }, { "REDIRECT", 0 },
						    { "READ BACK", 0 },	  { 0 } };
	__cleanup(hp_cleanup_scols_unref_table) struct libscols_table *table =
		hp_table__new(out, color, columns);

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < report->replaced_count; i++) {
		const struct hp_target *t = &report->replaced[i];
		const struct hp_read_back *r = &report->replaced_by[i];
		struct libscols_line *line = scols_table_new_line(table, NULL);
		char target[HP_NAME_MAX + HP_SYMBOL_MAX + 2];
		int ret;

		if (!line)
			return -ENOMEM;
		snprintf(target, sizeof(target), "%s/%s", t->object, t->symbol);
		ret = scols_line_set_data(line, 0, t->hotfix);
		ret |= scols_line_set_data(line, 1, target);
		ret |= scols_line_set_data(line, 2, t->replacement);
		ret |= scols_line_set_data(line, 3, hp_redirect_name(r->redirect));
		ret |= scols_line_set_data(line, 4, r->reason);
		ret |= scols_cell_set_color(scols_line_get_cell(line, 3),
					    redirect_color(r->redirect));
		if (ret)
			return -ENOMEM;
	}
	return scols_print_table(table) ? -EIO : 0;
}

#define MAX_BLOCKERS 20 /* without -v */

static void print_blockers(const struct hp_status_report *report, const struct hp_klp_patch *patch,
			   FILE *out, bool all)
{
	const struct hp_progress *progress = &report->progress;
	size_t shown = progress->blocker_count;

	if (!shown) {
		/* klp_transition_work_fn() looks once a second. */
		fprintf(out, "\n%s: all %u tasks have switched, the kernel is about to notice\n",
			patch->name, progress->total);
		return;
	}
	fprintf(out, "\n%s waits for %zu of %u tasks:\n", patch->name, progress->blocker_count,
		progress->total);
	if (!all && shown > MAX_BLOCKERS)
		shown = MAX_BLOCKERS;
	for (size_t i = 0; i < shown; i++) {
		const struct hp_blocker *b = &progress->blockers[i];
		const char *line = b->stack;

		fprintf(out, "  %s[%d]  %s, state %c\n", hp_task_name(b->comm).s, b->pid,
			b->kthread	    ? "kernel thread"
			: b->pid != b->tgid ? "thread"
					    : "process",
			b->state);
		if (!line)
			fprintf(out, "      its kernel stack cannot be read\n");
		while (line && *line) {
			size_t len = strcspn(line, "\n");

			fprintf(out, "      %.*s\n", (int)len, line);
			line += len + (line[len] == '\n');
		}
	}
	if (shown < progress->blocker_count)
		fprintf(out, "  and %zu more (-v shows all)\n", progress->blocker_count - shown);
}

static void print_hotfixes(const struct hp_status_report *report, FILE *out)
{
	for (size_t i = 0; i < report->entry_count; i++) {
		const struct hp_status_entry *e = &report->entries[i];

		if (strcmp(e->entry.engine, "proc") || e->action != HP_RECOVER_KEEP)
			continue;
		fprintf(out, "\n%s: %s, %s\n  'hotproof status %s' has more\n", e->entry.hotfix,
			e->why, hp_time_text(e->entry.time).s, e->entry.file);
	}
}

static void print_unfinished(const struct hp_status_report *report, FILE *out)
{
	bool any = false, recover = false;

	for (size_t i = 0; i < report->entry_count; i++) {
		const struct hp_status_entry *e = &report->entries[i];

		if (e->action == HP_RECOVER_KEEP)
			continue;
		fprintf(out, "\n%s: %s", e->entry.hotfix, e->why);
		any = true;
		recover |= e->action != HP_RECOVER_WAIT;
	}
	if (recover)
		fprintf(out, "\n'hotproof recover' cleans up");
	if (any)
		fputc('\n', out);
}

static void print_limits(const struct hp_status_report *report, FILE *out)
{
	if (report->limited[0])
		fprintf(out, "\nNot seen: addresses, stack order, redirects: %s\n",
			report->limited);
	if (report->no_progress[0])
		fprintf(out, "\nNot seen: reach and blockers: %s\n", report->no_progress);
	if (report->no_journal[0])
		fprintf(out, "\nNot seen: what hotproof applied: %s\n", report->no_journal);
	if (report->no_programs[0])
		fprintf(out, "\nNot seen: hotfixes of BPF programs: %s\n", report->no_programs);
	if (report->no_guards[0])
		fprintf(out, "\nNot seen: guards: %s\n", report->no_guards);
	if (report->snap->unstable)
		fprintf(out, "\nThe list changed all the time while it was read: run again.\n");
	if (report->snap->ftrace_disabled == 1)
		fprintf(out, "\nftrace has stopped itself after an error (see dmesg): livepatches "
			     "can be neither applied, observed nor removed until a restart.\n");
}

int hp_status_report__print(const struct hp_status_report *report, FILE *out, bool color,
			    int verbosity)
{
	const struct hp_klp_snapshot *snap = report->snap;
	int ret;

	if (snap->count) {
		ret = print_patches(report, out, color);
		if (ret)
			return ret;
		fputc('\n', out);
		ret = print_targets(snap, out, color);
		if (ret)
			return ret;
	} else {
		fprintf(out, "No livepatch is loaded.\n");
	}
	if (report->replaced_count) {
		fputc('\n', out);
		ret = print_programs(report, out, color);
		if (ret)
			return ret;
	}
	if (report->guards.count) {
		fputc('\n', out);
		ret = hp_guard_report__table(report->guards.rows, report->guards.count, out, color);
		if (ret)
			return ret;
	}
	for (size_t i = 0; i < snap->count; i++)
		if (snap->patches[i].transition && report->progress.total)
			print_blockers(report, &snap->patches[i], out, verbosity > 0);
	print_hotfixes(report, out);
	print_unfinished(report, out);
	print_limits(report, out);
	return 0;
}
