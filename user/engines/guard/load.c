// SPDX-License-Identifier: GPL-2.0
/* Loading and attaching the program of a guard. */
#include "engines/guard/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/bpf_util.h"
#include "bpf/guard.skel.h"
#include "engines/guard/candidates.h"

#define LOG_SIZE (256 << 10)

struct hp_guard_program {
	struct guard_bpf *skel;
	struct bpf_program *prog; /* the one of the two that is loaded */
	struct bpf_link *link;	  /* NULL until attached */
	enum hp_guard_kind kind;
};

void hp_guard_program__close(struct hp_guard_program *program)
{
	bpf_link__destroy(program->link);
	guard_bpf__destroy(program->skel);
	free(program);
}

int hp_guard_program__patch_fd(const struct hp_guard_program *program)
{
	return bpf_map__fd(program->skel->maps.data_patch);
}

int hp_guard_program__counters_fd(const struct hp_guard_program *program)
{
	return bpf_map__fd(program->skel->maps.counters);
}

int hp_guard_program__callers_fd(const struct hp_guard_program *program)
{
	return bpf_map__fd(program->skel->maps.callers);
}

int hp_guard_program__link_fd(const struct hp_guard_program *program)
{
	return bpf_link__fd(program->link);
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

/* The nearest function that can be guarded, for a message; with @prefix, or "". */
static void name_nearest(struct hp_btf *btf, const char *function, const char *prefix, char *out,
			 size_t size)
{
	struct hp_guard_candidates all;
	char names[256];

	out[0] = '\0';
	if (hp_guard_candidates__find(&all, btf, NULL, NULL))
		return;
	hp_guard_candidates__nearest(&all, function, names, sizeof(names));
	if (names[0])
		snprintf(out, size, "%s%s", prefix, names);
	hp_guard_candidates__free(&all);
}

/* A function with an answer that a guard can give. */
static int check_return(const struct btf *btf, int id, const char *function, struct hp_error *err)
{
	const struct btf_type *proto = btf__type_by_id(btf, btf__type_by_id(btf, (__u32)id)->type);
	int resolved = proto->type ? btf__resolve_type(btf, proto->type) : 0;
	const struct btf_type *type = resolved > 0 ? btf__type_by_id(btf, (__u32)resolved) : NULL;

	while (type && (btf_is_mod(type) || btf_is_typedef(type)))
		type = btf__type_by_id(btf, type->type);
	if (type && btf_is_int(type) && type->size >= 4)
		return 0;
	return hp_fail(err, HP_E_GUARD_FUNCTION,
		       "%s returns %s: it cannot be told to return an error", function,
		       !type		  ? "nothing"
		       : btf_is_ptr(type) ? "a pointer"
					  : "no error");
}

/* Load one of the two programs. Returns 0 or a negative errno, with the verifier's words in @log. */
static int load_kind(struct hp_guard_program *program, const struct hp_guard_patch *patch,
		     enum hp_guard_kind kind, char *log)
{
	const char *name = patch->function;
	char twin[HP_GUARD_FUNCTION_MAX];
	int ret;

	log[0] = '\0';
	guard_bpf__destroy(program->skel);
	program->skel = guard_bpf__open();
	if (!program->skel)
		return -errno;
	program->kind = kind;
	program->prog = kind == HP_GUARD_LSM ? program->skel->progs.guard_lsm
					     : program->skel->progs.guard_fmod_ret;
	bpf_program__set_autoload(program->skel->progs.guard_lsm, kind == HP_GUARD_LSM);
	bpf_program__set_autoload(program->skel->progs.guard_fmod_ret, kind == HP_GUARD_FMOD_RET);
	/* libbpf puts "bpf_lsm_" before the name of a hook. */
	if (kind == HP_GUARD_LSM && hp_guard_lsm_twin(name, twin, sizeof(twin)))
		name = twin + strlen("bpf_lsm_");
	ret = bpf_program__set_attach_target(program->prog, 0, name);
	if (ret)
		return ret;
	bpf_program__set_log_buf(program->prog, log, LOG_SIZE);
	program->skel->data_patch->patch = *patch;
	program->skel->data_patch->patch.kind = (__u32)kind;
	return guard_bpf__load(program->skel);
}

/* Why a function of this kernel was refused: the host, or the function. */
static int explain(struct hp_btf *btf, struct hp_features *features, const char *function,
		   enum hp_guard_kind kind, int ret, const char *log, struct hp_error *err)
{
	enum hp_feature_id feature = kind == HP_GUARD_LSM ? HP_FEATURE_LSM : HP_FEATURE_FMOD_RET;
	char nearest[320], said[256];
	const char *line;

	if (err->reason)
		return ret;
	if (hp_features__require(features, feature, err))
		return ret;
	snprintf(err->detail, sizeof(err->detail), "%s", log);
	hp_bpf__log_tail(log, said, sizeof(said));
	line = strrchr(said, '\n') ? strrchr(said, '\n') + 1 : said;
	if (ret != -EINVAL && ret != -ENOENT && ret != -ESRCH)
		return hp_fail_errno(err, HP_E_GUARD_LOAD, ret, "cannot load a guard for %s%s%s",
				     function, line[0] ? ": " : "", line);
	name_nearest(btf, function, "; the nearest that can be: ", nearest, sizeof(nearest));
	return hp_fail(err, HP_E_GUARD_FUNCTION,
		       "%s allows neither fmod_ret nor LSM programs%s%s%s%s", function,
		       line[0] ? " (" : "", line, line[0] ? ")" : "", nearest);
}

static int try_kinds(struct hp_guard_program *program, struct hp_btf *btf,
		     struct hp_features *features, const struct hp_guard_patch *patch,
		     enum hp_guard_kind wanted, char *log, struct hp_error *err)
{
	static const enum hp_guard_kind kinds[] = { HP_GUARD_FMOD_RET, HP_GUARD_LSM };
	enum hp_guard_kind first = 0;
	int ret = -ENOENT, id;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (wanted && wanted != kinds[i])
			continue;
		id = hp_guard_attach_id(btf, patch->function, kinds[i]);
		if (id < 0)
			continue;
		ret = check_return(hp_btf__vmlinux(btf), id, patch->function, err);
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
		ret = load_kind(program, patch, kinds[i], log);
		if (!ret)
			return 0;
	}
	return explain(btf, features, patch->function, wanted ?: first ?: HP_GUARD_FMOD_RET, ret, log,
		       err);
}

