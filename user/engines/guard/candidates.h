/* SPDX-License-Identifier: GPL-2.0 */
/* The functions of this kernel that a guard can take over, as its BTF and its lists say. */
#ifndef HP_ENGINES_GUARD_CANDIDATES_H
#define HP_ENGINES_GUARD_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "host/btf.h"
#include "hotproof/guard.h"

struct hp_guard_candidate {
	char function[HP_GUARD_FUNCTION_MAX];
	char prototype[256];
	bool fmod_ret; /* by this way, */
	bool lsm;      /* and by this one, when BPF is among the active security modules */
};

struct hp_guard_candidates {
	struct hp_guard_candidate *items; /* sorted by name */
	size_t count;
};

/*
 * All functions that match @pattern (a glob; NULL: all). fmod_ret takes security_* and the functions
 * of the error injection list (check_attach_modify_return(), kernel/bpf/verifier.c), an LSM program
 * those that have a bpf_lsm_* twin; both only functions that return a number.
 */
int hp_guard_candidates__find(struct hp_guard_candidates *out, struct hp_btf *btf,
			      const char *pattern, struct hp_error *err);
void hp_guard_candidates__free(struct hp_guard_candidates *candidates);

/* The names of up to three, by @kind if it is not 0, whose words are most like those of @function, or "". */
void hp_guard_candidates__nearest(const struct hp_guard_candidates *candidates,
				  const char *function, enum hp_guard_kind kind, char *out,
				  size_t size);

/* The bpf_lsm_* twin of @function in @out; false when it cannot have one. */
bool hp_guard_lsm_twin(const char *function, char *out, size_t size);

#endif
