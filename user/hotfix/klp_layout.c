// SPDX-License-Identifier: GPL-2.0
/*
 * Finding the patch in a livepatch module.
 *
 * A hand-written livepatch has a static struct klp_patch, whose address init hands to
 * klp_enable_patch(); the relocations of the module show both. The members that a patch's author
 * sets come first in klp_patch, klp_object and klp_func, and are the same since Linux 5.5, which
 * put "states" into klp_patch. Behind them are members of the kernel's own, so the structures'
 * sizes vary with version and configuration. They are not assumed: in an array, only an author's
 * members have relocations, and the distance of the second element's from the first one's is the
 * size.
 *
 * A module of kpatch-build has an array of its own in .kpatch.funcs, and makes the klp_patch of it
 * at run time.
 */
#include "hotfix/klp_layout.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hotfix/target.h"
#include "hotfix/module_elf.h"

/* struct klp_patch, klp_object, klp_callbacks and klp_func of include/linux/livepatch.h. */
enum {
	PATCH_MOD = 0,
	PATCH_OBJS = 8,
	PATCH_REPLACE = 24,
	OBJECT_NAME = 0,
	OBJECT_FUNCS = 8,
	OBJECT_PRE_PATCH = 16,
	OBJECT_POST_PATCH = 24,
	OBJECT_PRE_UNPATCH = 32,
	OBJECT_POST_UNPATCH = 40,
	OBJECT_AUTHOR_END = 56, /* klp_callbacks ends with a bool */
	FUNC_OLD_NAME = 0,
	FUNC_NEW_FUNC = 8,
	FUNC_SYMPOS = 16,
	FUNC_AUTHOR_END = 24,
};

/* An entry of .kpatch.funcs, as kpatch-build writes it: seven words. */
enum {
	KPATCH_NEW_ADDR = 0,
	KPATCH_NEW_SIZE = 8,
	KPATCH_SYMPOS = 32,
	KPATCH_NAME = 40,
	KPATCH_OBJNAME = 48,
	KPATCH_SIZE = 56,
};

/* An entry of .kpatch.callbacks.*. */
enum {
	CALLBACK_FUNC = 0,
	CALLBACK_OBJNAME = 8,
	CALLBACK_SIZE = 16,
};

/* The load of the argument is not far before the call. */
#define CALL_WINDOW  64
#define ELEMENTS_MAX 65536
#define STRIDE_MAX   4096

/* On x86-64 the address in __mcount_loc may be behind an endbr64. */
#define MCOUNT_REACH 16

static struct hp_place at(struct hp_place base, uint64_t offset)
{
	return (struct hp_place){ base.section, base.offset + offset };
}

bool hp_klp_layout__is_name(const char *text, size_t size)
{
	size_t n = 0;

	while (isgraph((unsigned char)text[n]))
		n++;
	return n && n < size && !text[n];
}

static bool calls_klp(const struct hp_module_reloc *reloc)
{
	return !reloc->target.section && (!strcmp(reloc->symbol, "klp_enable_patch") ||
					  !strcmp(reloc->symbol, "klp_register_patch"));
}

/* Could a klp_patch be at @place: owned by this module (or by nobody yet), with objects? */
static bool is_patch(const struct hp_module_elf *m, struct hp_place place)
{
	const struct hp_module_reloc *owner = hp_module_elf__reloc(m, at(place, PATCH_MOD));
	struct hp_place objs, funcs;

	if (owner && strcmp(owner->symbol, "__this_module") != 0)
		return false;
	return !hp_module_elf__pointer(m, at(place, PATCH_OBJS), &objs) &&
	       !hp_module_elf__pointer(m, at(objs, OBJECT_FUNCS), &funcs);
}

