// SPDX-License-Identifier: GPL-2.0
/* The BPF programs that are loaded on this host and their functions. */
#include "host/bpf_program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

const char *hp_bpf_type_name(uint32_t type)
{
	return libbpf_bpf_prog_type_str(type) ?: "unknown";
}

void hp_bpf_program__close(struct hp_bpf_program *program)
{
	if (program->fd >= 0)
		close(program->fd);
	btf__free(program->btf);
	free(program->functions);
	free(program->maps);
	free(program);
}

const struct hp_bpf_function *hp_bpf_program__function(const struct hp_bpf_program *program,
						       const char *name)
{
	for (size_t i = 0; i < program->function_count; i++)
		if (!strcmp(program->functions[i].name, name))
			return &program->functions[i];
	return NULL;
}

/* Append to the text of @size in @out, which stays terminated. */
static void __attribute__((format(printf, 3, 4)))
append(char *out, size_t size, const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + len, size - len, fmt, ap);
	va_end(ap);
}

/* A type as C writes it, as far as it is used in arguments. */
static void append_type(const struct btf *btf, uint32_t id, char *out, size_t size)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	const char *name;

	if (!id || !t) {
		append(out, size, "void");
		return;
	}
	name = btf__name_by_offset(btf, t->name_off);
	switch (btf_kind(t)) {
	case BTF_KIND_PTR:
		append_type(btf, t->type, out, size);
		append(out, size, " *");
		break;
	case BTF_KIND_CONST:
		append(out, size, "const ");
		append_type(btf, t->type, out, size);
		break;
	case BTF_KIND_STRUCT:
		append(out, size, "struct %s", name);
		break;
	case BTF_KIND_UNION:
		append(out, size, "union %s", name);
		break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		append(out, size, "enum %s", name);
		break;
	default:
		append(out, size, "%s", name && name[0] ? name : "?");
	}
}

static void describe(const struct btf *btf, const struct btf_type *func, const char *name,
		     char *out, size_t size)
{
	const struct btf_type *proto = btf__type_by_id(btf, func->type);
	const struct btf_param *params;

	out[0] = '\0';
	if (!proto || !btf_is_func_proto(proto))
		return;
	append_type(btf, proto->type, out, size);
	append(out, size, " %s(", name);
	params = btf_params(proto);
	for (uint32_t i = 0; i < btf_vlen(proto); i++) {
		append(out, size, "%s", i ? ", " : "");
		append_type(btf, params[i].type, out, size);
	}
	append(out, size, btf_vlen(proto) ? ")" : "void)");
}

/* The parts of a program's info that are lists, all of bpf_prog_info_linear's kind. */
struct lists {
	struct bpf_func_info *funcs;
	uint64_t *addresses;
	uint32_t *sizes;
};

static void lists_free(struct lists *lists)
{
	free(lists->funcs);
	free(lists->addresses);
	free(lists->sizes);
}

static bool add_function(struct hp_bpf_program *program, uint32_t type_id)
{
	struct hp_bpf_function *f = &program->functions[program->function_count];
	const struct btf_type *t = btf__type_by_id(program->btf, type_id);
	const char *name = t ? btf__name_by_offset(program->btf, t->name_off) : NULL;

	if (!name || !btf_is_func(t))
		return false;
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->type_id = type_id;
	f->global = btf_vlen(t) == BTF_FUNC_GLOBAL;
	describe(program->btf, t, f->name, f->prototype, sizeof(f->prototype));
	program->function_count++;
	return true;
}

static bool is_loaded(const struct bpf_prog_info *info, const struct lists *lists, uint32_t type_id)
{
	for (uint32_t i = 0; i < info->nr_func_info; i++)
		if (lists->funcs[i].type_id == type_id)
			return true;
	return false;
}

