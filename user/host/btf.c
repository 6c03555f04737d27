// SPDX-License-Identifier: GPL-2.0
/* BTF of the running kernel and its modules, loaded when it is first needed. */
#include "host/btf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#define OBJECT_NAME_MAX 64

struct module_btf {
	char name[OBJECT_NAME_MAX];
	struct btf *btf; /* NULL: the module has none */
	int fd;
};

struct hp_btf {
	struct btf *vmlinux;
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

/*
 * From the kernel's own object where it may be asked for: that is one copy, while sysfs gives the
 * same 4 MB in a thousand pieces.
 */
static struct btf *load_vmlinux(void)
{
	struct bpf_btf_info info = { 0 };
	__u32 len = sizeof(info);
	struct btf *vmlinux = NULL;
	int fd = kernel_btf_fd("vmlinux");

	if (fd >= 0) {
		if (!bpf_obj_get_info_by_fd(fd, &info, &len))
			vmlinux = btf__load_from_kernel_by_id(info.id);
		close(fd);
	}
	return vmlinux ?: btf__load_vmlinux_btf();
}

struct btf *hp_btf__vmlinux(struct hp_btf *btf)
{
	if (!btf->vmlinux)
		btf->vmlinux = load_vmlinux();
	return btf->vmlinux;
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
		if (!hp_btf__vmlinux(btf))
			return -ENOENT;
		ret = find_function(btf->vmlinux, 1, name);
		*object_fd = 0;
	} else {
		m = find_module(btf, object);
		if (!m)
			return -ENOMEM;
		if (!m->btf)
			return m->fd < 0 ? m->fd : -ENOENT;
		/* Only the module's own types: a name of vmlinux is another function. */
		ret = find_function(m->btf, btf__type_cnt(btf->vmlinux), name);
		*object_fd = m->fd;
	}
	if (ret < 0)
		return ret;
	*id = (uint32_t)ret;
	return 0;
}
