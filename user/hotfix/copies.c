// SPDX-License-Identifier: GPL-2.0
/* Copies of targets under other names, and the calls of targets, in the target file. */
#include "hotfix/copies.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/arch.h"
#include "arch/text.h"
#include "hotfix/slot.h"

size_t hp_copies__name(const char *target, const char **name, const char **file)
{
	const char *colon = strchr(target, ':');

	*file = colon ? target : NULL;
	*name = colon ? colon + 1 : target;
	return strcspn(*name, "@,");
}

struct hp_remark *hp_copies__add(struct hp_hotfix_meta *meta, enum hp_remark_kind kind,
				 const char *target, const char *text)
{
	struct hp_remark *grown = realloc(meta->remarks, (meta->remark_count + 1) * sizeof(*grown));
	struct hp_remark *remark;

	if (!grown)
		return NULL;
	meta->remarks = grown;
	remark = &grown[meta->remark_count];
	*remark =
		(struct hp_remark){ .kind = kind, .target = strdup(target), .text = strdup(text) };
	meta->remark_count++;
	return remark->target && remark->text ? remark : NULL;
}

/* What GCC and Clang append to the names of clones, and to the part of a function that rarely runs. */
static bool is_clone(const char *suffix, bool *cold)
{
	static const char *const kinds[] = { ".constprop", ".isra", ".part", ".lto_priv", ".llvm" };

	*cold = strstr(suffix, ".cold") != NULL;
	if (!strncmp(suffix, ".cold", 5))
		return true;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strncmp(suffix, kinds[i], strlen(kinds[i])))
			return true;
	return false;
}

static int add_clone(struct hp_hotfix_meta *meta, const struct hp_forward *f, const char *name,
		     const GElf_Sym *sym)
{
	const char *own, *file;
	struct hp_remark *remark;
	size_t len = hp_copies__name(f->target, &own, &file);
	char text[700];
	bool cold;

	if (strncmp(name, own, len) || !is_clone(name + len, &cold) || sym->st_value == f->address)
		return 0;
	/* The cold part of the target itself is entered from nowhere else. */
	cold = cold && !strncmp(name + len, ".cold", 5);
	snprintf(text, sizeof(text),
		 cold ? "its rarely run part is %.500s"
		      : "cloned as %.500s, which is not redirected: replace it too",
		 name);
	remark = hp_copies__add(meta, cold ? HP_REMARK_COLD : HP_REMARK_CLONE, f->target, text);
	if (!remark)
		return -ENOMEM;
	remark->address = sym->st_value;
	remark->size = sym->st_size;
	return 0;
}

static int find_clones(struct hp_elf *target, struct hp_hotfix_meta *meta)
{
	struct hp_elf *with = hp_elf__with_section(target, ".symtab");
	GElf_Shdr shdr;
	Elf_Scn *scn = with ? hp_elf__find_section(with, ".symtab", &shdr) : NULL;
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	GElf_Sym sym;

	if (!data)
		return -ENODATA;
	for (int i = 1; gelf_getsym(data, i, &sym); i++) {
		const char *name = elf_strptr(hp_elf__handle(with), shdr.sh_link, sym.st_name);
		int ret = 0;

		if (!name || GELF_ST_TYPE(sym.st_info) != STT_FUNC || sym.st_shndx == SHN_UNDEF)
			continue;
		for (size_t f = 0; f < meta->forward_count && !ret; f++)
			ret = add_clone(meta, &meta->forward[f], name, &sym);
		if (ret)
			return ret;
	}
	return 0;
}

/* How one target is called within its file. */
struct calls {
	uint64_t slot; /* of the global offset table, for calls through it; 0: none */
	uint64_t stub; /* of the PLT: jumps to where the slot says; 0 until it is seen */
	uint64_t count;
};

/* What one instruction does about one target. The PLT lies in front of the code that uses it. */
static void count_one(struct calls *calls, const struct hp_forward *f, const uint8_t *code,
		      uint64_t here, const struct hp_insn *insn)
{
	bool inside = here >= f->address && here < f->address + f->size;

	if (insn->branch == HP_BRANCH_NONE) {
		if (!calls->slot || !insn->has_reference || !insn->reference_load ||
		    insn->reference != calls->slot)
			return;
		if (hp_arch__is_indirect_jump(code, insn->length))
			calls->stub = here;
		else
			calls->count += hp_arch__is_indirect_call(code, insn->length);
		return;
	}
	if (insn->target == f->address)
		/* Not the target's own loops. */
		calls->count += insn->branch == HP_BRANCH_CALL || !inside;
	else if (calls->stub)
		/* A landing pad may stand in front of the jump. */
		calls->count += insn->target <= calls->stub && insn->target + 4 >= calls->stub;
}

