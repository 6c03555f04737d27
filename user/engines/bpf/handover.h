/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Taking functions over from an earlier hotfix. The kernel has no way to exchange the program of such a
 * link (bpf_tracing_link_lops has no update_prog), so between the two the original function runs: a gap,
 * kept short and measured.
 */
#ifndef HP_ENGINES_BPF_HANDOVER_H
#define HP_ENGINES_BPF_HANDOVER_H

#include <stddef.h>

#include "engines/bpf/held.h"

/*
 * The one hotfix of hotproof's that holds some of the @count @functions of @program; none has no
 * links. HP_E_BPF_HELD: two do, or that hotfix has more functions than these, which would be lost.
 * hp_held_links__close() it in any case.
 */
int hp_handover__find(struct hp_held_links *out, const struct hp_bpf_program *program,
		      const char *const *functions, size_t count, struct hp_error *err);

#endif
