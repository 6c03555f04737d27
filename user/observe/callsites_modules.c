// SPDX-License-Identifier: GPL-2.0
/* Call sites in loaded modules: of the modules' own functions, and of what they import. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "host/module_files.h"
#include "host/module_image.h"
#include "host/module_memory.h"
#include "observe/callsites_internal.h"

#define PROC_MODULES "/proc/modules"

/*
 * Whether modules can take the symbol of target @t by name. A static function of the same name as
 * an exported one is told apart by its type: that of a global symbol is in upper case.
 */
static bool is_exported(const struct hp_search *s, const struct hp_target *t)
{
	const struct hp_kallsyms *ks = s->source->ks;
	char name[HP_SYMBOL_MAX + 16];
	struct hp_symbol sym;
	uint64_t n;

	snprintf(name, sizeof(name), "__ksymtab_%s", t->symbol);
	if (s->ksymtab && strcmp(t->object, "vmlinux") == 0 &&
	    !hp_kallsyms__count(ks, "vmlinux", name))
		return false;
	for (n = 1; hp_kallsyms__find(ks, t->object, t->symbol, n, &sym) == 0; n++)
		if (sym.address == t->old_addr)
			return sym.type >= 'A' && sym.type <= 'Z';
	return false;
}

/* One line of /proc/modules. */
struct loaded {
	char name[HP_NAME_MAX];
	char *users; /* of its symbols, "a,b,", in the caller's line */
};

/* Whether @name is in the list "a,b,". */
static bool in_list(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (; list && *list; list = strchr(list, ','), list += list != NULL) {
		if (strncmp(list, name, len) == 0 && (list[len] == ',' || !list[len]))
			return true;
	}
	return false;
}

/*
 * The slots that @module may call, as far as can be told without its file: targets of its own,
 * exported ones of vmlinux, and those of modules that it uses.
 */
static size_t slots_for_module(struct hp_search *s, const struct loaded *module,
			       const struct loaded *all, size_t count, const bool *exported)
{
	size_t i, j, n = 0;

	for (i = 0; i < s->cs->slot_count; i++) {
		bool wanted = false;

		for (j = 0; j < s->target_count && !wanted; j++) {
			const struct hp_target *t = &s->targets[j];
			size_t k;

			if (s->cs->slot_of[j] != i || !t->old_addr)
				continue;
			if (strcmp(t->object, module->name) == 0) {
				wanted = true;
			} else if (strcmp(t->object, "vmlinux") == 0) {
				wanted = exported[j];
			} else {
				for (k = 0; k < count && !wanted; k++)
					wanted = exported[j] &&
						 strcmp(all[k].name, t->object) == 0 &&
						 in_list(all[k].users, module->name);
			}
		}
		if (wanted)
			s->slot[n++] = i;
	}
	return n;
}

/* Of the @n slots in s->slot, keep those that the module's file does refer to. */
static size_t keep_imported(struct hp_search *s, const struct hp_module_image *img, size_t n)
{
	size_t i, j, kept = 0;

	for (i = 0; i < n; i++) {
		bool wanted = false;

		for (j = 0; j < s->target_count && !wanted; j++) {
			const struct hp_target *t = &s->targets[j];

			wanted = s->cs->slot_of[j] == s->slot[i] &&
				 (strcmp(t->object, hp_module_image__name(img)) == 0 ||
				  hp_module_image__imports(img, t->symbol));
		}
		if (wanted)
			s->slot[kept++] = s->slot[i];
	}
	return kept;
}

static int search_section(struct hp_search *s, const struct hp_module_image *img, size_t i)
{
	const struct hp_module_section *section = hp_module_image__section(img, i);
	_cleanup_free_ uint8_t *bytes = NULL;
	struct hp_bytes ctx = { .address = section->address, .size = section->size };
	struct hp_code code = {
		.address = section->address,
		.size = section->size,
		.read = hp_bytes__read,
		.ctx = &ctx,
	};
	int ret;

	/* Data without relocations holds no addresses. */
	if (hp_search__is_bookkeeping(section->name) || (!section->exec && !section->relocated))
		return 0;
	bytes = malloc(section->size);
	if (!bytes)
		return -ENOMEM;
	ctx.bytes = bytes;
	ret = hp_module_image__read(img, s->source->ks, i, bytes);
	if (ret)
		return ret;
	return hp_search__scan(s, &code, section->exec);
}

