// SPDX-License-Identifier: GPL-2.0
/* BTF of the running kernel and its modules, loaded when it is first needed. */
#include "host/btf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#define OBJECT_NAME_MAX 64

struct module_btf {
	char name[OBJECT_NAME_MAX];
	struct btf *btf; /* NULL: the module has none */
	int fd;
};

struct hp_btf {
	void *raw; /* of vmlinux, NULL until asked for */
	size_t raw_size;
	uint32_t *places;    /* of its types' records, by id; NULL until asked for */
	uint32_t type_count; /* the ids are below */
	struct btf *vmlinux; /* indexed by libbpf; likewise */
	struct module_btf *modules;
	size_t module_count;
};

int hp_btf__open(struct hp_btf **out)
{
	struct hp_btf *btf;

	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return -errno;
	btf = calloc(1, sizeof(*btf));
	if (!btf)
		return -ENOMEM;
	*out = btf;
	return 0;
}

void hp_btf__close(struct hp_btf *btf)
{
	for (size_t i = 0; i < btf->module_count; i++) {
		btf__free(btf->modules[i].btf);
		if (btf->modules[i].fd >= 0)
			close(btf->modules[i].fd);
	}
	free(btf->modules);
	btf__free(btf->vmlinux);
	free(btf->places);
	if (btf->raw)
		munmap(btf->raw, btf->raw_size);
	free(btf);
}

/*
 * The kernel's own BTF object of a module or of vmlinux, by its name. The kernel keeps no index: the ids are
 * walked, the newest last. Needs CAP_SYS_ADMIN (bpf_btf_get_fd_by_id()).
 */
static int kernel_btf_fd(const char *object)
{
	__u32 id = 0;

	while (!bpf_btf_get_next_id(id, &id)) {
		char name[OBJECT_NAME_MAX] = "";
		struct bpf_btf_info info = {
			.name = (uintptr_t)name,
			.name_len = sizeof(name),
		};
		__u32 len = sizeof(info);
		int fd = bpf_btf_get_fd_by_id(id);

		if (fd < 0) {
			if (errno == ENOENT)
				continue; /* gone between the two calls */
			return -errno;
		}
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.kernel_btf &&
		    !strcmp(name, object))
			return fd;
		close(fd);
	}
	return -ENOENT;
}

static void *map_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* One copy of the kernel's own object; -EPERM where it may not be asked for. */
static int copy_object(struct hp_btf *btf)
{
	struct bpf_btf_info info = { 0 };
	__u32 len = sizeof(info);
	_cleanup_close_ int fd = kernel_btf_fd("vmlinux");

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	btf->raw_size = info.btf_size;
	btf->raw = map_memory(btf->raw_size);
	if (!btf->raw)
		return -ENOMEM;
	memset(&info, 0, sizeof(info));
	info.btf = (uintptr_t)btf->raw;
	info.btf_size = (__u32)btf->raw_size;
	return bpf_obj_get_info_by_fd(fd, &info, &len) ? -errno : 0;
}

