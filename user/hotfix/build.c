// SPDX-License-Identifier: GPL-2.0
/* Hotfix files made from C: the compiler is run twice, and the symbols are resolved in between. */
#include "hotfix/build.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/spawn.h"
#include "hotfix/copies.h"
#include "hotfix/elf_hotfix.h"
#include "hotfix/image.h"
#include "hotfix/resolve.h"
#include "hotfix/source.h"

/* The folder that the intermediate files live in, and go with. */
struct workshop {
	char folder[PATH_MAX];
	char object[PATH_MAX + 16];
	char note[PATH_MAX + 16];
};

static int workshop__open(struct workshop *w, struct hp_error *err)
{
	const char *base = getenv("TMPDIR") ?: "/tmp";

	if (snprintf(w->folder, sizeof(w->folder), "%s/hotproof-build.XXXXXX", base) >=
	    (int)sizeof(w->folder))
		return hp_fail(err, HP_E_USAGE, "$TMPDIR is too long");
	if (!mkdtemp(w->folder)) {
		int ret =
			hp_fail_errno(err, HP_E_BUILD, -errno, "cannot make a folder in %s", base);

		w->folder[0] = '\0';
		return ret;
	}
	snprintf(w->object, sizeof(w->object), "%s/hotfix.o", w->folder);
	snprintf(w->note, sizeof(w->note), "%s/note.s", w->folder);
	return 0;
}

static void workshop__close(struct workshop *w)
{
	if (!w->folder[0])
		return;
	unlink(w->object);
	unlink(w->note);
	rmdir(w->folder);
}

/* Arguments for the compiler, ended by NULL; the strings are borrowed. */
struct arguments {
	const char **items;
	size_t count, room;
};

static int append(struct arguments *a, const char *item)
{
	if (a->count + 1 >= a->room) {
		size_t room = a->room ? 2 * a->room : 32;
		const char **grown = realloc(a->items, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		a->items = grown;
		a->room = room;
	}
	a->items[a->count++] = item;
	a->items[a->count] = NULL;
	return 0;
}

static int append_all(struct arguments *a, const char *const *items, size_t count)
{
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++)
		ret = append(a, items[i]);
	return ret;
}

static int run(struct arguments *a, const char *what, struct hp_error *err)
{
	int ret;

	for (size_t i = 0; i < a->count; i++)
		hp_debug("%s[%zu]: %s", what, i, a->items[i]);
	ret = hp_spawn__wait(a->items);
	if (hp_interrupted())
		return hp_fail(err, HP_E_INTERRUPTED, "interrupted while %s", what);
	if (ret < 0)
		return hp_fail_errno(err, HP_E_BUILD, ret, "cannot run the compiler '%s'",
				     a->items[0]);
	if (ret)
		return hp_fail(err, HP_E_BUILD, "the compiler ended with status %d while %s", ret,
			       what);
	return 0;
}

/* $CC is a program's name, not a command line. */
static const char *compiler(void)
{
	const char *cc = getenv("CC");

	return cc && *cc ? cc : "cc";
}

/* Where hotproof/hotfix.h is: as installed, unless the environment says otherwise. */
static const char *include_folder(void)
{
	return getenv("HOTPROOF_INCLUDE_DIR") ?: HP_PREFIX "/include";
}

/* The compiler will say that there is no such file, and not where it was to be. */
static void warn_no_header(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.4000s/hotproof/hotfix.h", include_folder());
	if (access(path, R_OK))
		hp_warn("%s is not there: HOTPROOF_INCLUDE_DIR says in which folder hotproof/ is",
			path);
}