/* Count the calls in the code of one segment, decoded from its beginning. */
static int count_calls(struct hp_elf *target, const GElf_Phdr *segment,
		       const struct hp_hotfix_meta *meta, struct calls *calls)
{
	size_t len = segment->p_filesz;
	_cleanup_free_ uint8_t *code = malloc(len);
	struct hp_insn insn;

	if (!code)
		return -ENOMEM;
	if (hp_elf__read(target, segment->p_vaddr, code, len))
		return -EFAULT;
	for (size_t at = 0; at < len; at += insn.length) {
		uint64_t here = segment->p_vaddr + at;

		/* Tables stand between functions: the next byte may be code again. */
		if (hp_text__decode(code + at, len - at, here, &insn)) {
			insn.length = 1;
			continue;
		}
		if (insn.branch == HP_BRANCH_NONE && !insn.has_reference)
			continue;
		for (size_t i = 0; i < meta->forward_count; i++)
			count_one(&calls[i], &meta->forward[i], code + at, here, &insn);
	}
	return 0;
}

/* True if other files can call the target by its name. */
static bool is_exported(struct hp_elf *target, const struct hp_forward *f, const char *name)
{
	const char *version = strchr(f->target, '@');
	struct hp_elf_symbol symbol;

	if (version)
		version += version[1] == '@' ? 2 : 1;
	return !strchr(f->target, ':') && !hp_elf__find_dynamic(target, name, version, &symbol) &&
	       symbol.address == f->address;
}

static int add_calls(struct hp_hotfix_meta *meta, const struct hp_forward *f, uint64_t count,
		     bool exported)
{
	struct hp_remark *remark;
	char text[200];

	snprintf(text, sizeof(text), "%" PRIu64 " call%s in the file%s", count,
		 count == 1 ? "" : "s",
		 exported ? "; exported, so other files and pointers may call it too"
			  : "; private, so only pointers may call it too");
	remark = hp_copies__add(meta, HP_REMARK_CALLS, f->target, text);
	if (!remark)
		return -ENOMEM;
	remark->count = count;
	return 0;
}

static int find_calls(struct hp_elf *target, struct hp_hotfix_meta *meta)
{
	_cleanup_free_ struct calls *calls = calloc(meta->forward_count, sizeof(*calls));
	_cleanup_free_ bool *exported = calloc(meta->forward_count, sizeof(*exported));
	int ret = calls && exported ? 0 : -ENOMEM;

	for (size_t i = 0; i < meta->forward_count && !ret; i++) {
		const char *name, *file;
		size_t len = hp_copies__name(meta->forward[i].target, &name, &file);
		_cleanup_free_ char *plain = strndup(name, len);

		if (!plain)
			return -ENOMEM;
		exported[i] = is_exported(target, &meta->forward[i], plain);
		if (exported[i])
			calls[i].slot =
				hp_slot__find(target, plain, meta->forward[i].address, false);
	}
	for (size_t i = 0; i < hp_elf__segment_count(target) && !ret; i++) {
		const GElf_Phdr *p = hp_elf__segment(target, i);

		if (p->p_type == PT_LOAD && (p->p_flags & PF_X))
			ret = count_calls(target, p, meta, calls);
	}
	for (size_t i = 0; i < meta->forward_count && !ret; i++)
		ret = add_calls(meta, &meta->forward[i], calls[i].count, exported[i]);
	return ret;
}

int hp_copies__find(struct hp_elf *target, struct hp_hotfix_meta *meta, struct hp_error *err)
{
	int ret = find_calls(target, meta), looked;

	looked = ret ?: find_clones(target, meta);
	if (looked == -ENODATA &&
	    !hp_copies__add(meta, HP_REMARK_NOT_SEEN, "",
			    "no symbol table: clones of the targets could not be looked for"))
		ret = -ENOMEM;
	else if (looked != -ENODATA)
		ret = looked;
	looked = ret ?: hp_copies__find_inlined(target, meta);
	if (looked == -ENODATA &&
	    !hp_copies__add(meta, HP_REMARK_NOT_SEEN, "",
			    "no debug data: inlined copies of the targets could not be looked for"))
		ret = -ENOMEM;
	else if (looked != -ENODATA)
		ret = looked;
	if (ret)
		return hp_fail_errno(err, HP_E_BUILD, ret, "cannot look for copies in %s",
				     hp_elf__path(target));
	return 0;
}