/* Those that are loaded, the main one first, and then those that are only in the BTF of its object. */
static int fill_functions(struct hp_bpf_program *program, const struct bpf_prog_info *info,
			  const struct lists *lists)
{
	uint32_t types = btf__type_cnt(program->btf);

	program->functions = calloc(info->nr_func_info + types, sizeof(*program->functions));
	if (!program->functions)
		return -ENOMEM;
	for (uint32_t i = 0; i < info->nr_func_info; i++) {
		struct hp_bpf_function *f = &program->functions[program->function_count];

		if (!add_function(program, lists->funcs[i].type_id))
			continue;
		f->loaded = true;
		f->address = i < info->nr_jited_ksyms ? lists->addresses[i] : 0;
		f->size = i < info->nr_jited_func_lens ? lists->sizes[i] : 0;
	}
	for (uint32_t id = 1; id < types; id++) {
		const struct btf_type *t = btf__type_by_id(program->btf, id);

		if (btf_is_func(t) && btf_vlen(t) != BTF_FUNC_EXTERN && !is_loaded(info, lists, id))
			add_function(program, id);
	}
	return 0;
}

/* The kernel is asked twice: how much there is, and then for it. */
static int read_lists(struct hp_bpf_program *program)
{
	__cleanup(lists_free) struct lists lists = { 0 };
	struct bpf_prog_info first = { 0 }, info = { 0 };
	__u32 len = sizeof(first);

	if (bpf_obj_get_info_by_fd(program->fd, &first, &len))
		return -errno;
	lists.funcs = calloc(first.nr_func_info + 1, sizeof(*lists.funcs));
	lists.addresses = calloc(first.nr_jited_ksyms + 1, sizeof(*lists.addresses));
	lists.sizes = calloc(first.nr_jited_func_lens + 1, sizeof(*lists.sizes));
	program->maps = calloc(first.nr_map_ids + 1, sizeof(*program->maps));
	if (!lists.funcs || !lists.addresses || !lists.sizes || !program->maps)
		return -ENOMEM;
	info.nr_func_info = first.nr_func_info;
	info.func_info_rec_size = sizeof(*lists.funcs);
	info.func_info = (uintptr_t)lists.funcs;
	info.nr_jited_ksyms = first.nr_jited_ksyms;
	info.jited_ksyms = (uintptr_t)lists.addresses;
	info.nr_jited_func_lens = first.nr_jited_func_lens;
	info.jited_func_lens = (uintptr_t)lists.sizes;
	info.nr_map_ids = first.nr_map_ids;
	info.map_ids = (uintptr_t)program->maps;
	len = sizeof(info);
	if (bpf_obj_get_info_by_fd(program->fd, &info, &len))
		return -errno;

	program->id = info.id;
	program->type = info.type;
	program->runs = info.run_cnt;
	program->map_count = info.nr_map_ids;
	memcpy(program->name, info.name, sizeof(program->name));
	for (size_t i = 0; i < sizeof(info.tag); i++)
		sprintf(program->tag + 2 * i, "%02x", info.tag[i]);
	if (!info.btf_id)
		return 0;
	program->btf = btf__load_from_kernel_by_id(info.btf_id);
	if (!program->btf)
		return errno == ENOENT ? 0 : -errno;
	return fill_functions(program, &info, &lists);
}

/* Takes @fd. */
static int open_fd(struct hp_bpf_program **out, int fd, struct hp_error *err)
{
	struct hp_bpf_program *program = calloc(1, sizeof(*program));
	int ret;

	if (!program) {
		close(fd);
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	program->fd = fd;
	ret = read_lists(program);
	if (ret) {
		hp_bpf_program__close(program);
		return hp_fail_errno(err, HP_E_BPF_PRIVILEGE, ret, "a BPF program cannot be read");
	}
	*out = program;
	return 0;
}

int hp_bpf_program__open(struct hp_bpf_program **out, uint32_t id, struct hp_error *err)
{
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0 && errno == ENOENT)
		return hp_fail(err, HP_E_BPF_NO_PROGRAM, "no BPF program has the id %u", id);
	if (fd < 0)
		return hp_fail_errno(err, HP_E_BPF_PRIVILEGE, -errno,
				     "BPF program %u cannot be opened", id);
	return open_fd(out, fd, err);
}

