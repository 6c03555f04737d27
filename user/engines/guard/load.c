// SPDX-License-Identifier: GPL-2.0
/* Loading and attaching the program of a guard. */
#include "engines/guard/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/bpf_util.h"
#include "base/log.h"
#include "bpf/guard.skel.h"
#include "engines/guard/candidates.h"
#include "host/elf_file.h"
#include "hotfix/guard_catch.h"

struct hp_guard_program {
	const struct hp_guard_object *code; /* an author's, or NULL */
	struct bpf_object *object;	    /* owned unless it is the author's */
	int types;			    /* likewise: by what it is relocated */
	int fd;				    /* of the program, -1 until it is loaded */
	int link;			    /* -1 until it is attached */
	struct bpf_map *maps[HP_PIN_LINK];  /* by their pins */
	enum hp_guard_kind wanted;	    /* 0: whichever works, */
	enum hp_guard_kind kind;	    /* and which did */
	char function[HP_GUARD_FUNCTION_MAX];
};

/* As hotproof/guard.bpf.h declares them. */
static const char *const map_names[HP_PIN_LINK] = {
	[HP_PIN_PATCH] = ".data.hp_guard",
	[HP_PIN_COUNTERS] = ".data.hp_counters",
	[HP_PIN_CALLERS] = "hp_guard_callers",
	[HP_PIN_SITES] = "hp_guard_sites",
};

static void drop_object(struct hp_guard_program *program)
{
	if (!program->code) {
		bpf_object__close(program->object);
		if (program->types >= 0)
			close(program->types);
	}
	program->object = NULL;
	program->types = -1;
}

void hp_guard_program__close(struct hp_guard_program *program)
{
	if (program->link >= 0)
		close(program->link);
	if (program->fd >= 0)
		close(program->fd);
	drop_object(program);
	free(program);
}

int hp_guard_program__fd(const struct hp_guard_program *program, enum hp_pin pin)
{
	return pin == HP_PIN_LINK ? program->link : bpf_map__fd(program->maps[pin]);
}

enum hp_guard_kind hp_guard_program__kind(const struct hp_guard_program *program)
{
	return program->kind;
}

int hp_guard_attach_id(struct hp_btf *btf, const char *function, enum hp_guard_kind kind)
{
	char twin[HP_GUARD_FUNCTION_MAX];
	uint32_t id;
	int ret, fd;

	if (kind == HP_GUARD_LSM) {
		if (!hp_guard_lsm_twin(function, twin, sizeof(twin)))
			return -ENOENT;
		function = twin;
	}
	ret = hp_btf__find_function(btf, "vmlinux", function, &id, &fd);
	return ret ?: (int)id;
}

/* The nearest function that can be guarded by @kind (0: by any), for a message; with @prefix, or "". */
static void name_nearest(struct hp_btf *btf, const char *function, enum hp_guard_kind kind,
			 const char *prefix, char *out, size_t size)
{
	struct hp_guard_candidates all;
	char names[256];

	out[0] = '\0';
	if (hp_guard_candidates__find(&all, btf, NULL, NULL))
		return;
	hp_guard_candidates__nearest(&all, function, kind, names, sizeof(names));
	if (names[0])
		snprintf(out, size, "%s%s", prefix, names);
	hp_guard_candidates__free(&all);
}

/* Behind typedefs and qualifiers; NULL for void. */
static const struct btf_type *plain_type(struct hp_btf *btf, uint32_t id)
{
	const struct btf_type *type = hp_btf__type(btf, id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type)))
		type = hp_btf__type(btf, type->type);
	return type;
}

/* A function with an answer that a guard can give. */
static int check_return(struct hp_btf *btf, int id, const char *function, struct hp_error *err)
{
	const struct btf_type *func = hp_btf__type(btf, (uint32_t)id);
	const struct btf_type *proto = func ? hp_btf__type(btf, func->type) : NULL;
	const struct btf_type *type = proto ? plain_type(btf, proto->type) : NULL;

	if (type && btf_is_int(type) && type->size >= 4)
		return 0;
	return hp_fail(err, HP_E_GUARD_FUNCTION,
		       "%s returns %s: it cannot be told to return an error", function,
		       !type		  ? "nothing"
		       : btf_is_ptr(type) ? "a pointer"
					  : "no error");
}

static bool is_lsm(const struct bpf_program *program)
{
	return !strncmp(bpf_program__section_name(program), "lsm", strlen("lsm"));
}

/* hotproof's own object, with the program of @kind; the other one is not loaded. */
static int open_own(struct hp_guard_program *program, enum hp_guard_kind kind)
{
	struct bpf_program *prog;
	size_t size = 0;
	const void *bytes = guard_bpf__elf_bytes(&size);

	drop_object(program);
	program->object = hp_guard_catch__open(NULL, bytes, size, &program->types);
	if (!program->object)
		return -errno;
	bpf_object__for_each_program(prog, program->object)
		bpf_program__set_autoload(prog, is_lsm(prog) == (kind == HP_GUARD_LSM));
	return 0;
}