/* The klp_patch whose address is loaded shortly before the call at @call (an index). */
static bool patch_of_call(const struct hp_module_elf *m, size_t call, struct hp_place *patch)
{
	const struct hp_place from = m->relocs[call].place;

	while (call-- > 0) {
		const struct hp_module_reloc *reloc = &m->relocs[call];

		if (reloc->place.section != from.section ||
		    from.offset - reloc->place.offset > CALL_WINDOW)
			return false;
		if (!hp_module_elf__operand(m, reloc, patch) && is_patch(m, *patch))
			return true;
	}
	return false;
}

static bool find_patch(const struct hp_module_elf *m, struct hp_place *patch)
{
	size_t i;

	for (i = 0; i < m->reloc_count; i++)
		if (calls_klp(&m->relocs[i]) && patch_of_call(m, i, patch))
			return true;
	/* The address came another way (a helper function, a register): the only one that fits. */
	for (i = 0; i < m->reloc_count; i++) {
		if (strcmp(m->relocs[i].symbol, "__this_module") != 0)
			continue;
		*patch = at(m->relocs[i].place, 0);
		if (hp_module_elf__reloc(m, *patch) && is_patch(m, *patch))
			return true;
	}
	return false;
}

/*
 * Where the array at @base ends at the latest: with its symbol, or, where symbols were stripped,
 * with the next place that anything refers to. *@exact: it ends just there.
 */
static uint64_t array_end(const struct hp_module_elf *m, struct hp_place base, bool *exact)
{
	const struct hp_module_symbol *sym = hp_module_elf__symbol_at(m, base, STT_OBJECT);
	uint64_t end = m->sections[base.section].size;
	struct hp_place target;

	*exact = sym && sym->size && sym->size <= end - base.offset;
	if (*exact)
		return base.offset + sym->size;
	for (size_t i = 0; i < m->reloc_count; i++)
		if (!hp_module_elf__operand(m, &m->relocs[i], &target) &&
		    target.section == base.section && target.offset > base.offset &&
		    target.offset < end)
			end = target.offset;
	return end;
}

static int grow(void **array, size_t count, size_t size, struct hp_error *err)
{
	void *grown;

	/* By powers of two: 0, 1, 2, 4, … */
	if (count & (count - 1))
		return 0;
	grown = realloc(*array, (count ? 2 * count : 1) * size);
	if (!grown)
		return hp_fail(err, HP_E_NOMEM, "no memory for %zu targets", count);
	*array = grown;
	return 0;
}

static bool is_traceable(const struct hp_module_elf *m, struct hp_place func)
{
	struct hp_place loc = { hp_module_elf__section(m, "__mcount_loc"), 0 }, target;

	if (!loc.section)
		return false;
	for (size_t i = hp_module_elf__reloc_from(m, loc);
	     i < m->reloc_count && m->relocs[i].place.section == loc.section; i++)
		if (!hp_module_elf__pointer(m, m->relocs[i].place, &target) &&
		    target.section == func.section && target.offset >= func.offset &&
		    target.offset - func.offset <= MCOUNT_REACH)
			return true;
	return false;
}

static int add_target(struct hp_klp_module *mod, const char *object, const char *symbol,
		      uint64_t sympos, struct hp_place func, struct hp_error *err)
{
	const struct hp_module_symbol *sym = hp_module_elf__symbol_at(mod->elf, func, STT_FUNC);
	void *array = mod->targets;
	int ret;

	if (!symbol || !hp_klp_layout__is_name(symbol, HP_SYMBOL_MAX))
		return hp_fail(err, HP_E_FILE_CORRUPT,
			       "%s: the name of target %zu of %s is not readable", mod->path,
			       mod->target_count, object);
	if (mod->target_count >= ELEMENTS_MAX)
		return hp_fail(err, HP_E_FILE_CORRUPT, "%s has too many targets", mod->path);
	ret = grow(&array, mod->target_count, sizeof(*mod->targets), err);
	if (ret)
		return ret;
	mod->targets = array;
	mod->targets[mod->target_count++] = (struct hp_klp_target){
		.object = object,
		.symbol = symbol,
		.sympos = sympos,
		.replacement = sym ? sym->name : "",
		.replacement_size = sym ? sym->size : 0,
		.traceable = is_traceable(mod->elf, func),
	};
	return 0;
}

