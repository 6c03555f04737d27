// SPDX-License-Identifier: GPL-2.0
/*
 * From what a compiled hotfix asks for to attaches. The places are written down in link addresses:
 * an apply accepts objects of the same build-id only, where the same symbols are at the same places,
 * so it needs no debug data.
 */
#include "hotfix/resolve.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/arch.h"
#include "base/log.h"
#include "hotfix/entry.h"
#include "hotfix/slot.h"

static int symbol_error(int ret, const char *name, const struct hp_elf *target,
			struct hp_error *err)
{
	if (ret == -ENOTUNIQ)
		return hp_fail(err, HP_E_TARGET_AMBIGUOUS, "'%s' stands more than once in %s", name,
			       hp_elf__path(target));
	return hp_fail(err, HP_E_TARGET, "'%s' is not among the symbols of %s", name,
		       hp_elf__path(target));
}

static int check_room(const uint8_t *code, size_t len, const struct hp_forward *f,
		      struct hp_error *err)
{
	struct hp_arch_entry entry;

	if (hp_arch__plan_entry(code, len, f->size, &entry))
		return hp_fail(err, HP_E_TARGET_SHORT,
			       "'%s' has %" PRIu64 " bytes and no padding behind it", f->target,
			       f->size);
	return 0;
}

static int add_forward(struct hp_elf *target, struct hp_hotfix_meta *meta, const char *replacement,
		       const char *name, struct hp_error *err)
{
	struct hp_forward *grown, *f;
	struct hp_elf_symbol symbol;
	_cleanup_free_ uint8_t *code = NULL;
	size_t len;
	int ret;

	if (meta->forward_count == HP_HOTFIX_ATTACHES_MAX)
		return hp_fail(err, HP_E_BUILD, "a hotfix has at most %d targets",
			       HP_HOTFIX_ATTACHES_MAX);
	grown = realloc(meta->forward, (meta->forward_count + 1) * sizeof(*grown));
	if (!grown)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	meta->forward = grown;
	f = &grown[meta->forward_count++];
	memset(f, 0, sizeof(*f));
	f->target = strdup(name);
	f->replacement = strdup(replacement);
	if (!f->target || !f->replacement)
		return hp_fail(err, HP_E_NOMEM, "out of memory");

	ret = hp_elf__find_symbol(target, name, &symbol);
	if (ret)
		return symbol_error(ret, name, target, err);
	if (symbol.type == STT_GNU_IFUNC)
		return hp_fail(err, HP_E_HOTFIX_UNSUPPORTED,
			       "'%s' only chooses an implementation (IFUNC): replace those", name);
	if (symbol.type != STT_FUNC)
		return hp_fail(err, HP_E_TARGET, "'%s' is no function", name);
	if (!symbol.size || symbol.size > HP_HOTFIX_FUNCTION_MAX)
		return hp_fail(err, HP_E_TARGET, "'%s' has a size of %" PRIu64 " bytes", name,
			       symbol.size);
	f->address = symbol.address;
	f->size = symbol.size;

	len = symbol.size + HP_ARCH_ENTRY_MAX;
	code = malloc(len);
	if (!code)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	/* What follows may end before. */
	if (hp_elf__read(target, symbol.address, code, len)) {
		len = symbol.size;
		if (hp_elf__read(target, symbol.address, code, len))
			return hp_fail(err, HP_E_TARGET, "the code of '%s' is not in %s", name,
				       hp_elf__path(target));
	}
	hp_hotfix__hash(code, symbol.size, f->sha256);
	return check_room(code, len, f, err) ?: hp_entry__check(target, f, err);
}

static struct hp_reverse *add_reverse(struct hp_hotfix_meta *meta, const char *symbol)
{
	struct hp_reverse *grown, *r;