/* What sysfs gives to anybody, in a thousand pieces. */
static int read_file(struct hp_btf *btf)
{
	_cleanup_close_ int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	btf->raw_size = (size_t)st.st_size;
	btf->raw = map_memory(btf->raw_size);
	if (!btf->raw)
		return -ENOMEM;
	while (done < btf->raw_size) {
		ssize_t n = read(fd, (char *)btf->raw + done, btf->raw_size - done);

		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

static void drop_raw(struct hp_btf *btf)
{
	if (btf->raw)
		munmap(btf->raw, btf->raw_size);
	btf->raw = NULL;
}

/* The parts that the header names are where it says, or it is none. */
static bool is_whole(const struct hp_btf *btf)
{
	const struct btf_header *h = btf->raw;

	return btf->raw_size >= sizeof(*h) && h->magic == BTF_MAGIC &&
	       (uint64_t)h->hdr_len + h->type_off + h->type_len <= btf->raw_size &&
	       (uint64_t)h->hdr_len + h->str_off + h->str_len <= btf->raw_size;
}

int hp_btf__load(struct hp_btf *btf)
{
	int ret;

	if (btf->raw)
		return 0;
	ret = copy_object(btf);
	if (ret) {
		drop_raw(btf);
		ret = read_file(btf);
	}
	if (!ret && !is_whole(btf))
		ret = -EINVAL;
	if (ret)
		drop_raw(btf);
	return ret;
}

struct btf *hp_btf__vmlinux(struct hp_btf *btf)
{
	if (!btf->vmlinux && !hp_btf__load(btf))
		btf->vmlinux = btf__new(btf->raw, (__u32)btf->raw_size);
	return btf->vmlinux;
}

size_t hp_btf__record_size(const struct btf_type *t)
{
	static const unsigned char fixed[NR_BTF_KINDS] = {
		[BTF_KIND_INT] = sizeof(__u32),
		[BTF_KIND_ARRAY] = sizeof(struct btf_array),
		[BTF_KIND_VAR] = sizeof(struct btf_var),
		[BTF_KIND_DECL_TAG] = sizeof(struct btf_decl_tag),
	};
	static const unsigned char each[NR_BTF_KINDS] = {
		[BTF_KIND_STRUCT] = sizeof(struct btf_member),
		[BTF_KIND_UNION] = sizeof(struct btf_member),
		[BTF_KIND_ENUM] = sizeof(struct btf_enum),
		[BTF_KIND_ENUM64] = sizeof(struct btf_enum64),
		[BTF_KIND_FUNC_PROTO] = sizeof(struct btf_param),
		[BTF_KIND_DATASEC] = sizeof(struct btf_var_secinfo),
	};
	__u16 kind = btf_kind(t);

	return kind < NR_BTF_KINDS ? sizeof(*t) + fixed[kind] + (size_t)each[kind] * btf_vlen(t)
				   : 0;
}

static const char *first_record(const struct hp_btf *btf)
{
	const struct btf_header *h = btf->raw;

	return (const char *)h + h->hdr_len + h->type_off;
}

/* Where each type's record is. One walk over 100,000 of them, where libbpf takes 100 ms to index them. */
static int find_places(struct hp_btf *btf)
{
	const char *begin, *at, *end;
	int ret = btf->places ? 0 : hp_btf__load(btf);

	if (ret || btf->places)
		return ret;
	begin = at = first_record(btf);
	end = begin + ((const struct btf_header *)btf->raw)->type_len;
	btf->places = malloc(((size_t)(end - begin) / sizeof(struct btf_type) + 1) *
			     sizeof(*btf->places));
	if (!btf->places)
		return -ENOMEM;
	for (btf->type_count = 1; (size_t)(end - at) >= sizeof(struct btf_type);) {
		size_t size = hp_btf__record_size((const struct btf_type *)at);

		if (!size || size > (size_t)(end - at))
			break;
		btf->places[btf->type_count++] = (uint32_t)(at - begin);
		at += size;
	}
	return 0;
}

const struct btf_type *hp_btf__type(struct hp_btf *btf, uint32_t id)
{
	if (btf->vmlinux)
		return btf__type_by_id(btf->vmlinux, id);
	if (!id || find_places(btf) || id >= btf->type_count)
		return NULL;
	return (const struct btf_type *)(first_record(btf) + btf->places[id]);
}

uint32_t hp_btf__type_count(struct hp_btf *btf)
{
	return find_places(btf) ? 0 : btf->type_count;
}

const void *hp_btf__raw(struct hp_btf *btf, size_t *size)
{
	if (hp_btf__load(btf))
		return NULL;
	*size = btf->raw_size;
	return btf->raw;
}

const char *hp_btf__strings(struct hp_btf *btf, size_t *size)
{
	const struct btf_header *h;

	if (hp_btf__load(btf))
		return NULL;
	h = btf->raw;
	*size = h->str_len;
	return (const char *)h + h->hdr_len + h->str_off;
}

/* Each name is there once, as pahole and resolve_btfids deduplicate them. */
uint32_t hp_btf__find_name(struct hp_btf *btf, const char *name, size_t length)
{
	size_t size;
	const char *strings = hp_btf__strings(btf, &size), *found;
	char wanted[256];

	if (!strings || length + 2 > sizeof(wanted))
		return 0;
	wanted[0] = '\0';
	memcpy(wanted + 1, name, length);
	wanted[length + 1] = '\0';
	found = memmem(strings, size, wanted, length + 2);
	return found ? (uint32_t)(found + 1 - strings) : 0;
}

static int find_in_raw(struct hp_btf *btf, const char *name, uint32_t *id)
{
	uint32_t name_off = hp_btf__find_name(btf, name, strlen(name));
	const char *begin;

	if (!name_off || find_places(btf))
		return -ENOENT;
	begin = first_record(btf);
	for (uint32_t i = 1; i < btf->type_count; i++) {
		const struct btf_type *t = (const struct btf_type *)(begin + btf->places[i]);

		if (t->name_off == name_off && btf_is_func(t)) {
			*id = i;
			return 0;
		}
	}
	return -ENOENT;
}

static struct module_btf *find_module(struct hp_btf *btf, const char *module)
{
	struct module_btf *m;

	for (size_t i = 0; i < btf->module_count; i++)
		if (!strcmp(btf->modules[i].name, module))
			return &btf->modules[i];

	m = realloc(btf->modules, (btf->module_count + 1) * sizeof(*m));
	if (!m)
		return NULL;
	btf->modules = m;
	m = &btf->modules[btf->module_count++];
	memset(m, 0, sizeof(*m));
	strncpy(m->name, module, sizeof(m->name) - 1);
	m->fd = kernel_btf_fd(module);
	if (m->fd >= 0 && hp_btf__vmlinux(btf))
		m->btf = btf__load_module_btf(module, btf->vmlinux);
	return m;
}

/* The function @name among the types of @btf from id @first on; -ENOENT when there is none. */
static int find_function(const struct btf *btf, __u32 first, const char *name)
{
	for (__u32 id = first; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (btf_is_func(t) && !strcmp(btf__name_by_offset(btf, t->name_off), name))
			return (int)id;
	}
	return -ENOENT;
}

int hp_btf__find_function(struct hp_btf *btf, const char *object, const char *name, uint32_t *id,
			  int *object_fd)
{
	struct module_btf *m;
	int ret;

	if (!strcmp(object, "vmlinux")) {
		*object_fd = 0;
		return hp_btf__load(btf) ? -ENOENT : find_in_raw(btf, name, id);
	}
	m = find_module(btf, object);
	if (!m)
		return -ENOMEM;
	if (!m->btf)
		return m->fd < 0 ? m->fd : -ENOENT;
	/* Only the module's own types: a name of vmlinux is another function. */
	ret = find_function(m->btf, btf__type_cnt(btf->vmlinux), name);
	if (ret < 0)
		return ret;
	*object_fd = m->fd;
	*id = (uint32_t)ret;
	return 0;
}
