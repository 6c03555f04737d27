/* SPDX-License-Identifier: GPL-2.0 */
/* Copies of the observer's template programs, and attaching them to one point. */
#ifndef HP_OBSERVE_ATTACH_H
#define HP_OBSERVE_ATTACH_H

#include <stdint.h>

#include <bpf/libbpf.h>

#include "base/error.h"
#include "host/btf.h"
#include "observe/point.h"

/* One attached program; both descriptors are -1 when nothing is attached. */
struct hp_probe {
	int prog_fd;
	int link_fd; /* a BPF link, or the perf event of a kprobe */
};

#define HP_PROBE_NONE ((struct hp_probe){ .prog_fd = -1, .link_fd = -1 })

void hp_probe__detach(struct hp_probe *probe);

/* Calls of @probe that the kernel skipped because the program was running already. */
uint64_t hp_probe__misses(const struct hp_probe *probe);

/*
 * Attach a copy of @template (an fentry or fexit program) for @slot to the function of @point.
 * 0, or a negative errno: -ENOENT when there is no BTF for the function.
 */
int hp_probe__attach_trampoline(struct hp_probe *probe, const struct bpf_program *template,
				struct hp_btf *btf, const struct hp_point *point, uint32_t slot,
				struct hp_error *err);

/* The same for a kprobe, or with @ret a kretprobe, at the point's address and offset. */
int hp_probe__attach_kprobe(struct hp_probe *probe, const struct bpf_program *template,
			    const struct hp_point *point, uint32_t slot, bool ret,
			    struct hp_error *err);

/* A uprobe at the point's file offset, in every process that maps the file, now and later. */
int hp_probe__attach_uprobe(struct hp_probe *probe, const struct bpf_program *template,
			    const struct hp_point *point, uint32_t slot, struct hp_error *err);

#endif
