// SPDX-License-Identifier: GPL-2.0
/* Loading a hotfix's programs for the functions of one running program. */
#include "engines/bpf/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/bpf_util.h"
#include "base/log.h"

/* What must be the same for both programs to mean the same by a map. */
struct shape {
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t flags;
};

static void describe(const struct shape *s, char *out, size_t size)
{
	const char *type = libbpf_bpf_map_type_str(s->type);

	snprintf(out, size, "%s, key %u B, value %u B, %u entries, flags 0x%x", type ?: "?",
		 s->key_size, s->value_size, s->max_entries, s->flags);
}

/* The kernel keeps 15 bytes of a map's name. */
static bool same_name(const char *declared, const char *loaded)
{
	return loaded[0] && !strncmp(declared, loaded, BPF_OBJ_NAME_LEN - 1);
}

/* What the kernel, or libbpf as it makes a map, changes in a definition. */
static void complete(struct shape *s)
{
	uint32_t cpus = (uint32_t)libbpf_num_possible_cpus();

	switch (s->type) {
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
		s->max_entries = s->max_entries ?: cpus;
		break;
	case BPF_MAP_TYPE_DEVMAP: /* dev_map_init_map() */
	case BPF_MAP_TYPE_DEVMAP_HASH:
		s->flags |= BPF_F_RDONLY_PROG;
		break;
	case BPF_MAP_TYPE_LRU_HASH: /* htab_map_alloc() */
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		if (s->flags & BPF_F_NO_COMMON_LRU)
			s->max_entries = (s->max_entries + cpus - 1) / cpus * cpus;
		break;
	}
}

static int share_map(struct bpf_map *map, int fd, const struct bpf_map_info *info,
		     struct hp_error *err)
{
	struct shape want = {
		.type = bpf_map__type(map),
		.key_size = bpf_map__key_size(map),
		.value_size = bpf_map__value_size(map),
		.max_entries = bpf_map__max_entries(map),
		.flags = bpf_map__map_flags(map),
	};
	struct shape have = {
		.type = info->type,
		.key_size = info->key_size,
		.value_size = info->value_size,
		.max_entries = info->max_entries,
		.flags = info->map_flags,
	};
	char a[128], b[128];
	int ret;

	complete(&want);
	if (memcmp(&want, &have, sizeof(want))) {
		describe(&want, a, sizeof(a));
		describe(&have, b, sizeof(b));
		return hp_fail(err, HP_E_BPF_MAP,
			       "the map %s is declared as: %s; that of the running program is: %s",
			       bpf_map__name(map), a, b);
	}
	ret = bpf_map__reuse_fd(map, fd);
	return ret ? hp_fail_errno(err, HP_E_BPF_MAP, ret, "the map %s cannot be shared",
				   bpf_map__name(map))
		   : 0;
}

/* The map that is declared as the one called @name, NULL: none; each object has its own .data, .rodata and .bss. */
static struct bpf_map *find_declared(const struct hp_bpf_object *object, const char *name,
				     struct bpf_map *after)
{
	struct bpf_map *map = after;

	while ((map = bpf_object__next_map(object->object, map)))
		if (!bpf_map__is_internal(map) && same_name(bpf_map__name(map), name))
			return map;
	return NULL;
}

/* Names that differ only where the kernel does not keep them: it cannot be told whose map is whose. */
static int check_told_apart(const struct hp_bpf_object *object, struct bpf_map *map,
			    const char *name, char (*shared)[BPF_OBJ_NAME_LEN], size_t count,
			    struct hp_error *err)
{
	const struct bpf_map *other = find_declared(object, name, map);

	if (other)
		return hp_fail(err, HP_E_BPF_MAP,
			       "the maps %s and %s have the same first %d characters, and the "
			       "kernel keeps no more",
			       bpf_map__name(map), bpf_map__name(other), BPF_OBJ_NAME_LEN - 1);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(shared[i], name))
			return hp_fail(err, HP_E_BPF_MAP,
				       "the running program has several maps that %s may be: the "
				       "kernel keeps %d characters of a name, and they are %s",
				       bpf_map__name(map), BPF_OBJ_NAME_LEN - 1, name);
	return 0;
}

