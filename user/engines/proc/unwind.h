/* SPDX-License-Identifier: GPL-2.0 */
/* Whether a stopped thread is inside given functions, anywhere on its stack. */
#ifndef HP_ENGINES_PROC_UNWIND_H
#define HP_ENGINES_PROC_UNWIND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "host/maps.h"

struct hp_unwinder;

/* Addresses in the process that no frame may be in. */
struct hp_range {
	uint64_t start, end;
	const char *name; /* for messages */
};

/* Prepare for @pid, whose mappings are @maps; best before it is stopped. */
int hp_unwinder__open(struct hp_unwinder **out, pid_t pid, const struct hp_maps *maps,
		      struct hp_error *err);
void hp_unwinder__close(struct hp_unwinder *unwinder);
HP_DEFINE_CLEANUP(struct hp_unwinder *, hp_unwinder__close)

/*
 * Unwind thread @tid, which is stopped. 0: it is in none of @ranges. -EBUSY: it is, or the stack
 * could not be unwound to its end, which is no better; @err says which. Behind a return address in
 * @hidden the frames are the kernel's secret (struct hp_scan).
 */
int hp_unwinder__check(struct hp_unwinder *unwinder, pid_t tid, const struct hp_range *ranges,
		       size_t count, const struct hp_range *hidden, struct hp_error *err);

#endif
