/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the files that try features, and only for them. A try returns 0 when the feature works,
 * or says what went wrong: a negative errno, HP_TRY_SILENT or HP_TRY_UNTRIED. It sets
 * found->step, and found->value to what was seen. Unless it knows the cause
 * itself (found->cause), hp_cause__find() looks for it. Whatever it opened is closed again.
 */
#ifndef HP_HOST_TRY_H
#define HP_HOST_TRY_H

#include "host/btf.h"
#include "host/features.h"
#include "host/kallsyms.h"

#define HP_TRY_SILENT  1 /* attached without an error, but never called */
#define HP_TRY_UNTRIED 2 /* there is nothing here to try it on; found->why says so */

struct hp_features {
	struct hp_facts facts; /* read before the first try */
	bool facts_read;
	struct hp_btf *btf;	      /* NULL until asked for, or when it cannot be read */
	int btf_err;		      /* why it cannot */
	struct hp_kallsyms *kallsyms; /* likewise */
	bool known[HP_FEATURES];
	struct hp_finding found[HP_FEATURES];
};

/* The kernel's BTF, read once. Returns 0 or a negative errno. */
int hp_try__need_btf(struct hp_features *features);

/* The kernel's symbols, likewise. */
int hp_try__need_kallsyms(struct hp_features *features);

#define HP_TRY(name)                                                                       \
	int hp_try__##name(struct hp_features *features, const struct hp_feature *feature, \
			   struct hp_finding *found)

/* try_hook.c: a program that counts, on every kind of hook; feature->arg says which. */
HP_TRY(hook);

/* try_perf.c: the same on a perf event; feature->arg is enum hp_perf_event. */
enum hp_perf_event {
	HP_PERF_KPROBE,
	HP_PERF_KRETPROBE,
	HP_PERF_UPROBE,
};
HP_TRY(perf);

/* try_bpf.c: other things that BPF can do */
HP_TRY(bpf);
HP_TRY(btf);
HP_TRY(module_btf);
HP_TRY(jit);
HP_TRY(freplace);
HP_TRY(ringbuf);
HP_TRY(task_storage);
HP_TRY(read_kernel);
HP_TRY(kallsyms_lookup);
HP_TRY(klp_list);
HP_TRY(bpf_ids);
HP_TRY(memlock);

/* try_kernel.c: livepatching, modules, and what is read from files */
HP_TRY(livepatch);
HP_TRY(reliable_stack);
HP_TRY(klp_control);
HP_TRY(task_stack);
HP_TRY(kcore);
HP_TRY(module_load);
HP_TRY(unsigned_modules);
HP_TRY(ftrace);
HP_TRY(lockdown);
HP_TRY(kallsyms);
HP_TRY(perf_events);
HP_TRY(mount);
HP_TRY(kernel_image);
HP_TRY(capability); /* feature->arg is the capability's number */

/*
 * The counting program: it adds one to a number at each call and returns 0. counter.c
 */
struct hp_counter {
	int map_fd;
	int prog_fd;
};

#define HP_COUNTER_NONE ((struct hp_counter){ .map_fd = -1, .prog_fd = -1 })

struct bpf_prog_load_opts;

/* Load it as a program of @type; @opts say what else. Returns 0 or a negative errno. */
int hp_counter__load(struct hp_counter *counter, int type, struct bpf_prog_load_opts *opts,
		     struct hp_finding *found);
void hp_counter__unload(struct hp_counter *counter);

/*
 * After @what ("calls of f") was made to happen: 0 when it was counted, HP_TRY_SILENT when not.
 * @idle is how many calls say nothing.
 */
int hp_counter__judge(const struct hp_counter *counter, uint64_t idle, const char *what,
		      struct hp_finding *found);

static inline void hp_cleanup_counter(struct hp_counter *counter)
{
	hp_counter__unload(counter);
}

/* errno of the last call, and never 0: a failure without an errno must not look like success. */
int hp_try__errno(void);

#endif
