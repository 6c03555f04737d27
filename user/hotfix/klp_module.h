/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kernel livepatch module as a file: what it replaces, with what, and what it says about itself.
 * The module is read, never loaded.
 */
#ifndef HP_HOTFIX_KLP_MODULE_H
#define HP_HOTFIX_KLP_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "hotfix/module_signature.h"
#include "host/build_id.h"

struct hp_module_elf;

/* How the module describes its patch. */
enum hp_klp_form {
	HP_KLP_STATIC, /* a static struct klp_patch */
	HP_KLP_KPATCH, /* kpatch-build: an array in .kpatch.funcs, the klp_patch is made at run time */
};

/* Does the patch replace all earlier ones (klp_patch.replace)? */
enum hp_klp_replace {
	HP_KLP_REPLACE_NO,
	HP_KLP_REPLACE_YES,
	HP_KLP_REPLACE_UNKNOWN, /* decided by code, as kpatch modules do */
};

/* A forward attach. */
struct hp_klp_target {
	const char *object; /* "vmlinux" or the name of a module */
	const char *symbol;
	uint64_t sympos;	   /* 0: unique in the object; n: the n-th of that name */
	const char *replacement;   /* the symbol of the new function, "" when it has none */
	uint64_t replacement_size; /* bytes of code, 0 when unknown */
	bool traceable; /* the replacement begins with a call to ftrace: it can be counted */
};

/* A reverse attach: a livepatch relocation against a symbol of a patched object. */
struct hp_klp_reverse {
	char *object; /* owned */
	char *symbol; /* owned */
	uint64_t sympos;
	size_t references; /* relocations against it */
};

/* What klp_callbacks the patch has for an object. */
struct hp_klp_callbacks {
	const char *object;
	bool pre_patch;
	bool post_patch;
	bool pre_unpatch;
	bool post_unpatch;
};

struct hp_klp_module {
	struct hp_module_elf *elf; /* owned; the strings here that are not owned live in it */
	const char *path;
	uint64_t file_size;
	const char *name;	/* as it will be in /sys/kernel/livepatch */
	const char *vermagic;	/* these are NULL when .modinfo does not have them */
	const char *srcversion; /* only modules with a MODULE_VERSION have one */
	const char *version;
	const char *license;
	const char *description;
	const char *depends;	     /* names, separated by commas; "" for none */
	bool modversions;	     /* its imports carry checksums (section __versions) */
	bool btf;		     /* has a .BTF of its own */
	uint64_t text_size;	     /* bytes of code that stay in memory */
	struct hp_build_id build_id; /* len 0: none */
	struct hp_module_signature signature;

	enum hp_klp_form form;
	enum hp_klp_replace replace;
	struct hp_klp_target *targets;
	size_t target_count;
	struct hp_klp_callbacks *callbacks; /* of the objects that have any */
	size_t callback_count;
	struct hp_klp_reverse *reverses;
	size_t reverse_count;
	const char **imports; /* exported symbols that the kernel must have */
	size_t import_count;
};

/*
 * Read the livepatch module @path. Returns 0 and a module owned by the caller, or a negative errno
 * with @err filled (HP_E_FILE_…, all of exit status 2; HP_E_NOMEM).
 */
int hp_klp_module__open(struct hp_klp_module **out, const char *path, struct hp_error *err);
void hp_klp_module__close(struct hp_klp_module *mod);
HP_DEFINE_CLEANUP(struct hp_klp_module *, hp_klp_module__close)

/*
 * The descriptor that the module was read from, for finit_module(): what is loaded is the file that
 * was inspected, whatever happened to its path. It stays owned by @mod.
 */
int hp_klp_module__fd(const struct hp_klp_module *mod);

/*
 * The file may have been written to since; ask right before loading it. Returns 0 or -ESTALE with
 * @err HP_E_FILE_CHANGED.
 */
int hp_klp_module__unchanged(const struct hp_klp_module *mod, struct hp_error *err);

/* The value of "vermagic=" of any module file, to be freed, or NULL: the format to compare with. */
char *hp_klp_module__vermagic_of(const char *path);

#endif