static int compile(const struct hp_build *build, const struct workshop *w, struct hp_error *err)
{
	/*
	 * The debug data is for gdb and perf. Unwind tables let others, and hotproof itself,
	 * look through the replacement's frames.
	 */
	const char *const fixed[] = {
		compiler(),	  "-c", "-O2", "-g", "-fPIC", "-fasynchronous-unwind-tables", "-I",
		include_folder(),
	};
	struct arguments a = { 0 };
	char source[PATH_MAX];
	int ret;

	warn_no_header();
	/* An absolute path cannot be taken for an option. */
	if (!realpath(build->source, source))
		return hp_fail_errno(err, HP_E_OPEN_FILE, -errno, "cannot read %s", build->source);
	ret = append_all(&a, fixed, sizeof(fixed) / sizeof(fixed[0]));
	ret = ret ?: append_all(&a, build->options, build->option_count);
	/* What the source says would be hidden in intermediate code. */
	ret = ret ?: append(&a, "-fno-lto");
	ret = ret ?: append(&a, "-o");
	ret = ret ?: append(&a, w->object);
	ret = ret ?: append(&a, source);
	ret = ret ? hp_fail(err, HP_E_NOMEM, "out of memory") : run(&a, "compiling", err);
	free(a.items);
	if (!ret && access(w->object, F_OK))
		ret = hp_fail(
			err, HP_E_BUILD,
			"the compiler made no object file of %s: has it a name as sources have?",
			build->source);
	return ret;
}

/* The note in assembler, byte by byte: no text of anybody's needs quoting. */
static int write_note(const struct workshop *w, const struct hp_hotfix_meta *meta,
		      struct hp_error *err)
{
	_cleanup_file_ FILE *f = fopen(w->note, "we");
	_cleanup_free_ char *text = NULL;
	json_t *json = hp_hotfix_meta__json(meta);
	size_t len;

	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!text)
		return hp_fail(err, HP_E_BUILD,
			       "the metadata cannot be written: is all its text UTF-8?");
	if (!f)
		return hp_fail_errno(err, HP_E_BUILD, -errno, "cannot write %s", w->note);
	len = strlen(text);
	fprintf(f,
		"\t.section " HP_HOTFIX_NOTE_SECTION ",\"a\",@note\n\t.balign 4\n"
		"\t.long %zu, %zu, %d\n\t.asciz \"" HP_HOTFIX_NOTE_OWNER "\"\n\t.balign 4\n",
		sizeof(HP_HOTFIX_NOTE_OWNER), len, HP_HOTFIX_NOTE_TYPE);
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%s%d", i % 16 ? "," : "\n\t.byte ", (unsigned char)text[i]);
	fprintf(f, "\n\t.balign 4\n\t.section .note.GNU-stack,\"\",@progbits\n");
	if (fflush(f) || ferror(f))
		return hp_fail_errno(err, HP_E_BUILD, -errno, "cannot write %s", w->note);
	return 0;
}

/*
 * Link. Undefined symbols stay; libc and, if it is a library, the target are named only so that the
 * linker writes down which version of a symbol is meant. hotproof binds them itself.
 */
static int link_hotfix(const struct workshop *w, const char *target, bool library,
		       const char *output, struct hp_error *err)
{
	const char *const fixed[] = {
		compiler(),
		"-shared",
		"-nostartfiles",
		"-Wl,-Bsymbolic",
		"-Wl,--build-id=sha1",
		"-Wl,-z,now",
		"-Wl,-z,relro",
		"-Wl,-z,separate-code",
		"-Wl,-z,noexecstack",
		"-Wl,--allow-shlib-undefined",
		"-o",
		output,
		w->object,
		w->note,
	};
	struct arguments a = { 0 };
	int ret;

	ret = append_all(&a, fixed, sizeof(fixed) / sizeof(fixed[0]));
	if (library)
		ret = ret ?: append(&a, target);
	ret = ret ? hp_fail(err, HP_E_NOMEM, "out of memory") : run(&a, "linking", err);
	free(a.items);
	return ret;
}

/* A position-independent program says so; a static one has no other mark (DF_1_PIE). */
static bool is_pie(struct hp_elf *elf)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = hp_elf__find_section(elf, ".dynamic", &shdr);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	GElf_Dyn dyn;

	for (int i = 0; data && gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++)
		if (dyn.d_tag == DT_FLAGS_1 && (dyn.d_un.d_val & DF_1_PIE))
			return true;
	return false;
}

