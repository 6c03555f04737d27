/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the files that try features, and only for them. A probe returns 0 when the feature works,
 * or says what went wrong: a negative errno, HP_PROBE_SILENT or HP_PROBE_UNTRIED. It sets
 * found->step, and found->value when there is something to tell. Unless it knows the cause
 * itself (found->cause), hp_cause__find() looks for it. Whatever it opened is closed again.
 */
#ifndef HP_HOST_PROBE_H
#define HP_HOST_PROBE_H

#include <bpf/btf.h>

#include "host/features.h"

#define HP_PROBE_SILENT	 1 /* attached without an error, but never called */
#define HP_PROBE_UNTRIED 2 /* there is nothing here to try it on; found->why says so */

struct hp_features {
	struct hp_facts facts;
	struct btf *btf;   /* of vmlinux; NULL when it cannot be read */
	int btf_err;	   /* why */
	bool btf_tried;
	bool known[HP_FEATURES];
	struct hp_finding found[HP_FEATURES];
};

/* The kernel's BTF, read once; NULL with the errno in features->btf_err. */
struct btf *hp_probe__btf(struct hp_features *features);

#define HP_PROBE(name)                                                                      \
	int hp_probe__##name(struct hp_features *features, const struct hp_feature *feature, \
			     struct hp_finding *found)

/* probe_hook.c: a program that counts, on every kind of hook; feature->arg says which. */
HP_PROBE(hook);

/* probe_perf.c: the same on a perf event; feature->arg is enum hp_perf_probe. */
enum hp_perf_probe {
	HP_PERF_KPROBE,
	HP_PERF_KRETPROBE,
	HP_PERF_UPROBE,
};
HP_PROBE(perf);

/* probe_bpf.c: other things that BPF can do */
HP_PROBE(btf);
HP_PROBE(module_btf);
HP_PROBE(jit);
HP_PROBE(freplace);
HP_PROBE(ringbuf);
HP_PROBE(task_storage);
HP_PROBE(read_kernel);
HP_PROBE(kallsyms_lookup);
HP_PROBE(klp_list);
HP_PROBE(bpf_ids);
HP_PROBE(memlock);

/* probe_kernel.c: livepatching, modules, and what is read from files */
HP_PROBE(livepatch);
HP_PROBE(reliable_stack);
HP_PROBE(klp_control);
HP_PROBE(task_stack);
HP_PROBE(module_load);
HP_PROBE(unsigned_modules);
HP_PROBE(ftrace);
HP_PROBE(lockdown);
HP_PROBE(kallsyms);
HP_PROBE(perf_events);
HP_PROBE(unprivileged_bpf);
HP_PROBE(mount); /* feature->arg is the file system's magic number */
HP_PROBE(kernel_image);
HP_PROBE(capability); /* feature->arg is the capability's number */

/* The counting program, see probe_hook.c. */
struct hp_counter {
	int map_fd;
	int prog_fd;
};

struct bpf_prog_load_opts;

#define HP_COUNTER_NONE { .map_fd = -1, .prog_fd = -1 }

/* Load it as a program of @type; @opts say what else libbpf shall ask for. */
int hp_counter__load(struct hp_counter *counter, int type, struct bpf_prog_load_opts *opts,
		     struct hp_finding *found);
int hp_counter__calls(const struct hp_counter *counter, uint64_t *calls);
void hp_counter__unload(struct hp_counter *counter);

/* Store the outcome of a counter that was called @calls times on @hook; returns the probe's value. */
int hp_counter__judge(const struct hp_counter *counter, const char *hook,
		      struct hp_finding *found);

#endif
