// SPDX-License-Identifier: GPL-2.0
/* The few types of the kernel by which libbpf relocates one object, as a BTF file of their own. */
#include "host/btf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <linux/bpf.h>

#define MAX_ROOTS 64

/* The head of .BTF.ext as it is in files (btf.rst in the kernel's documentation). */
struct ext_header {
	__u16 magic;
	__u8 version;
	__u8 flags;
	__u32 header_size;
	__u32 functions, functions_size;
	__u32 lines, lines_size;
	__u32 relocations, relocations_size;
};

/* What fields are looked for in: all types of vmlinux with these names, of these kinds. */
struct roots {
	uint32_t name[MAX_ROOTS];
	__u16 kind[MAX_ROOTS];
	size_t count;
};

/* What is behind ___ is the author's own (bpf_core_essential_name_len(), libbpf's relo_core.c). */
static size_t essential_length(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = length; i-- > 1;)
		if (name[i - 1] != '_' && !strncmp(name + i, "___", 3) && name[i + 3] != '_' &&
		    name[i + 3])
			return i;
	return length;
}

static int add_root(struct hp_btf *btf, const struct btf *local, __u32 id, struct roots *roots)
{
	const struct btf_type *t = btf__type_by_id(local, id);
	const char *name = t ? btf__name_by_offset(local, t->name_off) : NULL;
	uint32_t name_off;

	if (!name || !name[0] || (!btf_is_composite(t) && !btf_is_typedef(t)))
		return -EOPNOTSUPP;
	name_off = hp_btf__find_name(btf, name, essential_length(name));
	for (size_t i = 0; i < roots->count; i++)
		if (roots->name[i] == name_off && roots->kind[i] == btf_kind(t))
			return 0;
	if (roots->count == MAX_ROOTS)
		return -EOPNOTSUPP;
	roots->name[roots->count] = name_off;
	roots->kind[roots->count++] = btf_kind(t);
	return 0;
}

/* The types that the relocations of fields begin with. */
static int find_roots(struct hp_btf *btf, const struct btf *local, const void *ext, size_t size,
		      struct roots *roots)
{
	const struct ext_header *h = ext;
	const char *at, *end;
	__u32 last = 0, record;
	int ret = 0;

	if (size < sizeof(*h) || h->magic != BTF_MAGIC || h->header_size < sizeof(*h) ||
	    (uint64_t)h->header_size + h->relocations + h->relocations_size > size ||
	    h->relocations_size < sizeof(record))
		return -EOPNOTSUPP;
	at = (const char *)ext + h->header_size + h->relocations;
	end = at + h->relocations_size;
	memcpy(&record, at, sizeof(record));
	at += sizeof(record);
	if (record < sizeof(struct bpf_core_relo))
		return -EOPNOTSUPP;
	while (!ret && (size_t)(end - at) >= 2 * sizeof(__u32)) {
		__u32 section[2]; /* its name, and how many there are of it */

		memcpy(section, at, sizeof(section));
		at += sizeof(section);
		for (__u32 i = 0; !ret && i < section[1]; i++, at += record) {
			struct bpf_core_relo relo;

			if ((size_t)(end - at) < record)
				return -EOPNOTSUPP;
			memcpy(&relo, at, sizeof(relo));
			if (relo.kind > BPF_CORE_FIELD_RSHIFT_U64)
				return -EOPNOTSUPP;
			if (relo.type_id != last)
				ret = add_root(btf, local, relo.type_id, roots);
			last = relo.type_id;
		}
	}
	return ret;
}

struct subset {
	uint32_t *ids; /* of the types in it, as vmlinux has them, in the order of their new ids */
	uint32_t *place; /* and back: the new id of each type of vmlinux, 0: not in it */
	uint32_t count;
};

static void take(struct subset *s, uint32_t id)
{
	if (!id || s->place[id])
		return;
	s->ids[s->count++] = id;
	s->place[id] = s->count;
}