int hp_guard_program__load(struct hp_guard_program **out, struct hp_btf *btf,
			   struct hp_features *features, const struct hp_guard_patch *patch,
			   enum hp_guard_kind kind, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_guard_program__close) struct hp_guard_program *program = NULL;
	_cleanup_free_ char *log = malloc(LOG_SIZE);
	char nearest[320];
	int ret;

	*out = NULL;
	program = calloc(1, sizeof(*program));
	if (!program || !log)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	if (!hp_btf__vmlinux(btf))
		return hp_features__require(features, HP_FEATURE_BTF, err)
			       ?: hp_fail(err, HP_E_GUARD_LOAD, "the kernel's BTF cannot be read");
	if (hp_guard_attach_id(btf, patch->function, HP_GUARD_FMOD_RET) < 0) {
		name_nearest(btf, patch->function, "; the nearest: ", nearest, sizeof(nearest));
		return hp_fail(err, HP_E_GUARD_UNKNOWN, "this kernel has no function %s%s",
			       patch->function, nearest);
	}
	log[0] = '\0';
	ret = try_kinds(program, btf, features, patch, kind, log, err);
	if (ret)
		return ret;
	*out = program;
	program = NULL;
	return 0;
}

int hp_guard_program__attach(struct hp_guard_program *program, struct hp_error *err)
{
	int ret;

	if (program->kind == HP_GUARD_LSM)
		program->link = bpf_program__attach_lsm(program->prog);
	else
		program->link = bpf_program__attach_trace(program->prog);
	if (program->link)
		return 0;
	ret = -errno;
	return hp_fail_errno(err, HP_E_GUARD_ATTACH, ret, "cannot attach to %s",
			     program->skel->data_patch->patch.function);
}
