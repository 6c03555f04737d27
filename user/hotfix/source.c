// SPDX-License-Identifier: GPL-2.0
/* The object file of a hotfix's source, looked at for what its author should know. */
#include "hotfix/source.h"

#include <string.h>

#include "base/log.h"

/* The object file's symbols. */
struct symbols {
	Elf *elf;
	Elf_Data *data;
	size_t strings;
};

static bool open_symbols(struct hp_elf *object, struct symbols *s)
{
	GElf_Shdr shdr = { 0 };
	Elf_Scn *scn = hp_elf__find_section(object, ".symtab", &shdr);

	s->elf = hp_elf__handle(object);
	s->data = scn ? elf_getdata(scn, NULL) : NULL;
	s->strings = shdr.sh_link;
	return s->data != NULL;
}

static const char *get(const struct symbols *s, int i, GElf_Sym *sym)
{
	return gelf_getsym(s->data, i, sym) ? elf_strptr(s->elf, s->strings, sym->st_name) : NULL;
}

/* The defined symbol @name. */
static bool find(const struct symbols *s, const char *name, GElf_Sym *out)
{
	const char *each;

	for (int i = 1; gelf_getsym(s->data, i, out); i++) {
		each = get(s, i, out);
		if (each && out->st_shndx != SHN_UNDEF && !strcmp(each, name))
			return true;
	}
	return false;
}

static int check_one(const struct symbols *s, const char *name, struct hp_error *err)
{
	GElf_Sym sym;

	if (!find(s, name, &sym))
		return hp_fail(err, HP_E_BUILD,
			       "the source defines no function '%s' (in C++: not as extern \"C\")",
			       name);
	if (GELF_ST_TYPE(sym.st_info) == STT_GNU_IFUNC)
		return hp_fail(err, HP_E_BUILD, "'%s' only chooses an implementation (IFUNC)",
			       name);
	if (GELF_ST_TYPE(sym.st_info) != STT_FUNC)
		return hp_fail(err, HP_E_BUILD, "'%s' is no function", name);
	if (GELF_ST_BIND(sym.st_info) == STB_LOCAL)
		return hp_fail(err, HP_E_BUILD, "'%s' is static: a replacement may not be", name);
	if (GELF_ST_VISIBILITY(sym.st_other) != STV_DEFAULT &&
	    GELF_ST_VISIBILITY(sym.st_other) != STV_PROTECTED)
		return hp_fail(err, HP_E_BUILD,
			       "'%s' is hidden (-fvisibility): a replacement may not be", name);
	return 0;
}

int hp_source__check(struct hp_elf *object, const struct hp_hotfix_meta *meta, struct hp_error *err)
{
	struct symbols s;

	if (!open_symbols(object, &s))
		return hp_fail(err, HP_E_BUILD, "the object file has no symbols");
	for (size_t i = 0; i < meta->forward_count; i++) {
		int ret = check_one(&s, meta->forward[i].replacement, err);

		for (size_t j = 0; j < i && !ret; j++)
			if (meta->forward[i].address == meta->forward[j].address)
				ret = hp_fail(
					err, HP_E_BUILD,
					"'%s' and '%s' are one function: it can be replaced once",
					meta->forward[j].target, meta->forward[i].target);
		if (ret)
			return ret;
	}
	return 0;
}

/* The target that the undefined symbol @name stands for; NULL when it is none. */
static const struct hp_forward *target_of(const struct hp_hotfix_meta *meta, const char *name)
{
	for (size_t r = 0; r < meta->reverse_count; r++) {
		if (!meta->reverse[r].in_target || strcmp(meta->reverse[r].symbol, name))
			continue;
		for (size_t i = 0; i < meta->forward_count; i++)
			if (meta->forward[i].address == meta->reverse[r].address)
				return &meta->forward[i];
	}
	return NULL;
}

/* A reference to a target at @offset of section @section: is it in the target's own replacement? */
static void look_at(const struct symbols *s, const struct hp_hotfix_meta *meta,
		    const GElf_Rela *rela, size_t section)
{
	const struct hp_forward *f;
	GElf_Sym sym, own;
	const char *name = get(s, (int)GELF_R_SYM(rela->r_info), &sym);

	f = name && sym.st_shndx == SHN_UNDEF ? target_of(meta, name) : NULL;
	if (f && find(s, f->replacement, &own) && own.st_shndx == section &&
	    rela->r_offset >= own.st_value && rela->r_offset - own.st_value < own.st_size)
		hp_warn("%s, the replacement of %s, calls %s: such a call comes to the replacement "
			"again, not to the old code",
			f->replacement, f->target, name);
}

void hp_source__warn(struct hp_elf *object, const struct hp_hotfix_meta *meta)
{
	Elf_Scn *scn = NULL;
	struct symbols s;
	GElf_Shdr shdr;

	if (!open_symbols(object, &s))
		return;
	while ((scn = elf_nextscn(s.elf, scn))) {
		Elf_Data *data;
		GElf_Rela rela;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_RELA)
			continue;
		data = elf_getdata(scn, NULL);
		for (int i = 0; data && gelf_getrela(data, i, &rela); i++)
			look_at(&s, meta, &rela, shdr.sh_info);
	}
}