/* The callbacks entry of @object, made when there is none; NULL without memory. */
static struct hp_klp_callbacks *callbacks_of(struct hp_klp_module *mod, const char *object,
					     struct hp_error *err)
{
	void *array = mod->callbacks;

	for (size_t i = 0; i < mod->callback_count; i++)
		if (!strcmp(mod->callbacks[i].object, object))
			return &mod->callbacks[i];
	if (grow(&array, mod->callback_count, sizeof(*mod->callbacks), err))
		return NULL;
	mod->callbacks = array;
	mod->callbacks[mod->callback_count] = (struct hp_klp_callbacks){ .object = object };
	return &mod->callbacks[mod->callback_count++];
}

/* An array element without relocations in its first two words: the zeroed end of the array. */
static bool is_last(const struct hp_module_elf *m, struct hp_place element)
{
	return !hp_module_elf__reloc(m, element) && !hp_module_elf__reloc(m, at(element, 8));
}

static int fail_irregular(const struct hp_klp_module *mod, const char *what, struct hp_error *err)
{
	return hp_fail(err, HP_E_FILE_NO_TARGETS, "%s: the array of %s is not regular", mod->path,
		       what);
}

/* The first relocation in [@base + @skip, @end), as an offset from @base; 0 when there is none. */
static uint64_t next_reloc(const struct hp_module_elf *m, struct hp_place base, uint64_t skip,
			   uint64_t end)
{
	size_t i = hp_module_elf__reloc_from(m, at(base, skip));

	if (i == m->reloc_count || m->relocs[i].place.section != base.section ||
	    m->relocs[i].place.offset >= end)
		return 0;
	return m->relocs[i].place.offset - base.offset;
}

static int read_funcs(struct hp_klp_module *mod, struct hp_place base, const char *object,
		      struct hp_error *err)
{
	const struct hp_module_elf *m = mod->elf;
	struct hp_place func = base, name, code;
	uint64_t stride, sympos, end;
	bool exact;
	int ret;

	end = array_end(m, base, &exact);
	stride = next_reloc(m, base, FUNC_AUTHOR_END, end);
	if (stride % 8 || stride > STRIDE_MAX)
		return fail_irregular(mod, "klp_func", err);
	for (; func.offset + FUNC_AUTHOR_END <= end && !is_last(m, func); func.offset += stride) {
		if (hp_module_elf__pointer(m, at(func, FUNC_OLD_NAME), &name) ||
		    hp_module_elf__pointer(m, at(func, FUNC_NEW_FUNC), &code) ||
		    hp_module_elf__u64(m, at(func, FUNC_SYMPOS), &sympos))
			return hp_fail(err, HP_E_FILE_CORRUPT,
				       "%s: target %zu of %s lacks its name or its replacement",
				       mod->path, mod->target_count, object);
		ret = add_target(mod, object, hp_module_elf__string(m, name), sympos, code, err);
		if (ret)
			return ret;
		if (!stride)
			return 0;
	}
	/* What comes behind the end of the array is not ours; what is inside must have been read. */
	if (exact && stride && next_reloc(m, func, 0, end))
		return fail_irregular(mod, "klp_func", err);
	return 0;
}