static bool matches(const struct hp_bpf_program *program, const char *kind, const char *value)
{
	if (!strcmp(kind, "tag"))
		return !strcmp(program->tag, value);
	return !strcmp(program->name, value) ||
	       (program->function_count && program->functions[0].loaded &&
		!strcmp(program->functions[0].name, value));
}

/* The one program that matches; programs come and go meanwhile. */
static int search(struct hp_bpf_program **out, const char *kind, const char *value,
		  struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_bpf_program__close) struct hp_bpf_program *found = NULL;
	char ids[128] = "";
	unsigned int count = 0;
	uint32_t id = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		__cleanup(hp_cleanup_hp_bpf_program__close) struct hp_bpf_program *program = NULL;
		struct hp_error why = { 0 };
		int ret = hp_bpf_program__open(&program, id, &why);

		if (ret && why.reason == HP_E_BPF_NO_PROGRAM)
			continue;
		if (ret) {
			*err = why;
			return ret;
		}
		if (!matches(program, kind, value))
			continue;
		append(ids, sizeof(ids), "%s%u", count ? ", " : "", id);
		if (!count++) {
			found = program;
			program = NULL;
		}
	}
	if (errno != ENOENT)
		return hp_fail_errno(err, HP_E_BPF_PRIVILEGE, -errno,
				     "the BPF programs cannot be listed");
	if (!count)
		return hp_fail(err, !strcmp(kind, "tag") ? HP_E_BPF_BASELINE : HP_E_BPF_NO_PROGRAM,
			       "no loaded BPF program has the %s '%s'", kind, value);
	if (count > 1)
		return hp_fail(err, HP_E_BPF_NO_PROGRAM,
			       "%u loaded BPF programs have the %s '%s': choose by id (%s)", count,
			       kind, value, ids);
	*out = found;
	found = NULL;
	return 0;
}

/* The kernel answers for maps and links too, with other fields, and an id may be that of one of each kind. */
static bool is_program(int fd)
{
	char path[32], kind[32] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, kind, sizeof(kind) - 1) > 0 && !strcmp(kind, "anon_inode:bpf-prog");
}

static int open_pin(struct hp_bpf_program **out, const char *path, struct hp_error *err)
{
	int fd = bpf_obj_get(path);

	if (fd < 0) {
		int ret = -errno;
		/* What is no pin is refused with EACCES as well. */
		bool hidden = ret == -EPERM || (ret == -EACCES && access(path, R_OK | W_OK));

		return hp_fail_errno(err, hidden ? HP_E_BPF_PRIVILEGE : HP_E_BPF_NO_PROGRAM, ret,
				     "%s cannot be opened", path);
	}
	if (!is_program(fd)) {
		close(fd);
		return hp_fail(err, HP_E_BPF_NO_PROGRAM, "%s is no BPF program", path);
	}
	return open_fd(out, fd, err);
}

int hp_bpf_program__find(struct hp_bpf_program **out, const char *spec, struct hp_error *err)
{
	const char *value = strchr(spec, ':');
	char kind[8], *end;
	unsigned long id;

	if (!value || !value[1] || (size_t)(value - spec) >= sizeof(kind))
		return hp_fail(
			err, HP_E_USAGE,
			"a program is named by id:N, name:NAME, pin:PATH or tag:TAG, not '%s'",
			spec);
	snprintf(kind, sizeof(kind), "%.*s", (int)(value - spec), spec);
	value++;
	if (!strcmp(kind, "pin"))
		return open_pin(out, value, err);
	if (!strcmp(kind, "name") || !strcmp(kind, "tag"))
		return search(out, kind, value, err);
	if (strcmp(kind, "id"))
		return hp_fail(
			err, HP_E_USAGE,
			"a program is named by id:N, name:NAME, pin:PATH or tag:TAG, not '%s'",
			spec);
	errno = 0;
	id = strtoul(value, &end, 10);
	if (errno || *end || !id || id > UINT32_MAX)
		return hp_fail(err, HP_E_USAGE, "id: takes the number of a program, not '%s'",
			       value);
	return hp_bpf_program__open(out, (uint32_t)id, err);
}
