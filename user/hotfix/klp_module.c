// SPDX-License-Identifier: GPL-2.0
/* A kernel livepatch module as a file: what it says about itself, and what it refers back to. */
#include "hotfix/klp_module.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hotfix/target.h"
#include "hotfix/klp_layout.h"
#include "hotfix/module_elf.h"

#ifndef SHN_LIVEPATCH
#define SHN_LIVEPATCH 0xff20 /* include/uapi/linux/elf.h of the kernel */
#endif

#define KLP_SYM_PREFIX ".klp.sym."

/*
 * struct module begins with its state and a list_head on every 64-bit configuration; the name is
 * what the kernel goes by, "name=" in .modinfo is a copy for user space.
 */
#define MODULE_NAME_OFFSET 24

static int read_name(struct hp_klp_module *mod, struct hp_error *err)
{
	struct hp_place place = {
		hp_module_elf__section(mod->elf, ".gnu.linkonce.this_module"),
		MODULE_NAME_OFFSET,
	};

	mod->name = hp_module_elf__string(mod->elf, place);
	if (!mod->name || !hp_klp_layout__is_name(mod->name, HP_NAME_MAX))
		mod->name = hp_module_elf__modinfo(mod->elf, "name");
	if (!mod->name || !hp_klp_layout__is_name(mod->name, HP_NAME_MAX) || strchr(mod->name, '/'))
		return hp_fail(err, HP_E_FILE_CORRUPT, "%s: the module has no name", mod->path);
	return 0;
}

static void read_about(struct hp_klp_module *mod)
{
	const struct hp_module_elf *m = mod->elf;
	size_t notes = hp_module_elf__section(m, ".note.gnu.build-id");
	size_t btf = hp_module_elf__section(m, ".BTF");

	mod->file_size = m->file_size;
	mod->vermagic = hp_module_elf__modinfo(m, "vermagic");
	mod->srcversion = hp_module_elf__modinfo(m, "srcversion");
	mod->version = hp_module_elf__modinfo(m, "version");
	mod->license = hp_module_elf__modinfo(m, "license");
	mod->description = hp_module_elf__modinfo(m, "description");
	mod->depends = hp_module_elf__modinfo(m, "depends");
	mod->modversions = hp_module_elf__section(m, "__versions") != 0;
	mod->btf = btf && m->sections[btf].size;
	mod->signature = m->signature;
	if (notes && m->sections[notes].data)
		hp_build_id__from_notes(&mod->build_id, m->sections[notes].data,
					m->sections[notes].size);
	for (size_t i = 1; i < m->section_count; i++) {
		const struct hp_module_section *s = &m->sections[i];

		/* The kernel frees .init.text after init, and .exit.text only runs at the end. */
		if ((s->flags & (SHF_ALLOC | SHF_EXECINSTR)) == (SHF_ALLOC | SHF_EXECINSTR) &&
		    s->data && strncmp(s->name, ".init", 5) != 0 &&
		    strncmp(s->name, ".exit", 5) != 0)
			mod->text_size += s->size;
	}
}

/* ".klp.sym.OBJECT.SYMBOL,POSITION"; an object's name has no dot, a symbol's may have some. */
static int parse_reverse(struct hp_klp_reverse *out, const char *name)
{
	const char *object = name + strlen(KLP_SYM_PREFIX);
	const char *dot = strchr(object, '.'), *comma = strrchr(object, ',');
	char *end;

	if (!dot || !comma || comma < dot || dot == object || comma == dot + 1)
		return -EBADMSG;
	errno = 0;
	out->sympos = strtoull(comma + 1, &end, 10);
	if (errno || *end || comma[1] < '0' || comma[1] > '9')
		return -EBADMSG;
	out->object = strndup(object, (size_t)(dot - object));
	out->symbol = strndup(dot + 1, (size_t)(comma - dot - 1));
	if (!out->object || !out->symbol)
		return -ENOMEM;
	return hp_klp_layout__is_name(out->object, HP_NAME_MAX) &&
			       hp_klp_layout__is_name(out->symbol, HP_SYMBOL_MAX)
		       ? 0
		       : -EBADMSG;
}

static size_t count_references(const struct hp_module_elf *m, const char *symbol)
{
	size_t n = 0;

	/* Names are compared as pointers: each symbol has its own in the string table. */
	for (size_t i = 0; i < m->reloc_count; i++)
		n += m->relocs[i].livepatch && m->relocs[i].symbol == symbol;
	return n;
}

