// SPDX-License-Identifier: GPL-2.0
/* The types by which an object is relocated: fields are where all types say, and little else is there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <cmocka.h>
#include <linux/bpf.h>

#include "host/btf.h"

/* A section .BTF.ext with relocations and nothing else. */
struct ext {
	__u16 magic;
	__u8 version, flags;
	__u32 header_size;
	__u32 none[4];
	__u32 offset, size;
	__u32 record_size;
	__u32 section, count;
	struct bpf_core_relo relos[3];
};

static struct ext make_ext(__u32 type, __u32 kind)
{
	struct ext ext = { .magic = 0xeb9f,
			   .version = 1,
			   .header_size = offsetof(struct ext, record_size),
			   .size = sizeof(ext) - offsetof(struct ext, record_size),
			   .record_size = sizeof(struct bpf_core_relo),
			   .count = 3 };

	for (int i = 0; i < 3; i++)
		ext.relos[i] = (struct bpf_core_relo){ .type_id = type, .kind = kind };
	return ext;
}

/* An author's types: the struct @name. */
static struct btf *make_local(const char *name, int *id)
{
	struct btf *btf = btf__new_empty();

	*id = btf__add_struct(btf, name, 8);
	assert_true(*id > 0);
	return btf;
}

static struct hp_btf *open_kernel(void)
{
	struct hp_btf *btf;

	if (hp_btf__open(&btf) || hp_btf__load(btf))
		skip();
	return btf;
}

/* Bits from the beginning of struct @name to @field, in it or in an unnamed one in it; -1: not there. */
static long offset_in(const struct btf *btf, const struct btf_type *t, const char *field)
{
	const struct btf_member *m = btf_members(t);

	for (int i = 0; i < btf_vlen(t); i++) {
		const char *name = btf__name_by_offset(btf, m[i].name_off);
		const struct btf_type *inner = btf__type_by_id(btf, m[i].type);
		long bits = btf_member_bit_offset(t, (__u32)i), found;

		if (!strcmp(name, field))
			return bits;
		found = !name[0] && btf_is_composite(inner) ? offset_in(btf, inner, field) : -1;
		if (found >= 0)
			return bits + found;
	}
	return -1;
}

static const struct btf_type *named(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	return id > 0 ? btf__type_by_id(btf, id) : NULL;
}

static struct btf *read_back(int fd)
{
	size_t size = (size_t)lseek(fd, 0, SEEK_END);
	void *data = malloc(size);
	struct btf *btf;

	assert_int_equal(pread(fd, data, size, 0), size);
	btf = btf__new(data, (__u32)size);
	free(data);
	assert_non_null(btf);
	return btf;
}

static void fields_are_where_they_are(void **state)
{
	static const char *const fields[] = { "mm", "cred", "tgid", "comm", "se" };
	struct hp_btf *kernel = open_kernel();
	int id, fd = memfd_create("types", 0);
	struct btf *local = make_local("task_struct___mine", &id), *all, *some;
	struct ext ext = make_ext((__u32)id, BPF_CORE_FIELD_BYTE_OFFSET);

	assert_int_equal(hp_btf__write_subset(kernel, local, &ext, sizeof(ext), fd), 0);
	some = read_back(fd);
	all = hp_btf__vmlinux(kernel);
	assert_non_null(named(some, "task_struct"));
	assert_int_equal(named(some, "task_struct")->size, named(all, "task_struct")->size);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		long wanted = offset_in(all, named(all, "task_struct"), fields[i]);

		assert_true(wanted >= 0);
		assert_int_equal(offset_in(some, named(some, "task_struct"), fields[i]), wanted);
	}
	/* What is embedded is there, and has its size; where a pointer leads is not. */
	assert_int_equal(btf__resolve_size(some, btf__find_by_name_kind(some, "sched_entity",
									BTF_KIND_STRUCT)),
			 named(all, "sched_entity")->size);
	assert_null(named(some, "mm_struct"));
	assert_true(btf__type_cnt(some) < btf__type_cnt(all) / 20);
	btf__free(some);
	btf__free(local);
	close(fd);
	hp_btf__close(kernel);
}

static void more_than_fields_needs_all(void **state)
{
	struct hp_btf *kernel = open_kernel();
	int id, fd = memfd_create("types", 0);
	struct btf *local = make_local("task_struct", &id), *all;
	struct ext ext = make_ext((__u32)id, BPF_CORE_TYPE_ID_TARGET);

	assert_int_equal(hp_btf__write_subset(kernel, local, &ext, sizeof(ext), fd), -EOPNOTSUPP);
	assert_int_equal(hp_btf__write_all(kernel, fd), 0);
	all = read_back(fd);
	assert_int_equal(btf__type_cnt(all), hp_btf__type_count(kernel));
	btf__free(all);
	btf__free(local);
	close(fd);
	hp_btf__close(kernel);
}

/* Whatever a file says of its sizes, nothing outside is read: the sanitized build sees it. */
static void damaged_sections_are_refused(void **state)
{
	struct hp_btf *kernel = open_kernel();
	int id, fd = memfd_create("types", 0);
	struct btf *local = make_local("task_struct", &id);
	struct ext ext = make_ext((__u32)id, BPF_CORE_FIELD_BYTE_OFFSET);

	for (size_t size = 0; size < sizeof(ext); size++) {
		void *cut = malloc(size ?: 1);

		memcpy(cut, &ext, size);
		assert_int_not_equal(hp_btf__write_subset(kernel, local, cut, size, fd), 0);
		free(cut);
	}
	ext.count = UINT32_MAX;
	assert_int_not_equal(hp_btf__write_subset(kernel, local, &ext, sizeof(ext), fd), 0);
	ext = make_ext(4000000, BPF_CORE_FIELD_BYTE_OFFSET);
	assert_int_not_equal(hp_btf__write_subset(kernel, local, &ext, sizeof(ext), fd), 0);
	btf__free(local);
	close(fd);
	hp_btf__close(kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_where_they_are),
		cmocka_unit_test(more_than_fields_needs_all),
		cmocka_unit_test(damaged_sections_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
