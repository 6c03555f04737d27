/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bpf engine: functions of a loaded BPF program, replaced by freplace programs whose links are
 * pinned. The running program stays attached where it is.
 */
#ifndef HP_ENGINES_BPF_BPF_H
#define HP_ENGINES_BPF_BPF_H

#include <stdint.h>

#include "engines/engine.h"
#include "hotfix/bpf_object.h"

extern const struct hp_engine hp_bpf_engine;

/* What an activation may do. */
struct hp_bpf_activation {
	bool replace;	 /* take functions over from a hotfix of hotproof's that holds them */
	char before[64]; /* set: that hotfix, which is gone then; or "" */
	uint64_t gap_ns; /* set: how long the original functions ran in between */
};

/*
 * Say what ->resolve(), ->prepare() and ->activate() are about: @object, loaded for functions of
 * @program. All are borrowed until the state is closed.
 */
void hp_bpf_engine__take(struct hp_engine_state *state, struct hp_bpf_object *object,
			 const struct hp_bpf_program *program,
			 struct hp_bpf_activation *activation);

/*
 * The targets of @object in @program, for the table's functions: one for each forward attach, in
 * their order. malloc'ed; NULL: out of memory.
 */
struct hp_target *hp_bpf_engine__targets(const struct hp_bpf_object *object,
					 const struct hp_bpf_program *program);

/*
 * Why @function of @program cannot be replaced: not global, held by another program. Returns 0 when
 * it can, else a negative errno with @err filled; @holders are those of hp_bpf_holders__list().
 */
int hp_bpf_replaceable(const struct hp_bpf_program *program, const struct hp_bpf_function *function,
		       const struct hp_bpf_holder *holders, size_t count, struct hp_error *err);

#endif