static bool is_reverse(const struct hp_module_symbol *sym)
{
	return sym->shndx == SHN_LIVEPATCH;
}

static bool is_import(const struct hp_module_symbol *sym)
{
	return sym->shndx == SHN_UNDEF && sym->name[0] && !sym->weak;
}

static int read_references(struct hp_klp_module *mod, struct hp_error *err)
{
	const struct hp_module_elf *m = mod->elf;
	size_t reverses = 0, imports = 0;
	int ret;

	for (size_t i = 1; i < m->symbol_count; i++) {
		reverses += is_reverse(&m->symbols[i]);
		imports += is_import(&m->symbols[i]);
	}
	mod->reverses = calloc(reverses + 1, sizeof(*mod->reverses));
	mod->imports = calloc(imports + 1, sizeof(*mod->imports));
	if (!mod->reverses || !mod->imports)
		return hp_fail(err, HP_E_NOMEM, "no memory for %zu symbols", reverses + imports);
	for (size_t i = 1; i < m->symbol_count; i++) {
		const struct hp_module_symbol *sym = &m->symbols[i];
		struct hp_klp_reverse *reverse;

		if (is_import(sym))
			mod->imports[mod->import_count++] = sym->name;
		if (!is_reverse(sym))
			continue;
		reverse = &mod->reverses[mod->reverse_count++];
		ret = strncmp(sym->name, KLP_SYM_PREFIX, strlen(KLP_SYM_PREFIX))
			      ? -EBADMSG
			      : parse_reverse(reverse, sym->name);
		if (ret == -ENOMEM)
			return hp_fail(err, HP_E_NOMEM, "no memory for a symbol");
		if (ret)
			return hp_fail(err, HP_E_FILE_CORRUPT,
				       "%s: livepatch symbol %zu is not named "
				       ".klp.sym.OBJECT.SYMBOL,POSITION",
				       mod->path, i);
		reverse->references = count_references(m, sym->name);
	}
	return 0;
}

int hp_klp_module__open(struct hp_klp_module **out, const char *path, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_klp_module__close) struct hp_klp_module *mod = NULL;
	const char *flag;
	int ret;

	mod = calloc(1, sizeof(*mod));
	if (!mod)
		return hp_fail(err, HP_E_NOMEM, "no memory for %s", path);
	ret = hp_module_elf__open(&mod->elf, path, err);
	if (ret)
		return ret;
	mod->path = mod->elf->path;
	/* check_modinfo_livepatch() in the kernel wants just this. */
	flag = hp_module_elf__modinfo(mod->elf, "livepatch");
	if (!hp_module_elf__section(mod->elf, ".modinfo"))
		return hp_fail(err, HP_E_FILE_NOT_LIVEPATCH, "%s is not a kernel module", path);
	if (!flag || strcmp(flag, "Y") != 0)
		return hp_fail(err, HP_E_FILE_NOT_LIVEPATCH,
			       "%s is a kernel module, but not marked as a livepatch", path);
	ret = read_name(mod, err);
	if (!ret)
		ret = hp_klp_layout__read(mod, err);
	if (!ret)
		ret = read_references(mod, err);
	if (ret)
		return ret;
	read_about(mod);
	*out = mod;
	mod = NULL;
	return 0;
}

void hp_klp_module__close(struct hp_klp_module *mod)
{
	if (!mod)
		return;
	for (size_t i = 0; i < mod->reverse_count; i++) {
		free(mod->reverses[i].object);
		free(mod->reverses[i].symbol);
	}
	free(mod->reverses);
	free(mod->imports);
	free(mod->callbacks);
	free(mod->targets);
	hp_module_elf__close(mod->elf);
	free(mod);
}

int hp_klp_module__fd(const struct hp_klp_module *mod)
{
	return mod->elf->fd;
}

int hp_klp_module__unchanged(const struct hp_klp_module *mod, struct hp_error *err)
{
	return hp_module_elf__unchanged(mod->elf, err);
}

char *hp_klp_module__vermagic_of(const char *path)
{
	__cleanup(hp_cleanup_hp_module_elf__close) struct hp_module_elf *m = NULL;
	const char *vermagic;

	if (hp_module_elf__open(&m, path, NULL))
		return NULL;
	vermagic = hp_module_elf__modinfo(m, "vermagic");
	return vermagic ? strdup(vermagic) : NULL;
}
