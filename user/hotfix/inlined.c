// SPDX-License-Identifier: GPL-2.0
/* Functions that targets were inlined into: DW_TAG_inlined_subroutine (DWARF 5, 3.3.8.2). */
#include <dwarf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <elfutils/libdw.h>

#include "hotfix/copies.h"

#define MAX_DEPTH 256
#define MAX_NAMES 5 /* that are named; the others are counted */

/* What was found of one target. */
struct found {
	uint64_t count;
	char names[400];
	size_t name_count;
};

struct search {
	const struct hp_hotfix_meta *meta;
	struct found *found; /* one for each forward attach */
};

static bool is_named(Dwarf_Die *die, const char *target)
{
	const char *name, *file, *own = dwarf_diename(die);
	size_t len = hp_copies__name(target, &name, &file);
	const char *unit, *base;
	Dwarf_Die cu;

	if (!own || strncmp(own, name, len) || own[len])
		return false;
	if (!file || !dwarf_diecu(die, &cu, NULL, NULL))
		return true;
	unit = dwarf_diename(&cu);
	base = unit ? strrchr(unit, '/') : NULL;
	base = base ? base + 1 : unit;
	/* "file.c:" */
	len = (size_t)(name - file) - 1;
	return base && !strncmp(base, file, len) && !base[len];
}

static void add_name(struct found *found, const char *name)
{
	size_t used = strlen(found->names);

	found->count++;
	if (found->name_count == MAX_NAMES || strstr(found->names, name))
		return;
	snprintf(found->names + used, sizeof(found->names) - used, "%s%s",
		 found->name_count ? ", " : "", name);
	found->name_count++;
}

static void look_at(struct search *s, Dwarf_Die *die, const char *function)
{
	Dwarf_Attribute attr;
	Dwarf_Die origin;

	if (!dwarf_attr(die, DW_AT_abstract_origin, &attr) || !dwarf_formref_die(&attr, &origin))
		return;
	for (size_t i = 0; i < s->meta->forward_count; i++) {
		const char *target = s->meta->forward[i].target, *name, *file;
		size_t len = hp_copies__name(target, &name, &file);

		/* What is inlined into the target itself goes with it. */
		if (is_named(&origin, target) &&
		    (!function || strncmp(function, name, len) || function[len]))
			add_name(&s->found[i], function ?: "?");
	}
}

/* The name of a function that has code; of one that is only inlined, its copies have their own. */
static const char *function_name(Dwarf_Die *die)
{
	Dwarf_Attribute attr;

	return dwarf_formstring(dwarf_attr_integrate(die, DW_AT_name, &attr));
}

static void walk(struct search *s, Dwarf_Die *die, const char *function, int depth)
{
	Dwarf_Die child;

	if (depth > MAX_DEPTH || dwarf_child(die, &child))
		return;
	do {
		const char *inside = function;
		int tag = dwarf_tag(&child);

		/* The abstract copies of functions hold no code. */
		if (tag == DW_TAG_subprogram && dwarf_func_inline(&child))
			continue;
		if (tag == DW_TAG_subprogram)
			inside = function_name(&child);
		if (tag == DW_TAG_inlined_subroutine)
			look_at(s, &child, function);
		if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine ||
		    tag == DW_TAG_lexical_block || tag == DW_TAG_namespace)
			walk(s, &child, inside, depth + 1);
	} while (!dwarf_siblingof(&child, &child));
}

static int report(struct search *s, struct hp_hotfix_meta *meta)
{
	for (size_t i = 0; i < meta->forward_count; i++) {
		const struct found *f = &s->found[i];
		struct hp_remark *remark;
		char text[700];

		if (!f->count)
			continue;
		snprintf(text, sizeof(text),
			 "inlined %" PRIu64 " time%s, where the old code stays: in %s%s", f->count,
			 f->count == 1 ? "" : "s", f->names,
			 f->name_count == MAX_NAMES ? " and perhaps others" : "");
		remark = hp_copies__add(meta, HP_REMARK_INLINED, meta->forward[i].target, text);
		if (!remark)
			return -ENOMEM;
		remark->count = f->count;
	}
	return 0;
}

int hp_copies__find_inlined(struct hp_elf *target, struct hp_hotfix_meta *meta)
{
	struct hp_elf *with = hp_elf__with_section(target, ".debug_info");
	_cleanup_free_ struct found *found = calloc(meta->forward_count, sizeof(*found));
	struct search s = { meta, found };
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;
	Dwarf *dwarf;
	int ret;

	if (!found)
		return -ENOMEM;
	dwarf = with ? dwarf_begin_elf(hp_elf__handle(with), DWARF_C_READ, NULL) : NULL;
	if (!dwarf)
		return -ENODATA;
	while (!dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, NULL))
		walk(&s, &die, NULL, 0);
	ret = report(&s, meta);
	dwarf_end(dwarf);
	return ret;
}
