/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Taking functions over from an earlier hotfix. The kernel has no way to exchange the program of such a
 * link (bpf_tracing_link_lops has no update_prog), so between the two the original function runs: a gap,
 * kept short and measured.
 */
#ifndef HP_ENGINES_BPF_HANDOVER_H
#define HP_ENGINES_BPF_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "host/bpf_program.h"

struct hp_handover;

/*
 * The one hotfix of hotproof's that holds some of the @count @functions of @program; *out is NULL when
 * none is held. HP_E_BPF_HELD: somebody else holds one, or that hotfix has more functions than these,
 * which would be lost. hp_handover__close() it.
 */
int hp_handover__open(struct hp_handover **out, const struct hp_bpf_program *program,
		      const char *const *functions, size_t count, struct hp_error *err);
void hp_handover__close(struct hp_handover *handover);
HP_DEFINE_CLEANUP(struct hp_handover *, hp_handover__close)

/* The hotfix that goes. */
const char *hp_handover__hotfix(const struct hp_handover *handover);

/* Let its functions go: the original ones run from *since on, a time of hp_now_ns(). */
int hp_handover__let_go(struct hp_handover *handover, uint64_t *since, struct hp_error *err);

/* Put it back as it was, after the new one could not be attached. */
int hp_handover__put_back(struct hp_handover *handover, const struct hp_bpf_program *program,
			  struct hp_error *err);

#endif
