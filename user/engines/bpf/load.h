/* SPDX-License-Identifier: GPL-2.0 */
/* Loading a hotfix's programs for the functions of one running program. */
#ifndef HP_ENGINES_BPF_LOAD_H
#define HP_ENGINES_BPF_LOAD_H

#include "hotfix/bpf_object.h"

/*
 * Load the object: each replacement for its target in @program, with those of @program's own maps
 * that it declares. Nothing is attached. HP_E_BPF_MAP: a map of that name has another shape, both are
 * in the message; HP_E_BPF_VERIFIER: refused, what the verifier said has been shown.
 */
int hp_bpf_object__load(struct hp_bpf_object *object, const struct hp_bpf_program *program,
			struct hp_error *err);

#endif