static int read_object(struct hp_klp_module *mod, struct hp_place obj, struct hp_error *err)
{
	const struct hp_module_elf *m = mod->elf;
	struct hp_klp_callbacks found = { .object = "vmlinux" };
	struct hp_klp_callbacks *callbacks;
	struct hp_place name, funcs;
	int ret;

	ret = hp_module_elf__pointer(m, at(obj, OBJECT_NAME), &name);
	if (!ret)
		found.object = hp_module_elf__string(m, name);
	if ((ret && ret != -ENOENT) || !found.object ||
	    !hp_klp_layout__is_name(found.object, HP_NAME_MAX))
		return hp_fail(err, HP_E_FILE_CORRUPT, "%s: the name of an object is not readable",
			       mod->path);

	found.pre_patch = hp_module_elf__reloc(m, at(obj, OBJECT_PRE_PATCH));
	found.post_patch = hp_module_elf__reloc(m, at(obj, OBJECT_POST_PATCH));
	found.pre_unpatch = hp_module_elf__reloc(m, at(obj, OBJECT_PRE_UNPATCH));
	found.post_unpatch = hp_module_elf__reloc(m, at(obj, OBJECT_POST_UNPATCH));
	if (found.pre_patch || found.post_patch || found.pre_unpatch || found.post_unpatch) {
		callbacks = callbacks_of(mod, found.object, err);
		if (!callbacks)
			return -ENOMEM;
		*callbacks = found;
	}
	if (hp_module_elf__pointer(m, at(obj, OBJECT_FUNCS), &funcs))
		return hp_fail(err, HP_E_FILE_CORRUPT, "%s: object %s has no functions", mod->path,
			       found.object);
	return read_funcs(mod, funcs, found.object, err);
}

/*
 * The size of klp_object, from the second element; 0 when there is none. Its first relocation is
 * the name's, or the functions' where the object is vmlinux, which has no name. The functions are
 * in writable memory (the kernel links them), a name is not.
 */
static uint64_t object_stride(const struct hp_module_elf *m, struct hp_place base, uint64_t end)
{
	uint64_t next = next_reloc(m, base, OBJECT_AUTHOR_END, end);
	struct hp_place target;

	if (next && !hp_module_elf__pointer(m, at(base, next), &target) &&
	    m->sections[target.section].flags & SHF_WRITE)
		next -= OBJECT_FUNCS;
	return next;
}

static int read_patch(struct hp_klp_module *mod, struct hp_place patch, struct hp_error *err)
{
	const struct hp_module_elf *m = mod->elf;
	uint64_t replace, stride, end;
	struct hp_place base, obj;
	bool exact;
	int ret;

	mod->form = HP_KLP_STATIC;
	if (hp_module_elf__u64(m, at(patch, PATCH_REPLACE), &replace) ||
	    hp_module_elf__pointer(m, at(patch, PATCH_OBJS), &base))
		return hp_fail(err, HP_E_FILE_CORRUPT, "%s: the klp_patch is cut off", mod->path);
	/* A bool: one byte, and the padding behind it. */
	mod->replace = replace & 0xff ? HP_KLP_REPLACE_YES : HP_KLP_REPLACE_NO;

	end = array_end(m, base, &exact);
	stride = object_stride(m, base, end);
	if (stride % 8 || stride > STRIDE_MAX || (stride && stride < OBJECT_AUTHOR_END))
		return fail_irregular(mod, "klp_object", err);
	for (obj = base; obj.offset + OBJECT_AUTHOR_END <= end && !is_last(m, obj);
	     obj.offset += stride) {
		ret = read_object(mod, obj, err);
		if (ret)
			return ret;
		if (!stride)
			return 0;
	}
	if (exact && next_reloc(m, obj, 0, end))
		return fail_irregular(mod, "klp_object", err);
	return 0;
}

/* The string that the pointer at @place points to, when it can be the name of a module. */
static const char *kpatch_object(const struct hp_module_elf *m, struct hp_place place)
{
	struct hp_place name;
	const char *text;

	if (hp_module_elf__pointer(m, place, &name))
		return NULL;
	text = hp_module_elf__string(m, name);
	return text && hp_klp_layout__is_name(text, HP_NAME_MAX) ? text : NULL;
}

