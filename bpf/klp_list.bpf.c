// SPDX-License-Identifier: GPL-2.0
/*
 * A cursor over the kernel's own list of livepatches: klp_patches -> objects -> functions, and for
 * each function the ftrace_ops that carry it. Programs of type syscall: they run when user space
 * asks and attach to nothing.
 *
 * The lists are walked without klp_mutex, which a BPF program cannot take. Every read goes through
 * bpf_probe_read_kernel(), so a patch that is freed meanwhile gives stale bytes or an error, never
 * a fault; user space walks until two walks agree.
 */
#include "klp.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include <hotproof/klp_records.h>

/* Not the programs' context: bpf_probe_read_kernel_str() cannot write there. One reader at a time. */
struct hp_klp_step hp_step;
struct hp_klp_lookup hp_lookup;
struct hp_klp_window hp_window;

#define STACK_DEPTH_MAX 64 /* livepatches stacked on one function */

/* container_of() with the running kernel's offset. */
#define node_owner(node, type, field) \
	((type *)((__u64)(node)-bpf_core_field_offset(((type *)0)->field)))

static __always_inline struct list_head *next_of(struct list_head *node, struct hp_klp_step *step)
{
	struct list_head *next = NULL;

	if (bpf_core_read(&next, sizeof(next), &node->next) || !next)
		step->error = 1;
	return next;
}

static __always_inline void read_patch(struct klp_patch *patch, struct hp_klp_step *step)
{
	struct module *mod = BPF_CORE_READ(patch, mod);

	step->kind = HP_KLP_PATCH;
	step->p.address = (__u64)patch;
	step->p.enabled = BPF_CORE_READ(patch, enabled);
	step->p.replace = BPF_CORE_READ(patch, replace);
	step->p.forced = BPF_CORE_READ(patch, forced);
	if (bpf_probe_read_kernel_str(step->p.name, sizeof(step->p.name), mod->name) < 0)
		step->error = 1;
}

static __always_inline void read_object(struct klp_object *object, struct hp_klp_step *step)
{
	const char *name = BPF_CORE_READ(object, name);

	step->kind = HP_KLP_OBJECT;
	step->o.patched = BPF_CORE_READ(object, patched);
	step->o.loaded = !name || BPF_CORE_READ(object, mod);
	step->o.name[0] = 0;
	if (name && bpf_probe_read_kernel_str(step->o.name, sizeof(step->o.name), name) < 0)
		step->error = 1;
}

/*
 * All functions on one func_stack share old_func, so the first node that does not is the head, in
 * klp_ops. klp_find_ops() comes from the other side, by klp_ops' own list; this way needs no
 * symbol. User space believes it only if the top is a function of the list it knows.
 */
static __always_inline void read_ops(struct klp_func *func, void *old_func,
				     struct hp_klp_step *step)
{
	struct list_head *node = BPF_CORE_READ(func, stack_node.next);
	struct klp_ops *ops = NULL;
	struct klp_func *other;
	int i;

	for (i = 0; i < STACK_DEPTH_MAX && node; i++) {
		other = node_owner(node, struct klp_func, stack_node);
		if (BPF_CORE_READ(other, old_func) != old_func) {
			ops = node_owner(node, struct klp_ops, func_stack);
			break;
		}
		node = BPF_CORE_READ(node, next);
	}
	if (!ops)
		return;
	node = BPF_CORE_READ(ops, func_stack.next);
	step->f.top_func = (__u64)node_owner(node, struct klp_func, stack_node);
	step->f.ops_flags = BPF_CORE_READ(ops, fops.flags);
	step->f.ops_func = (__u64)BPF_CORE_READ(ops, fops.func);
	step->f.trampoline = BPF_CORE_READ(ops, fops.trampoline);
	step->f.trampoline_size = BPF_CORE_READ(ops, fops.trampoline_size);
	step->f.ops_found = 1;
	bpf_snprintf(step->f.ops_func_name, sizeof(step->f.ops_func_name), "%ps", &step->f.ops_func,
		     sizeof(__u64));
}

