// SPDX-License-Identifier: GPL-2.0
/* A hotfix for a loaded BPF program, as a file. */
#include "hotfix/bpf_object.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <bpf/libbpf.h>

#include "host/bpffs.h"
#include "host/elf_file.h"
#include "hotfix/object_types.h"

#define SECTION	 "freplace/"
#define BASELINE ".hotproof.baseline"

bool hp_bpf_object__is_one(const char *path)
{
	/* A FIFO must not block us. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	Elf64_Ehdr header;

	return fd >= 0 && pread(fd, &header, sizeof(header), 0) == sizeof(header) &&
	       !memcmp(header.e_ident, ELFMAG, SELFMAG) && header.e_ident[EI_CLASS] == ELFCLASS64 &&
	       header.e_machine == EM_BPF;
}

void hp_bpf_object__close(struct hp_bpf_object *object)
{
	bpf_object__close(object->object);
	free(object->forwards);
	free(object);
}

bool hp_bpf_object__name(const char *path, char *name, size_t size)
{
	const char *slash = strrchr(path, '/');
	const char *file = slash ? slash + 1 : path;
	size_t len = strcspn(file, ".");

	if (!len || len >= size)
		return false;
	memcpy(name, file, len);
	name[len] = '\0';
	return true;
}

static int set_name(struct hp_bpf_object *object, struct hp_error *err)
{
	if (hp_bpf_object__name(object->path, object->name, sizeof(object->name)) &&
	    hp_bpffs__is_name(object->name))
		return 0;
	return hp_fail(err, HP_E_BPF_OBJECT,
		       "%s: the file's name up to its first dot is the hotfix's: 1 to %zu letters, "
		       "digits, '-' and '_'",
		       object->path, sizeof(object->name) - 1);
}

/* The text of the section that HP_BASELINE() makes, if it is there. */
static int read_baseline(struct hp_bpf_object *object, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_elf__close) struct hp_elf *elf = NULL;
	const Elf_Data *data;
	GElf_Shdr header;
	Elf_Scn *section;
	int ret = hp_elf__open(&elf, object->path, err);

	section = ret ? NULL : hp_elf__find_section(elf, BASELINE, &header);
	if (!section)
		return ret;
	data = elf_getdata(section, NULL);
	if (!data || data->d_size != sizeof(object->baseline) ||
	    strnlen(data->d_buf, data->d_size) != data->d_size - 1 ||
	    strspn(data->d_buf, "0123456789abcdef") != data->d_size - 1)
		return hp_fail(err, HP_E_BPF_OBJECT,
			       "%s: HP_BASELINE takes a tag of %zu hexadecimal digits",
			       object->path, sizeof(object->baseline) - 1);
	memcpy(object->baseline, data->d_buf, data->d_size);
	return 0;
}

static int read_forwards(struct hp_bpf_object *object, struct hp_error *err)
{
	struct bpf_program *program;
	size_t count = 0;

	bpf_object__for_each_program(program, object->object) count++;
	object->forwards = calloc(count + 1, sizeof(*object->forwards));
	if (!object->forwards)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	bpf_object__for_each_program(program, object->object)
	{
		struct hp_bpf_forward *f = &object->forwards[object->forward_count];
		const char *section = bpf_program__section_name(program);

		if (strncmp(section, SECTION, strlen(SECTION)) || !section[strlen(SECTION)])
			return hp_fail(err, HP_E_BPF_OBJECT,
				       "%s: %s is in section \"%s\", not in \"freplace/FUNCTION\"",
				       object->path, bpf_program__name(program), section);
		snprintf(f->target, sizeof(f->target), "%s", section + strlen(SECTION));
		snprintf(f->replacement, sizeof(f->replacement), "%s", bpf_program__name(program));
		f->instructions = (uint32_t)bpf_program__insn_cnt(program);
		f->program = program;
		for (size_t i = 0; i < object->forward_count; i++)
			if (!strcmp(object->forwards[i].target, f->target))
				return hp_fail(err, HP_E_BPF_OBJECT, "%s replaces %s twice",
					       object->path, f->target);
		object->forward_count++;
	}
	if (!count)
		return hp_fail(err, HP_E_BPF_OBJECT, "%s replaces nothing", object->path);
	return 0;
}

int hp_bpf_object__open(struct hp_bpf_object **out, const char *path, struct hp_error *err)
{
	struct hp_bpf_object *object;
	struct stat st;
	int ret;

	/* libbpf would wait for who writes to a FIFO. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return hp_fail(err, HP_E_BPF_OBJECT, "%s is not a regular file", path);
	object = calloc(1, sizeof(*object));
	if (!object)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	object->path = path;
	ret = hp_object_types__check(path);
	object->object = ret ? NULL : bpf_object__open_file(path, NULL);
	ret = ret ?: object->object ? 0 : -errno;
	if (ret)
		hp_fail_errno(err, HP_E_BPF_OBJECT, ret, "%s cannot be read as a BPF object", path);
	ret = ret ?: set_name(object, err);
	ret = ret ?: read_baseline(object, err);
	ret = ret ?: read_forwards(object, err);
	if (ret) {
		hp_bpf_object__close(object);
		return ret;
	}
	*out = object;
	return 0;
}