/* True for a library, which others can be linked with; false for a program, position-independent or not. */
static bool is_library(struct hp_elf *elf)
{
	for (size_t i = 0; i < hp_elf__segment_count(elf); i++)
		if (hp_elf__segment(elf, i)->p_type == PT_INTERP)
			return false;
	return hp_elf__header(elf)->e_type == ET_DYN && !is_pie(elf);
}

/* Read the new file as an apply will: what cannot be applied is not handed out. */
static int check_output(const char *path, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_hotfix__close) struct hp_hotfix *hotfix = NULL;
	__cleanup(hp_cleanup_hp_image__free) struct hp_image *image = NULL;
	int ret = hp_hotfix__open(&hotfix, path, err);

	return ret ?: hp_image__read(&image, hotfix, err);
}

static int fill_meta(const struct hp_build *build, struct hp_hotfix_meta *meta,
		     struct hp_error *err)
{
	const char *name = strrchr(build->output, '/');
	size_t len;

	name = name ? name + 1 : build->output;
	len = strlen(name);
	if (len > 3 && !strcmp(name + len - 3, ".so"))
		len -= 3;
	meta->id = build->id ? strdup(build->id) : strndup(name, len);
	meta->sequence = build->sequence;
	meta->description = strdup(build->description ?: "");
	meta->target_path = realpath(build->target, NULL);
	meta->cves = calloc(build->cve_count + 1, sizeof(*meta->cves));
	if (!meta->target_path)
		return hp_fail_errno(err, HP_E_OPEN_FILE, -errno, "cannot read %s", build->target);
	if (!meta->id || !meta->description || !meta->cves)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	if (!hp_hotfix_id__valid(meta->id))
		return hp_fail(err, HP_E_USAGE,
			       "'%s' is no id: letters, digits, '.', '_' and '-', at most %d",
			       meta->id, HP_HOTFIX_ID_MAX - 1);
	for (size_t i = 0; i < build->cve_count; i++) {
		meta->cves[i] = strdup(build->cves[i]);
		if (!meta->cves[i])
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		meta->cve_count++;
	}
	return 0;
}

static int make(const struct hp_build *build, const struct workshop *w, const char *output,
		struct hp_hotfix_meta *meta, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_elf__close) struct hp_elf *target = NULL, *object = NULL;
	int ret;

	ret = fill_meta(build, meta, err);
	ret = ret ?: hp_elf__open(&target, meta->target_path, err);
	ret = ret ?: compile(build, w, err);
	ret = ret ?: hp_elf__open(&object, w->object, err);
	ret = ret ?: hp_resolve__run(object, target, meta, err);
	ret = ret ?: hp_source__check(object, meta, err);
	if (!ret && !build->no_exceptions)
		ret = hp_resolve__check_exceptions(object, target, meta, err);
	ret = ret ?: hp_copies__find(target, meta, err);
	ret = ret ?: write_note(w, meta, err);
	ret = ret ?: link_hotfix(w, meta->target_path, is_library(target), output, err);
	ret = ret ?: check_output(output, err);
	if (!ret)
		hp_source__warn(object, meta);
	return ret;
}

int hp_build__run(const struct hp_build *build, struct hp_error *err)
{
	struct hp_hotfix_meta meta = { 0 };
	struct workshop w = { 0 };
	char output[PATH_MAX];
	int ret;

	/* In the folder of the output, so that it can be renamed: seen whole or not at all. */
	if (snprintf(output, sizeof(output), "%s%s.%d.tmp", build->output[0] == '-' ? "./" : "",
		     build->output, getpid()) >= (int)sizeof(output))
		return hp_fail(err, HP_E_USAGE, "the output's path is too long");
	ret = workshop__open(&w, err);
	ret = ret ?: make(build, &w, output, &meta, err);
	if (!ret && rename(output, build->output))
		ret = hp_fail_errno(err, HP_E_BUILD, -errno, "cannot write %s", build->output);
	if (ret)
		unlink(output);
	workshop__close(&w);
	hp_hotfix_meta__free(&meta);
	return ret;
}