static int share_maps(struct hp_bpf_object *object, const struct hp_bpf_program *program,
		      struct hp_error *err)
{
	_cleanup_free_ char(*shared)[BPF_OBJ_NAME_LEN] =
		calloc(program->map_count + 1, sizeof(*shared));
	size_t count = 0;

	if (!shared)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < program->map_count; i++) {
		_cleanup_close_ int fd = bpf_map_get_fd_by_id(program->maps[i]);
		struct bpf_map_info info = { 0 };
		__u32 len = sizeof(info);
		struct bpf_map *map;
		int ret;

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
			return hp_fail_errno(err, HP_E_BPF_PRIVILEGE, -errno,
					     "map %u of the program cannot be opened",
					     program->maps[i]);
		map = find_declared(object, info.name, NULL);
		if (!map)
			continue;
		ret = check_told_apart(object, map, info.name, shared, count, err);
		ret = ret ?: share_map(map, fd, &info, err);
		if (ret)
			return ret;
		memcpy(shared[count++], info.name, sizeof(*shared));
	}
	return 0;
}

/* Why it was not loaded, @ret, with the verifier's words: its last lines always, all of them with -v. */
static int refused(const struct hp_bpf_object *object, const struct hp_bpf_program *program,
		   const char *log, int ret, struct hp_error *err)
{
	if (ret == -ENOMEM)
		return hp_fail(err, HP_E_NOMEM, "%s cannot be loaded: the kernel gives no memory",
			       object->path);
	if (!log[0])
		return hp_fail_errno(err, ret == -EPERM ? HP_E_BPF_PRIVILEGE : HP_E_BPF_VERIFIER,
				     ret, "%s cannot be loaded for program %u", object->path,
				     program->id);
	return hp_bpf__fail_verifier(err, HP_E_BPF_VERIFIER, object->path, log);
}

/* Where maps are pinned is the running program's affair, or its loader's: libbpf would do it here, too. */
static void forget_pins(struct hp_bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object->object) bpf_map__set_pin_path(map, NULL);
}

/* The size of what function @id of @btf returns, or a negative errno. */
static int64_t returned_size(const struct btf *btf, int32_t id)
{
	const struct btf_type *func = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);
	const struct btf_type *proto = func ? btf__type_by_id(btf, func->type) : NULL;

	return proto && btf_is_func_proto(proto) ? btf__resolve_size(btf, proto->type) : -ENOENT;
}

/* The kernel takes one number for another as what is returned, and the upper half of an int is anything. */
static int check_returned(const struct hp_bpf_object *object, const struct hp_bpf_program *program,
			  const struct hp_bpf_forward *f, struct hp_error *err)
{
	const struct btf *btf = bpf_object__btf(object->object);
	const struct hp_bpf_function *target = hp_bpf_program__function(program, f->target);
	int64_t new =
		btf ? returned_size(btf, btf__find_by_name_kind(btf, f->replacement, BTF_KIND_FUNC))
		    : -ENOENT;
	int64_t old = returned_size(program->btf, (int32_t)target->type_id);

	if (new < 0 || old < 0 || new == old)
		return 0;
	return hp_fail(err, HP_E_BPF_VERIFIER, "%s() returns %lld bytes while %s() returns %lld",
		       f->replacement, (long long)new, f->target, (long long)old);
}

int hp_bpf_object__load(struct hp_bpf_object *object, const struct hp_bpf_program *program,
			struct hp_error *err)
{
	_cleanup_free_ char *log = calloc(1, HP_BPF_LOG_SIZE);
	int ret;

	if (!log)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	forget_pins(object);
	ret = share_maps(object, program, err);
	for (size_t i = 0; i < object->forward_count && !ret; i++) {
		struct hp_bpf_forward *f = &object->forwards[i];

		ret = check_returned(object, program, f, err);
		if (ret)
			return ret;
		ret = bpf_program__set_attach_target(f->program, program->fd, f->target);
		if (ret)
			return hp_fail_errno(err, HP_E_BPF_FUNCTION, ret,
					     "%s is no function of program %u", f->target,
					     program->id);
		bpf_program__set_log_buf(f->program, log, HP_BPF_LOG_SIZE);
	}
	if (ret)
		return ret;
	ret = bpf_object__load(object->object);
	return ret ? refused(object, program, log, ret, err) : 0;
}
