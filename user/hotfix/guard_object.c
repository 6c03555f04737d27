// SPDX-License-Identifier: GPL-2.0
/* A guard with code, as a file. */
#include "hotfix/guard_object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "host/elf_file.h"
#include "hotfix/bpf_object.h"
#include "hotfix/guard_catch.h"
#include "hotfix/object_types.h"

#define FMOD_RET "fmod_ret/"
#define LSM	 "lsm/"
#define PATCH	 ".data.hp_guard"

/* The kind of guard that @section is for, and the rest of its name; 0: none. */
static enum hp_guard_kind kind_of(const char *section, const char **name)
{
	enum hp_guard_kind kind = 0;

	if (!strncmp(section, FMOD_RET, strlen(FMOD_RET))) {
		kind = HP_GUARD_FMOD_RET;
		*name = section + strlen(FMOD_RET);
	} else if (!strncmp(section, LSM, strlen(LSM))) {
		kind = HP_GUARD_LSM;
		*name = section + strlen(LSM);
	}
	return kind;
}

/* By the names of its sections: libbpf, which reads all of the file, comes when it is loaded. */
bool hp_guard_object__is_one(const char *path)
{
	__cleanup(hp_cleanup_hp_elf__close) struct hp_elf *elf = NULL;
	Elf_Scn *section = NULL;
	bool found = false;
	size_t names;

	if (!hp_bpf_object__is_one(path) || hp_elf__open(&elf, path, NULL) ||
	    elf_getshdrstrndx(hp_elf__handle(elf), &names))
		return false;
	while (!found && (section = elf_nextscn(hp_elf__handle(elf), section))) {
		const char *name = NULL, *rest;
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) && header.sh_type == SHT_PROGBITS)
			name = elf_strptr(hp_elf__handle(elf), names, header.sh_name);
		found = name && kind_of(name, &rest) != 0;
	}
	return found;
}

void hp_guard_object__close(struct hp_guard_object *object)
{
	bpf_object__close(object->object);
	if (object->types >= 0)
		close(object->types);
	if (object->elf)
		hp_elf__close(object->elf);
	free(object);
}

static int set_name(struct hp_guard_object *object, struct hp_error *err)
{
	if (hp_bpf_object__name(object->path, object->name, sizeof(object->name)))
		return 0;
	return hp_fail(err, HP_E_GUARD_NAME,
		       "%s: the file's name is the guard's, of 1 to %zu characters before the "
		       "first dot",
		       object->path, sizeof(object->name) - 1);
}

static int find_program(struct hp_guard_object *object, struct hp_error *err)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object->object)
	{
		const char *section = bpf_program__section_name(program), *name = NULL;
		enum hp_guard_kind kind = kind_of(section, &name);

		if (!kind || !name[0])
			return hp_fail(err, HP_E_GUARD_OBJECT,
				       "%s: %s is in section \"%s\", which is no guard's",
				       object->path, bpf_program__name(program), section);
		if (object->kind)
			return hp_fail(err, HP_E_GUARD_OBJECT, "%s has more than one program",
				       object->path);
		object->kind = kind;
		if (strlen(name) + strlen("security_") >= sizeof(object->function))
			return hp_fail(err, HP_E_GUARD_UNKNOWN, "this kernel has no function %s",
				       name);
		snprintf(object->function, sizeof(object->function), "%s%.118s",
			 kind == HP_GUARD_LSM ? "security_" : "", name);
	}
	if (!object->kind)
		return hp_fail(err, HP_E_GUARD_OBJECT, "%s has no program", object->path);
	return 0;
}

/* Was it made with the header that this hotproof has? Its patch map says so. */
static int check_version(struct hp_guard_object *object, struct hp_error *err)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object->object, PATCH);
	const struct hp_guard_patch *patch;
	size_t size = 0;

	patch = map ? bpf_map__initial_value((struct bpf_map *)map, &size) : NULL;
	if (!patch || size < sizeof(patch->magic) + sizeof(patch->version) ||
	    patch->magic != HP_GUARD_MAGIC)
		return hp_fail(err, HP_E_GUARD_OBJECT,
			       "%s was not made with <hotproof/guard.bpf.h>: it has no patch map",
			       object->path);
	if (patch->version != HP_GUARD_VERSION || size != sizeof(*patch))
		return hp_fail(err, HP_E_GUARD_OBJECT,
			       "%s was made with the <hotproof/guard.bpf.h> of another hotproof "
			       "(version %u, here %u)",
			       object->path, patch->version, HP_GUARD_VERSION);
	return 0;
}

int hp_guard_object__open(struct hp_guard_object **out, const char *path, struct hp_error *err)
{
	struct hp_guard_object *object = calloc(1, sizeof(*object));
	int ret;

	if (!object)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	object->path = path;
	object->types = -1;
	ret = hp_object_types__check(path);
	if (!ret)
		object->object = hp_guard_catch__open(path, NULL, 0, &object->types);
	ret = ret ?: object->object ? hp_elf__open(&object->elf, path, NULL) : -errno;
	if (ret)
		hp_fail_errno(err, HP_E_GUARD_OBJECT, ret, "%s cannot be read as a BPF object",
			      path);
	ret = ret ?: set_name(object, err);
	ret = ret ?: find_program(object, err);
	ret = ret ?: check_version(object, err);
	if (ret) {
		hp_guard_object__close(object);
		return ret;
	}
	*out = object;
	return 0;
}
