// SPDX-License-Identifier: GPL-2.0
/* The symbols of an ELF file: dynamic ones with their versions, .symtab, the separate debug file. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/elf_file_private.h"

#define DEBUG_FOLDER "/usr/lib/debug"

/* What is asked for. */
struct query {
	const char *file; /* of "file.c:name", not terminated; NULL: any */
	size_t file_len;
	const char *name;
	size_t name_len;
	const char *version; /* NULL: the default one */
	bool unversioned;    /* none that has a version */
	size_t position;     /* which of several, from 1 on, by address; 0: there is but one */
	uint64_t behind;     /* only those at higher addresses, if it is more than 1 */
};

/* A symbol table and what belongs to it. */
struct table {
	Elf *elf;
	Elf_Data *symbols, *versions, *definitions;
	size_t strings; /* section index of the names */
	size_t version_strings;
	size_t count;
};

static bool open_table(struct hp_elf *elf, unsigned int type, struct table *t)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	memset(t, 0, sizeof(*t));
	t->elf = elf->handle;
	while ((scn = elf_nextscn(elf->handle, scn))) {
		if (!gelf_getshdr(scn, &shdr))
			continue;
		if (shdr.sh_type == type && shdr.sh_entsize) {
			t->symbols = elf_getdata(scn, NULL);
			t->strings = shdr.sh_link;
			t->count = shdr.sh_size / shdr.sh_entsize;
		} else if (shdr.sh_type == SHT_GNU_versym && type == SHT_DYNSYM) {
			t->versions = elf_getdata(scn, NULL);
		} else if (shdr.sh_type == SHT_GNU_verdef && type == SHT_DYNSYM) {
			t->definitions = elf_getdata(scn, NULL);
			t->version_strings = shdr.sh_link;
		}
	}
	return t->symbols != NULL;
}

/* The name of version number @index, NULL when the object does not define it. */
static const char *version_name(const struct table *t, unsigned int index)
{
	int at = 0;

	for (;;) {
		GElf_Verdef def;
		GElf_Verdaux aux;

		if (!t->definitions || !gelf_getverdef(t->definitions, at, &def))
			return NULL;
		if (def.vd_ndx == index) {
			if (!gelf_getverdaux(t->definitions, at + (int)def.vd_aux, &aux))
				return NULL;
			return elf_strptr(t->elf, t->version_strings, aux.vda_name);
		}
		if (!def.vd_next)
			return NULL;
		at += (int)def.vd_next;
	}
}

/* Symbol versions as in the Linux Standard Base, "Symbol Versioning": bit 15 hides a symbol. */
static bool version_matches(const struct table *t, size_t i, const struct query *q)
{
	GElf_Versym versym;
	const char *name;

	if (!t->versions || !gelf_getversym(t->versions, (int)i, &versym))
		return true;
	if (q->unversioned)
		return versym == VER_NDX_GLOBAL;
	if (!q->version)
		return !(versym & 0x8000);
	name = version_name(t, versym & 0x7fff);
	return name && !strcmp(name, q->version);
}

/*
 * Search one table. Names that stand twice are an error only when they mean different addresses, and
 * no position is asked for: aliases and repeated entries are not.
 */
static int search_once(const struct table *t, const struct query *q, struct hp_elf_symbol *out)
{
	const char *file = NULL;
	bool found = false;

	for (size_t i = 1; i < t->count; i++) {
		const char *name;
		GElf_Sym sym;

		if (!gelf_getsym(t->symbols, (int)i, &sym))
			continue;
		name = elf_strptr(t->elf, t->strings, sym.st_name);
		if (!name)
			continue;
		/* A file's symbol stands before the local symbols of that file (gABI, st_info). */
		if (GELF_ST_TYPE(sym.st_info) == STT_FILE) {
			file = name;
			continue;
		}
		if (sym.st_shndx == SHN_UNDEF || strncmp(name, q->name, q->name_len) ||
		    name[q->name_len])
			continue;
		if (q->file && (GELF_ST_BIND(sym.st_info) != STB_LOCAL || !file ||
				strlen(file) != q->file_len || strncmp(file, q->file, q->file_len)))
			continue;
		if (!version_matches(t, i, q) || (q->position > 1 && sym.st_value <= q->behind))
			continue;
		if (found && out->address != sym.st_value && !q->position)
			return -ENOTUNIQ;
		if (found && sym.st_value >= out->address)
			continue;
		found = true;
		out->address = sym.st_value;
		out->size = sym.st_size;
		out->type = GELF_ST_TYPE(sym.st_info);
		out->weak = GELF_ST_BIND(sym.st_info) == STB_WEAK;
	}
	return found ? 0 : -ENOENT;
}

static int search(const struct table *t, const struct query *q, struct hp_elf_symbol *out)
{
	struct query each = *q;
	int ret;

	each.position = q->position ? 1 : 0;
	ret = search_once(t, &each, out);
	while (!ret && each.position < q->position) {
		each.position++;
		each.behind = out->address;
		ret = search_once(t, &each, out);
	}
	return ret;
}

static struct hp_elf *debug_file(struct hp_elf *elf)
{
	const char *folder = getenv("HOTPROOF_DEBUG_DIR") ?: DEBUG_FOLDER;
	char hex[HP_BUILD_ID_TEXT_MAX], path[PATH_MAX];

	if (elf->debug_tried || !elf->has_build_id)
		return elf->debug;
	elf->debug_tried = true;
	hp_build_id__format(&elf->build_id, hex);
	if (snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug", folder, hex, hex + 2) >=
		    (int)sizeof(path) ||
	    hp_elf__open(&elf->debug, path, NULL))
		return NULL;
	if (!elf->debug->has_build_id ||
	    !hp_build_id__equal(&elf->debug->build_id, &elf->build_id)) {
		hp_elf__close(elf->debug);
		elf->debug = NULL;
	}
	return elf->debug;
}