	grown = realloc(meta->reverse, (meta->reverse_count + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	meta->reverse = grown;
	r = &grown[meta->reverse_count];
	memset(r, 0, sizeof(*r));
	r->symbol = strdup(symbol);
	if (!r->symbol)
		return NULL;
	meta->reverse_count++;
	return r;
}

/* The attach section is made of three strings for each: kind, here, there (hotproof/hotfix.h). */
struct attach_reader {
	const char *at, *end;
};

static const char *next_string(struct attach_reader *reader)
{
	const char *s = reader->at;
	const char *nul = s < reader->end ? memchr(s, '\0', (size_t)(reader->end - s)) : NULL;

	if (!nul)
		return NULL;
	reader->at = nul + 1;
	return s;
}

/* What HOTPROOF_REVERSE() says that @symbol is called in the target; *name stays if nothing. */
static int name_in_target(struct attach_reader reader, const char *symbol, const char **name,
			  struct hp_error *err)
{
	const char *kind, *here, *there, *own = *name;

	while ((kind = next_string(&reader)) && (here = next_string(&reader)) &&
	       (there = next_string(&reader))) {
		if (strcmp(kind, "reverse") || strcmp(here, symbol))
			continue;
		if (*name != own && strcmp(*name, there))
			return hp_fail(err, HP_E_BUILD,
				       "HOTPROOF_REVERSE() says two things of '%s'", symbol);
		*name = there;
	}
	return 0;
}

static bool is_dynamic(const struct hp_elf_symbol *symbol)
{
	return !strcmp(symbol->source, "dynsym");
}

/* @own is @symbol as the object file has it, with its version if it has one. */
static int resolve_reverse(struct hp_elf *target, struct hp_hotfix_meta *meta,
			   struct attach_reader reader, const char *symbol, const char *own,
			   struct hp_error *err)
{
	struct hp_reverse *r = add_reverse(meta, symbol);
	struct hp_elf_symbol found;
	const char *name = own;
	int ret = name_in_target(reader, symbol, &name, err);

	if (ret)
		return ret;
	if (!r)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = hp_elf__find_symbol(target, name, &found);
	/* Somebody else's, unless the author said that it is the target's. */
	if (ret == -ENOENT && name == own)
		return 0;
	if (ret)
		return symbol_error(ret, name, target, err);
	if (found.type == STT_TLS)
		return hp_fail(err, HP_E_HOTFIX_UNSUPPORTED, "'%s' is a thread-local variable",
			       name);
	/*
	 * Which implementation it is, the process decides. A dynamic symbol is looked up there, as any
	 * library's; a private one, or that of a static program, is the target's.
	 */
	r->indirect = found.type == STT_GNU_IFUNC;
	if (r->indirect && name == own && is_dynamic(&found)) {
		r->indirect = false;
		return 0;
	}
	/*
	 * Other objects may come before the target's own exported symbols: the program's copy of a
	 * variable, a malloc() that was preloaded.
	 */
	if (name == own && is_dynamic(&found))
		r->slot = hp_slot__find(target, symbol, found.address, found.type == STT_OBJECT);
	r->name = strdup(name);
	r->in_target = true;
	r->address = found.address;
	return r->name ? 0 : hp_fail(err, HP_E_NOMEM, "out of memory");
}

/*
 * Two versions of one name are two undefined symbols. What other libraries have is bound by version;
 * the target's own are known by their name alone.
 */
static int check_versions(const struct hp_hotfix_meta *meta, struct hp_error *err)
{
	for (size_t i = 0; i < meta->reverse_count; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(meta->reverse[i].symbol, meta->reverse[j].symbol) &&
			    (meta->reverse[i].in_target || meta->reverse[j].in_target))
				return hp_fail(
					err, HP_E_HOTFIX_UNSUPPORTED,
					"two versions of '%s', which the target has, are used",
					meta->reverse[i].symbol);
	return 0;
}

/* A HOTPROOF_REVERSE() for what nobody uses may be a slip of the pen: what was meant is bound otherwise. */
static void warn_unused(const struct hp_hotfix_meta *meta, struct attach_reader reader)
{
	const char *kind, *here, *there;

	while ((kind = next_string(&reader)) && (here = next_string(&reader)) &&
	       (there = next_string(&reader))) {
		bool used = strcmp(kind, "reverse") != 0;

		for (size_t i = 0; i < meta->reverse_count && !used; i++)
			used = !strcmp(meta->reverse[i].symbol, here);
		if (!used)
			hp_warn("HOTPROOF_REVERSE(%s, \"%s\"): the source does not use %s, or defines it",
				here, there, here);
	}
}

static int resolve_undefined(struct hp_elf *object, struct hp_elf *target,
			     struct hp_hotfix_meta *meta, struct attach_reader reader,
			     struct hp_error *err)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = hp_elf__find_section(object, ".symtab", &shdr);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	GElf_Sym sym;
	int ret = 0;

	for (int i = 1; data && !ret && gelf_getsym(data, i, &sym); i++) {
		const char *name = elf_strptr(hp_elf__handle(object), shdr.sh_link, sym.st_name);
		_cleanup_free_ char *plain = NULL;

		/* The assembler's own name for the table that the linker makes. */
		if (sym.st_shndx != SHN_UNDEF || !name || !*name ||
		    !strcmp(name, "_GLOBAL_OFFSET_TABLE_"))
			continue;
		/* What .symver made, "name@VERSION": the linker keeps the version elsewhere. */
		plain = strndup(name, strcspn(name, "@"));
		ret = plain ? resolve_reverse(target, meta, reader, plain, name, err)
			    : hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	ret = ret ?: check_versions(meta, err);
	if (!ret)
		warn_unused(meta, reader);
	return ret;
}

int hp_resolve__run(struct hp_elf *object, struct hp_elf *target, struct hp_hotfix_meta *meta,
		    struct hp_error *err)
{
	const struct hp_build_id *id = hp_elf__build_id(target);
	GElf_Shdr shdr;
	Elf_Scn *scn = hp_elf__find_section(object, ".hotproof.attach", &shdr);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	struct attach_reader all, reader;
	const char *kind, *here, *there;
	int ret = 0;

	if (!id)
		return hp_fail(err, HP_E_TARGET,
			       "%s has no build-id, so nobody could tell it from another build",
			       hp_elf__path(target));
	if (hp_elf__header(target)->e_machine != hp_arch_elf_machine)
		return hp_fail(err, HP_E_ARCH, "%s is for another processor", hp_elf__path(target));
	meta->target_id = *id;
	if (!data || !data->d_buf)
		return hp_fail(err, HP_E_BUILD, "the source has no HOTPROOF_REPLACE()");
	all = (struct attach_reader){ data->d_buf, (const char *)data->d_buf + data->d_size };
	reader = all;
	while (!ret && (kind = next_string(&reader)) && (here = next_string(&reader)) &&
	       (there = next_string(&reader)))
		if (!strcmp(kind, "forward"))
			ret = add_forward(target, meta, here, there, err);
	if (!ret && !meta->forward_count)
		return hp_fail(err, HP_E_BUILD, "the source has no HOTPROOF_REPLACE()");
	return ret ?: resolve_undefined(object, target, meta, all, err);
}

/*
 * What code that has to do with exceptions refers to. The unwinder itself says nothing: each static
 * program holds one, for pthread_cancel().
 */
static bool is_of_exceptions(const char *name)
{
	static const char *const names[] = { "__gxx_personality_v0", "__cxa_throw",
					     "rust_eh_personality", "__gnat_personality_v0" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* True if one of the file's symbols, in any of its tables, is one of those. */
static bool has_exceptions(struct hp_elf *elf)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while ((scn = elf_nextscn(hp_elf__handle(elf), scn))) {
		Elf_Data *data;
		GElf_Sym sym;

		if (!gelf_getshdr(scn, &shdr) ||
		    (shdr.sh_type != SHT_DYNSYM && shdr.sh_type != SHT_SYMTAB))
			continue;
		data = elf_getdata(scn, NULL);
		for (int i = 1; data && gelf_getsym(data, i, &sym); i++) {
			const char *name =
				elf_strptr(hp_elf__handle(elf), shdr.sh_link, sym.st_name);

			if (name && is_of_exceptions(name))
				return true;
		}
	}
	return false;
}

/* True if code of the object file refers to a function that it does not hold. */
static bool calls_others(struct hp_elf *object, struct hp_elf *target,
			 const struct hp_hotfix_meta *meta)
{
	for (size_t i = 0; i < meta->reverse_count; i++) {
		const struct hp_reverse *r = &meta->reverse[i];
		struct hp_elf_symbol found;

		if (!r->in_target || hp_elf__find_symbol(target, r->name, &found) ||
		    found.type == STT_FUNC || found.type == STT_GNU_IFUNC)
			return true;
	}
	return has_exceptions(object);
}

int hp_resolve__check_exceptions(struct hp_elf *object, struct hp_elf *target,
				 const struct hp_hotfix_meta *meta, struct hp_error *err)
{
	if (!has_exceptions(target) || !calls_others(object, target, meta))
		return 0;
	return hp_fail(err, HP_E_HOTFIX_UNSUPPORTED,
		       "exceptions of %s may pass through a replacement: --no-exceptions says that "
		       "none does",
		       hp_elf__path(target));
}
