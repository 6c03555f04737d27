// SPDX-License-Identifier: GPL-2.0
/* Where calls of one process are timed: the entry and the returns of a target, or of its replacement. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/proc/session.h"

/* Code that can unwind a stack, by the name of its library. */
static bool is_unwinder(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	return !strncmp(base, "libgcc_s.so", 11) || !strncmp(base, "libunwind", 9);
}

/*
 * True if code of the process may walk its stack: C++ exceptions and their like, and garbage collectors
 * that have it built in. A return address that was taken over would end them.
 */
static bool unwinds(pid_t pid)
{
	__cleanup(hp_cleanup_hp_elf__close) struct hp_elf *elf = NULL;
	bool found = false, linked = false;
	struct hp_maps maps;
	char path[32];
	GElf_Shdr shdr;

	if (hp_maps__read(&maps, pid))
		return true;
	for (size_t i = 0; i < maps.count && !found; i++)
		found = is_unwinder(maps.items[i].path);
	hp_maps__free(&maps);
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (found || hp_elf__open(&elf, path, NULL))
		return true;
	for (size_t i = 0; i < hp_elf__segment_count(elf); i++)
		linked |= hp_elf__segment(elf, i)->p_type == PT_INTERP;
	return hp_elf__find_section(elf, ".gopclntab", &shdr) ||
	       (!linked && hp_elf__find_section(elf, ".gcc_except_table", &shdr));
}

/* The file that has the code, and where it is in there. */
static int find_code(struct hp_proc *proc, const struct hp_process *process,
		     const struct hp_forward *f, enum hp_point_role role, struct hp_elf **elf,
		     uint64_t *address, uint64_t *size, struct hp_error *err)
{
	struct hp_map map = { .start = process->start,
			      .end = process->end,
			      .inode = process->inode,
			      .major = process->major,
			      .minor = process->minor };

	if (role == HP_POINT_NEW_ENTRY) {
		*elf = hp_hotfix__elf(proc->hotfix);
		*address = f->new_address;
		*size = f->new_size;
		return 0;
	}
	*address = f->address;
	*size = f->size;
	return hp_objects__get(proc->objects, process->pid, &map, elf, err);
}

int hp_proc__timing(struct hp_proc *proc, const struct hp_process *process, size_t i,
		    enum hp_point_role role, struct hp_proc_timing *out, struct hp_error *err)
{
	const struct hp_forward *f = &hp_hotfix__meta(proc->hotfix)->forward[i];
	const char *name = role == HP_POINT_NEW_ENTRY ? f->replacement : f->target;
	uint64_t address, size, offsets[HP_PROC_RETURNS_MAX];
	_cleanup_free_ uint8_t *code = NULL;
	struct hp_elf *elf;
	int ret;

	memset(out, 0, sizeof(*out));
	ret = find_code(proc, process, f, role, &elf, &address, &size, err);
	if (ret)
		return ret;
	code = malloc(size + 1);
	if (!code)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	if (hp_elf__read(elf, address, code, size) || hp_elf__offset(elf, address, &out->entry))
		return hp_fail(err, HP_E_PROC_CODE, "the code of %s cannot be read", name);
	out->stepped = !hp_arch__probe_is_emulated(code, size);
	ret = hp_arch__returns(code, size, offsets, HP_PROC_RETURNS_MAX);
	for (int r = 0; r < ret; r++)
		out->returns[out->return_count++] = out->entry + offsets[r];
	if (ret < 0 && unwinds(process->pid))
		return hp_fail(
			err, HP_E_ATTACH,
			"%s may end in another function, and process %d may unwind its stack", name,
			process->pid);
	return 0;
}
