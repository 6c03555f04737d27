/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The changes: links attached and pinned, and let go. Each is made by a child (base/outlive.h), so that
 * a loader that is killed leaves the functions as they were or as they are to be, and not some of each.
 */
#ifndef HP_ENGINES_BPF_CHANGE_H
#define HP_ENGINES_BPF_CHANGE_H

#include "engines/bpf/held.h"
#include "hotfix/bpf_object.h"

struct hp_bpf_change {
	const struct hp_bpf_object *object; /* loaded */
	const struct hp_bpf_program *program;
	struct hp_held_links *before; /* what has to let the functions go; may have no links */
	uint64_t gap_ns; /* set: how long an original function ran in between, the longest time */
};

/* After an error it is as before, or HP_E_STUCK says that it is not. */
int hp_bpf_change__apply(struct hp_bpf_change *change, struct hp_error *err);

/* Let the functions of @hotfix go; those of @before (may be NULL) are put back. Errors as above. */
int hp_bpf_change__revert(const char *hotfix, const struct hp_held_links *before,
			  struct hp_error *err);

#endif
