// SPDX-License-Identifier: GPL-2.0
/* Which functions of a loaded program the kernel lets another program replace, and why not. */
#include <bpf/btf.h>
#include <linux/bpf.h>

#include "engines/bpf/bpf.h"

/* Who replaces the main function of @program, if @function is another one: nothing calls it any more then. */
static const struct hp_bpf_holder *holder_of_main(const struct hp_bpf_program *program,
						  const struct hp_bpf_function *function,
						  const struct hp_bpf_holder *holders, size_t count)
{
	const struct hp_bpf_function *first = &program->functions[0];

	for (size_t i = 0; i < count && function != first; i++)
		if (holders[i].replaces && holders[i].target_id == program->id &&
		    holders[i].target_type_id == first->type_id)
			return &holders[i];
	return NULL;
}

/* The type @id behind typedefs and qualifiers, NULL for void. */
static const struct btf_type *plain(const struct btf *btf, uint32_t id)
{
	int type = btf__resolve_type(btf, id);

	return type > 0 ? btf__type_by_id(btf, (uint32_t)type) : NULL;
}

/* Two signatures are compared as far as numbers and pointers to structs go (btf_check_func_type_match()). */
static bool can_be_compared(const struct hp_bpf_program *program,
			    const struct hp_bpf_function *function)
{
	const struct btf_type *func = btf__type_by_id(program->btf, function->type_id);
	const struct btf_type *proto = btf__type_by_id(program->btf, func->type);
	const struct btf_param *params = btf_params(proto);

	for (uint32_t i = 0; i < btf_vlen(proto); i++) {
		const struct btf_type *type = plain(program->btf, params[i].type);

		if (type && btf_is_ptr(type)) {
			type = plain(program->btf, type->type);
			if (!type || !btf_is_composite(type))
				return false;
		}
	}
	return true;
}

int hp_bpf_replaceable(const struct hp_bpf_program *program, const struct hp_bpf_function *function,
		       const struct hp_bpf_holder *holders, size_t count, struct hp_error *err)
{
	const struct hp_bpf_holder *whole;
	char map[48];

	/* bpf_check_attach_target(), kernel/bpf/verifier.c: extensions are not extended. */
	if (program->type == BPF_PROG_TYPE_EXT)
		return hp_fail(err, HP_E_BPF_FUNCTION,
			       "%s is itself the replacement of a function: revert it, and replace "
			       "that function",
			       program->name);
	if (program->type == BPF_PROG_TYPE_TRACING)
		return hp_fail(err, HP_E_BPF_FUNCTION,
			       "%s is a tracing program: the kernel replaces none of its functions",
			       program->name);
	if (!function->loaded)
		return hp_fail(err, HP_E_BPF_FUNCTION,
			       "%s is not in this program: inlined into all its callers, never "
			       "called, or another program's of the same object",
			       function->name);
	if (!function->global)
		return hp_fail(err, HP_E_BPF_FUNCTION,
			       "%s is static: only global functions keep a signature of their own",
			       function->name);
	if (!can_be_compared(program, function))
		return hp_fail(err, HP_E_BPF_FUNCTION,
			       "%s has a pointer to something else than a struct as argument: the "
			       "kernel compares no such signatures",
			       function->prototype);
	for (size_t i = 0; i < count; i++) {
		const struct hp_bpf_holder *h = &holders[i];

		if (h->target_id != program->id || h->target_type_id != function->type_id)
			continue;
		return hp_fail(err, HP_E_BPF_HELD,
			       h->replaces
				       ? "%s is already replaced by program %u (%s)"
				       : "%s is traced by program %u (%s), and the kernel takes "
					 "either a tracing program or a replacement",
			       function->name, h->program_id, h->program_name);
	}
	/* As libxdp does with a dispatcher that has a single program to call. */
	whole = holder_of_main(program, function, holders, count);
	if (whole)
		return hp_fail(err, HP_E_BPF_HELD,
			       "%s is not called: all of %s is replaced by program %u (%s)",
			       function->name, program->functions[0].name, whole->program_id,
			       whole->program_name);
	/* So do kernels that have "bpf: Prevent tailcall infinite loop caused by freplace" (d6083f040d5d). */
	if (function == &program->functions[0] &&
	    !hp_bpf_tail_calls__find(program->id, map, sizeof(map)))
		return hp_fail(
			err, HP_E_BPF_HELD,
			"tail calls lead into %s, by map %s: they would still run the old code",
			function->name, map);
	return 0;
}