static __always_inline void read_func(struct klp_func *func, struct hp_klp_step *step)
{
	void *old_func = BPF_CORE_READ(func, old_func);
	const char *name = BPF_CORE_READ(func, old_name);

	step->kind = HP_KLP_FUNC;
	step->f.address = (__u64)func;
	step->f.old_func = (__u64)old_func;
	step->f.new_func = (__u64)BPF_CORE_READ(func, new_func);
	step->f.old_size = BPF_CORE_READ(func, old_size);
	step->f.new_size = BPF_CORE_READ(func, new_size);
	step->f.sympos = BPF_CORE_READ(func, old_sympos);
	step->f.nop = BPF_CORE_READ(func, nop);
	step->f.patched = BPF_CORE_READ(func, patched);
	step->f.transition = BPF_CORE_READ(func, transition);
	if (bpf_probe_read_kernel_str(step->f.old_name, sizeof(step->f.old_name), name) < 0)
		step->error = 1;
	/* %ps finds the symbol by bisection, and asks for no address to be shown. */
	if (step->f.new_func)
		bpf_snprintf(step->f.new_name, sizeof(step->f.new_name), "%ps", &step->f.new_func,
			     sizeof(__u64));
	if (old_func && !bpf_probe_read_kernel(step->f.entry, sizeof(step->f.entry), old_func))
		step->f.entry_read = 1;
	if (step->f.patched)
		read_ops(func, old_func, step);
}

/* The next record of the walk. */
SEC("syscall")
int hp_klp_next(void *ctx)
{
	struct hp_klp_step *step = &hp_step;
	struct klp_patch *patch = (struct klp_patch *)step->patch;
	struct klp_object *object = (struct klp_object *)step->object;
	struct klp_func *func = (struct klp_func *)step->func;
	struct list_head *node;

	step->kind = HP_KLP_END;
	step->error = 0;
	if (object) {
		node = next_of(func ? &func->node : &object->func_list, step);
		if (step->error)
			return 0;
		if (node != &object->func_list) {
			func = node_owner(node, struct klp_func, node);
			step->func = (__u64)func;
			read_func(func, step);
			return 0;
		}
	}
	step->func = 0;
	if (patch) {
		node = next_of(object ? &object->node : &patch->obj_list, step);
		if (step->error)
			return 0;
		if (node != &patch->obj_list) {
			object = node_owner(node, struct klp_object, node);
			step->object = (__u64)object;
			read_object(object, step);
			return 0;
		}
	}
	step->object = 0;
	node = next_of(patch ? &patch->list : (struct list_head *)step->head, step);
	if (step->error || (__u64)node == step->head)
		return 0;
	patch = node_owner(node, struct klp_patch, list);
	step->patch = (__u64)patch;
	read_patch(patch, step);
	return 0;
}

/*
 * Where a symbol is, what is there, and whose it is. A name alone may be found in any module, the
 * %pS of its address tells in which. Only the search by name asks for CAP_SYSLOG.
 */
SEC("syscall")
int hp_klp_symbol(void *ctx)
{
	struct hp_klp_lookup *lookup = &hp_lookup;
	unsigned long long address = lookup->address;

	lookup->error = 0;
	if (lookup->name[0]) {
		lookup->error =
			bpf_kallsyms_lookup_name(lookup->name, sizeof(lookup->name), 0, &address);
		lookup->address = address;
	}
	if (lookup->error)
		return 0;
	lookup->error =
		bpf_probe_read_kernel(lookup->bytes, sizeof(lookup->bytes), (void *)address);
	bpf_snprintf(lookup->symbol, sizeof(lookup->symbol), "%pS", &lookup->address,
		     sizeof(__u64));
	return 0;
}

/* A piece of memory: the code of a function. */
SEC("syscall")
int hp_klp_read(void *ctx)
{
	struct hp_klp_window *window = &hp_window;
	__u32 len = window->len;

	if (len > sizeof(window->bytes))
		len = sizeof(window->bytes);
	window->error = bpf_probe_read_kernel(window->bytes, len, (void *)window->address);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