/* The @i-th type that @t is made of, NULL: no more. Where a pointer leads, fields do not depend on. */
static __u32 *part_of(struct btf_type *t, size_t i)
{
	switch (btf_kind(t)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return i < btf_vlen(t) ? &btf_members(t)[i].type : NULL;
	case BTF_KIND_ARRAY:
		return i == 0 ? &btf_array(t)->type : i == 1 ? &btf_array(t)->index_type : NULL;
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_TYPE_TAG:
		return i == 0 ? &t->type : NULL;
	default:
		return NULL;
	}
}

static int choose(struct hp_btf *btf, const struct roots *roots, struct subset *s, size_t *size)
{
	uint32_t all = hp_btf__type_count(btf);

	for (uint32_t id = 1; id < all; id++) {
		const struct btf_type *t = hp_btf__type(btf, id);

		for (size_t i = 0; t->name_off && i < roots->count; i++)
			if (t->name_off == roots->name[i] && btf_kind(t) == roots->kind[i])
				take(s, id);
	}
	*size = 0;
	for (uint32_t n = 0; n < s->count; n++) {
		struct btf_type *t = (struct btf_type *)hp_btf__type(btf, s->ids[n]);
		__u32 *part;

		*size += hp_btf__record_size(t);
		for (size_t i = 0; (part = part_of(t, i)); i++) {
			if (*part >= all)
				return -EINVAL;
			take(s, *part);
		}
	}
	return 0;
}

static void copy_records(struct hp_btf *btf, const struct subset *s, char *out)
{
	for (uint32_t n = 0; n < s->count; n++) {
		const struct btf_type *from = hp_btf__type(btf, s->ids[n]);
		struct btf_type *t = (struct btf_type *)out;
		__u32 *part;

		memcpy(out, from, hp_btf__record_size(from));
		for (size_t i = 0; (part = part_of(t, i)); i++)
			*part = s->place[*part];
		if (btf_is_ptr(t))
			t->type = 0;
		out += hp_btf__record_size(from);
	}
}

static int write_all(int fd, const void *data, size_t size)
{
	for (const char *at = data; size;) {
		ssize_t n = write(fd, at, size);

		if (n <= 0)
			return n ? -errno : -EIO;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int hp_btf__write_subset(struct hp_btf *btf, const struct btf *local, const void *ext, size_t size,
			 int fd)
{
	uint32_t all = hp_btf__type_count(btf);
	_cleanup_free_ uint32_t *ids = calloc((size_t)all + 1, sizeof(*ids));
	_cleanup_free_ uint32_t *place = calloc((size_t)all + 1, sizeof(*place));
	struct subset subset = { .ids = ids, .place = place };
	_cleanup_free_ char *records = NULL;
	struct btf_header header = { .magic = BTF_MAGIC,
				     .version = BTF_VERSION,
				     .hdr_len = sizeof(header) };
	struct roots roots = { 0 };
	size_t record_size, string_size;
	const char *strings = hp_btf__strings(btf, &string_size);
	int ret;

	if (!all || !strings || !ids || !place)
		return -ENOMEM;
	ret = find_roots(btf, local, ext, size, &roots);
	ret = ret ?: choose(btf, &roots, &subset, &record_size);
	records = ret ? NULL : malloc(record_size + 1);
	if (!records)
		return ret ?: -ENOMEM;
	copy_records(btf, &subset, records);
	header.type_len = (__u32)record_size;
	header.str_off = (__u32)record_size;
	header.str_len = (__u32)string_size;
	ret = write_all(fd, &header, sizeof(header));
	ret = ret ?: write_all(fd, records, record_size);
	return ret ?: write_all(fd, strings, string_size);
}

int hp_btf__write_all(struct hp_btf *btf, int fd)
{
	size_t size;
	const void *data = hp_btf__raw(btf, &size);

	return data ? write_all(fd, data, size) : -ENOENT;
}
