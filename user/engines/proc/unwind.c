// SPDX-License-Identifier: GPL-2.0
/* Whether a stopped thread is inside given functions: stacks unwound with libdw. */
#include "engines/proc/unwind.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <elfutils/libdwfl.h>

#define MAX_FRAMES 4096

struct hp_unwinder {
	Dwfl *dwfl;
	Dwfl_Callbacks callbacks;
	pid_t pid;
	const struct hp_maps *maps; /* while modules are being found */
};

struct walk {
	const struct hp_range *ranges;
	size_t range_count;
	unsigned int frames;
	uint64_t last_pc;
	const struct hp_range *hit;
	unsigned int hit_frame;
};

/*
 * The file behind a module as the process has it: its path may mean another file here, or none.
 */
static int find_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
		    char **file_name, Elf **elf)
{
	const struct hp_unwinder *u = *userdata;
	const struct hp_map *map = u && u->maps ? hp_maps__at(u->maps, base) : NULL;
	char path[64];
	int fd = -1;

	if (map && map->inode)
		fd = open(hp_map__file(map, u->pid, path), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return dwfl_linux_proc_find_elf(module, userdata, name, base, file_name, elf);
	*file_name = strdup(name);
	return fd;
}

/* Call frame information is in the files themselves (.eh_frame); nothing is looked for elsewhere. */
static int find_no_debuginfo(Dwfl_Module *module, void **userdata, const char *name,
			     Dwarf_Addr base, const char *file_name, const char *debuglink_file,
			     GElf_Word debuglink_crc, char **debuginfo_file_name)
{
	return -1;
}

static int open_module(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr start,
		       void *arg)
{
	GElf_Addr bias;

	*userdata = arg;
	/* Now, while the process runs: later it stands still until this is done. */
	dwfl_module_getelf(module, &bias);
	dwfl_module_eh_cfi(module, &bias);
	return DWARF_CB_OK;
}

int hp_unwinder__open(struct hp_unwinder **out, pid_t pid, const struct hp_maps *maps,
		      struct hp_error *err)
{
	struct hp_unwinder *u = calloc(1, sizeof(*u));
	int ret;

	if (!u)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	u->pid = pid;
	u->maps = maps;
	u->callbacks.find_elf = find_elf;
	u->callbacks.find_debuginfo = find_no_debuginfo;
	u->dwfl = dwfl_begin(&u->callbacks);
	if (!u->dwfl) {
		free(u);
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	ret = dwfl_linux_proc_report(u->dwfl, pid);
	if (!ret)
		ret = dwfl_report_end(u->dwfl, NULL, NULL) ? -1 : 0;
	if (!ret) {
		dwfl_getmodules(u->dwfl, open_module, u, 0);
		u->maps = NULL;
		/* "true": the threads are stopped by us when it looks at them. */
		ret = dwfl_linux_proc_attach(u->dwfl, pid, true);
	}
	if (ret) {
		hp_fail(err, HP_E_PROC_UNWIND, "the stacks of process %d cannot be unwound: %s",
			pid, ret > 0 ? strerror(ret) : dwfl_errmsg(-1));
		hp_unwinder__close(u);
		return -EBUSY;
	}
	*out = u;
	return 0;
}

void hp_unwinder__close(struct hp_unwinder *u)
{
	dwfl_end(u->dwfl);
	free(u);
}

static int look_at_frame(Dwfl_Frame *frame, void *arg)
{
	struct walk *walk = arg;
	bool activation;
	Dwarf_Addr pc;

	if (!dwfl_frame_pc(frame, &pc, &activation))
		return DWARF_CB_ABORT;
	/* Of a caller it is the return address: what it is inside of is the call before it. */
	if (!activation)
		pc--;
	walk->last_pc = pc;
	for (size_t i = 0; i < walk->range_count; i++) {
		if (pc < walk->ranges[i].start || pc >= walk->ranges[i].end)
			continue;
		walk->hit = &walk->ranges[i];
		walk->hit_frame = walk->frames;
		return DWARF_CB_ABORT;
	}
	return ++walk->frames < MAX_FRAMES ? DWARF_CB_OK : DWARF_CB_ABORT;
}

int hp_unwinder__check(struct hp_unwinder *u, pid_t tid, const struct hp_range *ranges,
		       size_t count, const struct hp_range *hidden, struct hp_error *err)
{
	struct walk walk = { .ranges = ranges, .range_count = count };
	int ret = dwfl_getthread_frames(u->dwfl, tid, look_at_frame, &walk);

	if (walk.hit) {
		hp_fail(err, HP_E_PROC_STACK, "thread %d is in %s (frame %u)", tid, walk.hit->name,
			walk.hit_frame);
		return -EBUSY;
	}
	if (ret == DWARF_CB_OK)
		return 0;
	if (walk.last_pc >= hidden->start - 1 && walk.last_pc < hidden->end - 1)
		hp_fail(err, HP_E_PROC_UNWIND,
			"the stack of thread %d cannot be unwound: a uretprobe of somebody's waits for "
			"a return there",
			tid);
	else
		hp_fail(err, HP_E_PROC_UNWIND,
			"the stack of thread %d cannot be unwound behind frame %u at 0x%" PRIx64
			": %s",
			tid, walk.frames, walk.last_pc,
			ret < 0 ? dwfl_errmsg(-1) : "too many frames");
	return -EBUSY;
}