/* Search a module of which there is no (such) file: its code as it is in memory, not its data. */
static int search_memory(struct hp_search *s, const char *module, size_t n, struct hp_error *why)
{
	__cleanup(hp_cleanup_hp_module_memory__close) struct hp_module_memory *memory = NULL;
	int ret = hp_module_memory__open(&memory, module, s->source->sys_module, s->source->kcore,
					 why);

	ret = ret ?: hp_search__aim(s, n, 0);
	for (size_t i = 0; !ret && i < hp_module_memory__count(memory); i++) {
		const struct hp_module_text *text = hp_module_memory__text(memory, i);
		const struct hp_bytes ctx = { text->bytes, text->address, text->size };
		const struct hp_code code = {
			.address = text->address,
			.size = text->size,
			.read = hp_bytes__read,
			.ctx = &ctx,
		};

		ret = hp_search__scan(s, &code, true);
	}
	for (size_t i = 0; i < n && !ret; i++)
		s->cs->slots[s->slot[i]].pointers_unseen = true;
	return ret;
}

/* Search one module for the @n slots in s->slot. What cannot be read makes the search blind. */
static int search_module(struct hp_search *s, const struct hp_module_files *files,
			 const char *module, size_t n)
{
	__cleanup(hp_cleanup_hp_module_image__close) struct hp_module_image *img = NULL;
	struct hp_error why = { 0 }, memory = { 0 };
	char path[4096];
	size_t i;
	int ret;

	ret = files ? hp_module_files__find(files, module, path, sizeof(path)) : -ENOENT;
	if (ret)
		hp_fail(&why, HP_E_NO_MODULE_FILE, "no file of module %s", module);
	else
		ret = hp_module_image__open(&img, path, module, s->source->sys_module, &why);
	if (!ret) {
		n = keep_imported(s, img, n);
		if (!n)
			return 0;
		ret = hp_search__aim(s, n, 0);
		for (i = 0; i < hp_module_image__section_count(img) && !ret; i++)
			ret = search_section(s, img, i);
	}
	if (!ret || ret == -ENOMEM)
		return ret;
	ret = search_memory(s, module, n, &memory);
	if (!ret || ret == -ENOMEM)
		return ret;
	hp_debug("no call sites from %s: %s; %s", module, why.message, memory.message);
	for (i = 0, ret = 0; i < n && !ret; i++)
		ret = hp_search__add_blind(s, s->slot[i], module);
	return ret;
}

static void free_loaded(struct loaded *all, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		free(all[i].users);
	free(all);
}

/* "name size refcount users state address": see m_show() in kernel/module/procfs.c. */
static int read_loaded(const char *path, struct loaded **out, size_t *count)
{
	_cleanup_free_ char *line = NULL, *users = NULL;
	_cleanup_file_ FILE *f = fopen(path, "re");
	struct loaded *all = NULL, *more;
	char name[HP_NAME_MAX];
	size_t cap = 0, n = 0;

	*out = NULL;
	*count = 0;
	while (f && getline(&line, &cap, f) > 0) {
		free(users);
		users = NULL;
		if (sscanf(line, "%63s %*s %*s %ms", name, &users) != 2)
			continue;
		more = realloc(all, (n + 1) * sizeof(*all));
		if (!more) {
			free_loaded(all, n);
			return -ENOMEM;
		}
		all = more;
		snprintf(all[n].name, sizeof(all[n].name), "%s", name);
		all[n++].users = users;
		users = NULL;
	}
	*out = all;
	*count = n;
	return 0;
}

int hp_search__modules(struct hp_search *s)
{
	const char *path = s->source->proc_modules ? s->source->proc_modules : PROC_MODULES;
	__cleanup(hp_cleanup_hp_module_files__close) struct hp_module_files *files = NULL;
	_cleanup_free_ bool *exported = calloc(s->target_count + 1, sizeof(*exported));
	struct loaded *all;
	size_t count, i, n;
	int ret;

	if (!exported)
		return -ENOMEM;
	for (i = 0; i < s->target_count; i++)
		exported[i] = s->targets[i].old_addr && is_exported(s, &s->targets[i]);
	ret = read_loaded(path, &all, &count);
	if (!ret && count && hp_module_files__open(&files, s->source->modules_dir))
		hp_info("no list of module files: call sites in modules are not known");
	for (i = 0; i < count && !ret; i++) {
		if (hp_search__stopped(s)) {
			ret = -EINTR;
			break;
		}
		hp_search__show(s, all[i].name);
		n = slots_for_module(s, &all[i], all, count, exported);
		if (n)
			ret = search_module(s, files, all[i].name, n);
	}
	hp_progress_end();
	free_loaded(all, count);
	return ret;
}
