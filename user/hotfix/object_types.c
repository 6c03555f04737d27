// SPDX-License-Identifier: GPL-2.0
/* The types of a BPF object, before libbpf follows what they refer to. */
#include "hotfix/object_types.h"

#include <errno.h>
#include <stdbool.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#define DEPTH_MAX 32 /* of typedefs, qualifiers and arrays; as in libbpf */

static bool is_name(const struct btf *btf, __u32 offset)
{
	return btf__name_by_offset(btf, offset) != NULL;
}

static bool is_type(const struct btf *btf, __u32 id)
{
	return id < btf__type_cnt(btf);
}

static bool check_struct(const struct btf *btf, const struct btf_type *t)
{
	const struct btf_member *m = btf_members(t);

	for (int i = 0; i < btf_vlen(t); i++)
		if (!is_name(btf, m[i].name_off) || !is_type(btf, m[i].type))
			return false;
	return true;
}

static bool check_values(const struct btf *btf, const struct btf_type *t)
{
	for (int i = 0; i < btf_vlen(t); i++)
		if (!is_name(btf, btf_is_enum64(t) ? btf_enum64(t)[i].name_off
						   : btf_enum(t)[i].name_off))
			return false;
	return true;
}

static bool check_proto(const struct btf *btf, const struct btf_type *t)
{
	const struct btf_param *p = btf_params(t);

	for (int i = 0; i < btf_vlen(t); i++)
		if (!is_name(btf, p[i].name_off) || !is_type(btf, p[i].type))
			return false;
	return is_type(btf, t->type);
}

static bool check_section(const struct btf *btf, const struct btf_type *t)
{
	const struct btf_var_secinfo *v = btf_var_secinfos(t);

	for (int i = 0; i < btf_vlen(t); i++)
		if (!is_type(btf, v[i].type))
			return false;
	return true;
}

static bool check_one(const struct btf *btf, const struct btf_type *t)
{
	if (!is_name(btf, t->name_off))
		return false;
	switch (btf_kind(t)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return check_struct(btf, t);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return check_values(btf, t);
	case BTF_KIND_ARRAY:
		return is_type(btf, btf_array(t)->type) && is_type(btf, btf_array(t)->index_type);
	case BTF_KIND_FUNC_PROTO:
		return check_proto(btf, t);
	case BTF_KIND_FUNC:
		return is_type(btf, t->type) && t->type &&
		       btf_is_func_proto(btf__type_by_id(btf, t->type));
	case BTF_KIND_DATASEC:
		return check_section(btf, t);
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
	case BTF_KIND_FWD:
		return true;
	default: /* what leads to one other type */
		return is_type(btf, t->type);
	}
}

/* Does the chain from @t come to an end? All that it goes by was checked. */
static bool ends(const struct btf *btf, const struct btf_type *t)
{
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		if (btf_is_array(t))
			t = btf__type_by_id(btf, btf_array(t)->type);
		else if (btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t))
			t = btf__type_by_id(btf, t->type);
		else
			return true;
		if (!t)
			return false;
	}
	return false;
}

int hp_object_types__check(const char *path)
{
	struct btf *btf = btf__parse_elf(path, NULL);
	bool good = true;

	if (!btf)
		return 0;
	for (__u32 id = 1; good && id < btf__type_cnt(btf); id++)
		good = check_one(btf, btf__type_by_id(btf, id));
	for (__u32 id = 1; good && id < btf__type_cnt(btf); id++)
		good = ends(btf, btf__type_by_id(btf, id));
	btf__free(btf);
	return good ? 0 : -ENOEXEC;
}
