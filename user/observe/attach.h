/* SPDX-License-Identifier: GPL-2.0 */
/* Copies of the observer's template programs, and attaching them to one point. */
#ifndef HP_OBSERVE_ATTACH_H
#define HP_OBSERVE_ATTACH_H

#include <stdint.h>

#include <bpf/libbpf.h>

#include "base/error.h"
#include "host/btf.h"
#include "observe/point.h"
#include "observe/template.h"

/* One attached program; both descriptors are -1 when nothing is attached. */
struct hp_probe {
	int prog_fd;
	int link_fd; /* a BPF link, or the perf event of a kprobe */
	bool perf;   /* it is a perf event */
};

#define HP_PROBE_NONE ((struct hp_probe){ .prog_fd = -1, .link_fd = -1 })

void hp_probe__detach(struct hp_probe *probe);

/*
 * Detach many at once, in less time: the kernel waits for grace periods of RCU for each, but it can
 * wait for those of some kprobes and of one trampoline at the same time.
 */
void hp_probes__detach(struct hp_probe **probes, size_t count);

/* Calls of @probe that the kernel skipped because the program was running already. */
uint64_t hp_probe__misses(const struct hp_probe *probe);

/* What a copy gets in the place of the template's markers and maps. */
struct hp_place {
	uint32_t slot;
	int patch_map_fd;
	int shards_fd;
	uint32_t shards; /* a power of two */
	uint64_t depth;	 /* bytes on the stack above the return address */
};

/* Load a copy of @template (an fentry program) for @symbol of vmlinux, and do not attach it. */
int hp_probe__load(const struct hp_template *template, struct hp_btf *btf, const char *symbol,
		   struct hp_error *err);

/* Attach a copy of @template (of a tp_btf program) to the kernel's tracepoint @name. */
int hp_probe__attach_tracepoint(struct hp_probe *probe, const struct hp_template *template,
				struct hp_btf *btf, const char *name, struct hp_error *err);

/*
 * Attach a copy of @template (an fentry or fexit program) for @place to the function of @point.
 * 0, or a negative errno: -ENOENT when there is no BTF for the function.
 */
int hp_probe__attach_trampoline(struct hp_probe *probe, const struct hp_template *template,
				struct hp_btf *btf, const struct hp_point *point,
				const struct hp_place *place, struct hp_error *err);

/* The same for a kprobe, or with @ret a kretprobe, at the point's address and offset. */
int hp_probe__attach_kprobe(struct hp_probe *probe, const struct hp_template *template,
			    const struct hp_point *point, const struct hp_place *place, bool ret,
			    struct hp_error *err);

/* Load a copy of @template for uprobes at @place. A descriptor or a negative errno. */
int hp_probe__load_uprobe(const struct hp_template *template, const struct hp_point *point,
			  const struct hp_place *place, struct hp_error *err);

/*
 * Run @prog_fd at @file_offset of the point's file, in process @pid alone; with @ret when the
 * function that begins there returns. The descriptor stays the caller's.
 */
int hp_probe__attach_uprobe_of(struct hp_probe *probe, int prog_fd, const struct hp_point *point,
			       uint64_t file_offset, pid_t pid, bool ret, struct hp_error *err);

/* A uprobe at the point's file offset, in every process that maps the file, now and later. */
int hp_probe__attach_uprobe(struct hp_probe *probe, const struct hp_template *template,
			    const struct hp_point *point, const struct hp_place *place,
			    struct hp_error *err);

#endif