static int read_kpatch_callbacks(struct hp_klp_module *mod, struct hp_error *err)
{
	static const struct {
		const char *section;
		size_t flag; /* offset of the bool in struct hp_klp_callbacks */
	} kinds[] = {
		{ ".kpatch.callbacks.pre_patch", offsetof(struct hp_klp_callbacks, pre_patch) },
		{ ".kpatch.callbacks.post_patch", offsetof(struct hp_klp_callbacks, post_patch) },
		{ ".kpatch.callbacks.pre_unpatch", offsetof(struct hp_klp_callbacks, pre_unpatch) },
		{ ".kpatch.callbacks.post_unpatch",
		  offsetof(struct hp_klp_callbacks, post_unpatch) },
	};
	const struct hp_module_elf *m = mod->elf;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct hp_place entry = { hp_module_elf__section(m, kinds[i].section), 0 };
		struct hp_klp_callbacks *callbacks;
		const char *object;

		if (!entry.section)
			continue;
		/* kpatch pads each of these sections with a zero word. */
		for (; entry.offset + CALLBACK_SIZE <= m->sections[entry.section].size;
		     entry.offset += CALLBACK_SIZE) {
			if (is_last(m, entry))
				break;
			object = kpatch_object(m, at(entry, CALLBACK_OBJNAME));
			if (!object || !hp_module_elf__reloc(m, at(entry, CALLBACK_FUNC)))
				return hp_fail(err, HP_E_FILE_CORRUPT, "%s: %s is not readable",
					       mod->path, kinds[i].section);
			callbacks = callbacks_of(mod, object, err);
			if (!callbacks)
				return -ENOMEM;
			*(bool *)((char *)callbacks + kinds[i].flag) = true;
		}
	}
	return 0;
}

static int read_kpatch(struct hp_klp_module *mod, size_t section, struct hp_error *err)
{
	const struct hp_module_elf *m = mod->elf;
	struct hp_place entry = { section, 0 }, name, code;
	uint64_t size, sympos;
	const char *object;
	int ret;

	mod->form = HP_KLP_KPATCH;
	mod->replace = HP_KLP_REPLACE_UNKNOWN;
	if (m->sections[section].size % KPATCH_SIZE)
		return fail_irregular(mod, "kpatch functions", err);
	for (; entry.offset < m->sections[section].size; entry.offset += KPATCH_SIZE) {
		object = kpatch_object(m, at(entry, KPATCH_OBJNAME));
		if (!object || hp_module_elf__pointer(m, at(entry, KPATCH_NAME), &name) ||
		    hp_module_elf__pointer(m, at(entry, KPATCH_NEW_ADDR), &code) ||
		    hp_module_elf__u64(m, at(entry, KPATCH_NEW_SIZE), &size) ||
		    hp_module_elf__u64(m, at(entry, KPATCH_SYMPOS), &sympos))
			return hp_fail(err, HP_E_FILE_CORRUPT,
				       "%s: entry %zu of .kpatch.funcs is not readable", mod->path,
				       mod->target_count);
		ret = add_target(mod, object, hp_module_elf__string(m, name), sympos, code, err);
		if (ret)
			return ret;
		if (size)
			mod->targets[mod->target_count - 1].replacement_size = size;
	}
	return read_kpatch_callbacks(mod, err);
}

int hp_klp_layout__read(struct hp_klp_module *mod, struct hp_error *err)
{
	const struct hp_module_elf *m = mod->elf;
	size_t kpatch = hp_module_elf__section(m, ".kpatch.funcs");
	struct hp_place patch;
	bool calls = false;

	for (size_t i = 0; i < m->reloc_count && !calls; i++)
		calls = calls_klp(&m->relocs[i]);
	if (!calls)
		return hp_fail(err, HP_E_FILE_NOT_LIVEPATCH,
			       "%s is a module that never enables a livepatch", mod->path);
	if (find_patch(m, &patch))
		return read_patch(mod, patch, err);
	if (kpatch)
		return read_kpatch(mod, kpatch, err);
	return hp_fail(err, HP_E_FILE_NO_TARGETS,
		       "%s makes its klp_patch at run time; what it replaces is not in the file",
		       mod->path);
}