/* The contents of section @name of a file in memory; NULL: it has none. */
static const Elf_Data *find_section(Elf *elf, const char *name)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		const char *called = NULL;

		if (gelf_getshdr(section, &header))
			called = elf_strptr(elf, names, header.sh_name);
		if (called && !strcmp(called, name))
			return elf_rawdata(section, NULL);
	}
	return NULL;
}

/* The types by which @elf, the program's file, is relocated: those that it needs, or all. */
static int write_types_for(const struct hp_guard_program *program, struct hp_btf *btf, Elf *elf)
{
	const Elf_Data *ext = find_section(elf, ".BTF.ext");
	const struct btf *local = bpf_object__btf(program->object);
	int ret = -EOPNOTSUPP;

	if (ftruncate(program->types, 0) || lseek(program->types, 0, SEEK_SET))
		return -errno;
	if (ext && local)
		ret = hp_btf__write_subset(btf, local, ext->d_buf, ext->d_size, program->types);
	return ret == -EOPNOTSUPP ? hp_btf__write_all(btf, program->types) : ret;
}

static int write_types(const struct hp_guard_program *program, struct hp_btf *btf)
{
	size_t size = 0;
	const void *bytes;
	Elf *elf;
	int ret;

	if (program->code)
		return write_types_for(program, btf, hp_elf__handle(program->code->elf));
	bytes = guard_bpf__elf_bytes(&size);
	elf_version(EV_CURRENT);
	elf = elf_memory((char *)bytes, size);
	ret = elf ? write_types_for(program, btf, elf) : -EINVAL;
	elf_end(elf);
	return ret;
}

/* What is loaded in place of what libbpf takes it for. */
struct loading {
	struct hp_guard_program *program;
	uint32_t attach_id;
	char *log;
};

static const char *license_of(const struct hp_guard_program *program)
{
	const Elf_Data *data;

	if (!program->code)
		return "GPL";
	data = find_section(hp_elf__handle(program->code->elf), "license");
	return data && data->d_size && !((const char *)data->d_buf)[data->d_size - 1] ? data->d_buf
										      : "";
}

static int load_program(struct bpf_program *prog, const struct bpf_prog_load_opts *prepared,
			void *arg)
{
	const struct loading *loading = arg;
	struct hp_guard_program *program = loading->program;
	bool lsm = program->kind == HP_GUARD_LSM;
	struct bpf_prog_load_opts opts = *prepared;

	opts.expected_attach_type = lsm ? BPF_LSM_MAC : BPF_MODIFY_RETURN;
	opts.attach_btf_id = loading->attach_id;
	/* The log costs time: it is asked for when there is something to read in it. */
	for (opts.log_level = 0; opts.log_level < 2 && program->fd < 0; opts.log_level++) {
		opts.log_buf = opts.log_level ? loading->log : NULL;
		opts.log_size = opts.log_level ? HP_BPF_LOG_SIZE : 0;
		program->fd =
			bpf_prog_load(lsm ? BPF_PROG_TYPE_LSM : BPF_PROG_TYPE_TRACING,
				      bpf_program__name(prog), license_of(program),
				      bpf_program__insns(prog), bpf_program__insn_cnt(prog), &opts);
	}
	return program->fd < 0 ? -errno : 0;
}

/* Load the program of @kind, for @id. Returns 0 or a negative errno, with the verifier's words in @log. */
static int load_kind(struct hp_guard_program *program, struct hp_btf *btf,
		     const struct hp_guard_patch *patch, enum hp_guard_kind kind, uint32_t id,
		     char *log)
{
	struct loading loading = { .program = program, .attach_id = id, .log = log };
	struct hp_guard_patch filled = *patch;
	int ret = 0;

	log[0] = '\0';
	if (program->code) {
		program->object = program->code->object;
		program->types = program->code->types;
	} else {
		ret = open_own(program, kind);
	}
	if (ret)
		return ret;
	program->kind = kind;
	filled.kind = (__u32)kind;
	filled.code = program->code != NULL;
	for (int pin = 0; !ret && pin < HP_PIN_LINK; pin++) {
		program->maps[pin] = bpf_object__find_map_by_name(program->object, map_names[pin]);
		ret = program->maps[pin] ? 0 : -ENOENT;
	}
	ret = ret ?: write_types(program, btf);
	ret = ret
		      ?: bpf_map__set_initial_value(program->maps[HP_PIN_PATCH], &filled,
						    sizeof(filled));
	return ret ?: hp_guard_catch__load(program->object, load_program, &loading);
}

/*
 * Is @line about the function, which cannot be taken over, and not about the program? The kernel asks
 * for that before it looks at the first instruction (check_attach_btf_id(), kernel/bpf/verifier.c).
 */
static bool is_about_function(const char *line)
{
	static const char *const said[] = { "is not modifiable", "attach_btf_id",
					    "The address of function" };

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (strstr(line, said[i]))
			return true;
	return false;
}