int hp_elf__find_symbol(struct hp_elf *elf, const char *name, struct hp_elf_symbol *out)
{
	const char *colon = strchr(name, ':'), *at = strchr(name, '@');
	const char *comma = strrchr(name, ',');
	struct query q = { .name = name, .name_len = strlen(name) };
	struct table t;
	int ret = -ENOENT;

	if (comma) {
		char *end;

		q.position = strtoul(comma + 1, &end, 10);
		if (comma[1] < '1' || comma[1] > '9' || *end)
			return -ENOENT;
		q.name_len = (size_t)(comma - name);
	}

	if (colon) {
		q.file = name;
		q.file_len = (size_t)(colon - name);
		q.name = colon + 1;
		q.name_len -= (size_t)(q.name - name);
	} else if (at) {
		q.name_len = (size_t)(at - name);
		q.version = at[1] == '@' ? at + 2 : at + 1;
	}
	/* Of versions there is one each. */
	if (!q.name_len || (q.position && q.version))
		return -ENOENT;
	/* Positions are those of a table with all names. */
	if (!q.file && !q.position && open_table(elf, SHT_DYNSYM, &t)) {
		out->source = "dynsym";
		ret = search(&t, &q, out);
	}
	/* Other tables have no versions: "name@VERSION" is not to be found there. */
	if (ret == -ENOENT && !q.version && open_table(elf, SHT_SYMTAB, &t)) {
		out->source = "symtab";
		ret = search(&t, &q, out);
	}
	if (ret == -ENOENT && !q.version && debug_file(elf) &&
	    open_table(elf->debug, SHT_SYMTAB, &t)) {
		out->source = "debug file";
		ret = search(&t, &q, out);
	}
	return ret;
}

int hp_elf__find_dynamic(struct hp_elf *elf, const char *name, const char *version,
			 struct hp_elf_symbol *out)
{
	struct query q = { .name = name, .name_len = strlen(name), .version = version };
	struct table t;
	int ret;

	if (!open_table(elf, SHT_DYNSYM, &t))
		return -ENOENT;
	out->source = "dynsym";
	ret = search(&t, &q, out);
	/* A symbol without a version does for each: glibc, check_match() in elf/dl-lookup.c. */
	q.unversioned = true;
	return ret == -ENOENT && version ? search(&t, &q, out) : ret;
}

/* The function of @t that holds @address. */
static bool holds(const struct table *t, uint64_t address, const char **name, uint64_t *offset)
{
	for (size_t i = 1; i < t->count; i++) {
		GElf_Sym sym;

		if (!gelf_getsym(t->symbols, (int)i, &sym) || sym.st_shndx == SHN_UNDEF ||
		    (GELF_ST_TYPE(sym.st_info) != STT_FUNC &&
		     GELF_ST_TYPE(sym.st_info) != STT_GNU_IFUNC) ||
		    address < sym.st_value || address - sym.st_value >= sym.st_size)
			continue;
		*name = elf_strptr(t->elf, t->strings, sym.st_name);
		*offset = address - sym.st_value;
		return *name && **name;
	}
	return false;
}

int hp_elf__symbol_at(struct hp_elf *elf, uint64_t address, const char **name, uint64_t *offset)
{
	struct table t;

	if ((open_table(elf, SHT_SYMTAB, &t) && holds(&t, address, name, offset)) ||
	    (debug_file(elf) && open_table(elf->debug, SHT_SYMTAB, &t) &&
	     holds(&t, address, name, offset)) ||
	    (open_table(elf, SHT_DYNSYM, &t) && holds(&t, address, name, offset)))
		return 0;
	return -ENOENT;
}

static const char *first_between(const struct table *t, uint64_t from, uint64_t to)
{
	for (size_t i = 1; i < t->count; i++) {
		const char *name;
		GElf_Sym sym;

		if (!gelf_getsym(t->symbols, (int)i, &sym) || sym.st_shndx == SHN_UNDEF ||
		    sym.st_shndx >= SHN_LORESERVE || sym.st_value < from || sym.st_value >= to ||
		    (GELF_ST_TYPE(sym.st_info) != STT_FUNC &&
		     GELF_ST_TYPE(sym.st_info) != STT_GNU_IFUNC &&
		     GELF_ST_TYPE(sym.st_info) != STT_NOTYPE))
			continue;
		name = elf_strptr(t->elf, t->strings, sym.st_name);
		if (name && *name)
			return name;
	}
	return NULL;
}

const char *hp_elf__symbol_between(struct hp_elf *elf, uint64_t from, uint64_t to)
{
	const char *name = NULL;
	struct table t;

	if (open_table(elf, SHT_SYMTAB, &t))
		name = first_between(&t, from, to);
	if (!name && debug_file(elf) && open_table(elf->debug, SHT_SYMTAB, &t))
		name = first_between(&t, from, to);
	if (!name && open_table(elf, SHT_DYNSYM, &t))
		name = first_between(&t, from, to);
	return name;
}

static bool has_section(struct hp_elf *elf, const char *name)
{
	GElf_Shdr shdr;

	return hp_elf__find_section(elf, name, &shdr) && shdr.sh_type != SHT_NOBITS;
}

struct hp_elf *hp_elf__with_section(struct hp_elf *elf, const char *name)
{
	if (has_section(elf, name))
		return elf;
	return debug_file(elf) && has_section(elf->debug, name) ? elf->debug : NULL;
}