/* Why a function of this kernel was refused: the host, the function, or the program. */
static int explain(const struct hp_guard_program *program, struct hp_btf *btf,
		   struct hp_features *features, const char *function, enum hp_guard_kind kind,
		   int ret, const char *log, struct hp_error *err)
{
	enum hp_feature_id feature = kind == HP_GUARD_LSM ? HP_FEATURE_LSM : HP_FEATURE_FMOD_RET;
	const char *path = program->code ? program->code->path : NULL;
	char nearest[320], said[256], what[320];
	const char *line;

	if (err->reason)
		return ret;
	if (hp_features__require(features, feature, err))
		return ret;
	hp_bpf__log_tail(log, said, sizeof(said));
	line = strrchr(said, '\n') ? strrchr(said, '\n') + 1 : said;
	snprintf(what, sizeof(what), "%s%.280s", path ? "" : "the guard of ", path ?: function);
	if (line[0] && !is_about_function(line))
		return hp_bpf__fail_verifier(err, HP_E_GUARD_VERIFIER, what, log);
	if (log[0])
		hp_info("what the verifier said:\n%s", log);
	if (ret != -EINVAL && ret != -ENOENT && ret != -ESRCH)
		return hp_fail_errno(err, HP_E_GUARD_LOAD, ret, "cannot load a guard for %s%s%s",
				     function, line[0] ? ": " : "", line);
	/* Without a word of the kernel it was libbpf, about what is in the author's file. */
	if (path && program->object && !line[0])
		return hp_fail_errno(err, HP_E_GUARD_OBJECT, ret, "%s cannot be loaded for %s",
				     path, function);
	name_nearest(btf, function, program->wanted, "; the nearest that can be: ", nearest,
		     sizeof(nearest));
	return hp_fail(err, HP_E_GUARD_FUNCTION, "%s allows %s%s%s%s%s", function,
		       program->wanted == HP_GUARD_LSM	      ? "no LSM programs"
		       : program->wanted == HP_GUARD_FMOD_RET ? "no fmod_ret programs"
							      : "neither fmod_ret nor LSM programs",
		       line[0] ? " (" : "", line, line[0] ? ")" : "", nearest);
}

static int try_kinds(struct hp_guard_program *program, struct hp_btf *btf,
		     struct hp_features *features, const struct hp_guard_patch *patch, char *log,
		     struct hp_error *err)
{
	static const enum hp_guard_kind kinds[] = { HP_GUARD_FMOD_RET, HP_GUARD_LSM };
	enum hp_guard_kind wanted = program->wanted, first = 0;
	int ret = -ENOENT, id;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (wanted && wanted != kinds[i])
			continue;
		id = hp_guard_attach_id(btf, patch->function, kinds[i]);
		if (id < 0)
			continue;
		ret = check_return(btf, id, patch->function, err);
		if (ret)
			return ret;
		first = first ?: kinds[i];
		/* An LSM program attaches also where no call ever gets to it. */
		if (kinds[i] == HP_GUARD_LSM) {
			struct hp_error why = { 0 };

			ret = hp_features__require(features, HP_FEATURE_LSM, &why);
			if (ret && (wanted || first == HP_GUARD_LSM))
				*err = why;
			if (ret)
				continue;
		}
		ret = load_kind(program, btf, patch, kinds[i], (uint32_t)id, log);
		if (!ret)
			return 0;
	}
	return explain(program, btf, features, patch->function, wanted ?: first ?: HP_GUARD_FMOD_RET, ret, log,
		       err);
}

int hp_guard_program__load(struct hp_guard_program **out, struct hp_btf *btf,
			   struct hp_features *features, const struct hp_guard_patch *patch,
			   enum hp_guard_kind kind, const struct hp_guard_object *code,
			   struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_guard_program__close) struct hp_guard_program *program = NULL;
	_cleanup_free_ char *log = malloc(HP_BPF_LOG_SIZE);
	char nearest[320];
	int ret;

	*out = NULL;
	program = calloc(1, sizeof(*program));
	if (!program || !log)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	program->code = code;
	program->wanted = kind;
	program->types = program->fd = program->link = -1;
	strcpy(program->function, patch->function);
	if (hp_guard_attach_id(btf, patch->function, HP_GUARD_FMOD_RET) < 0) {
		name_nearest(btf, patch->function, 0, "; the nearest: ", nearest, sizeof(nearest));
		return hp_fail(err, HP_E_GUARD_UNKNOWN, "this kernel has no function %s%s",
			       patch->function, nearest);
	}
	log[0] = '\0';
	ret = try_kinds(program, btf, features, patch, log, err);
	if (ret)
		return ret;
	*out = program;
	program = NULL;
	return 0;
}

int hp_guard_program__attach(struct hp_guard_program *program, struct hp_error *err)
{
	int ret;

	program->link = bpf_raw_tracepoint_open(NULL, program->fd);
	if (program->link >= 0)
		return 0;
	ret = -errno;
	return hp_fail_errno(err, HP_E_GUARD_ATTACH, ret, "cannot attach to %s", program->function);
}
