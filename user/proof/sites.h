/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Call sites of a proof's targets: those known from code, found in the background while the proof
 * goes on, and those seen at run time, put together.
 */
#ifndef HP_PROOF_SITES_H
#define HP_PROOF_SITES_H

#include <stddef.h>

#include "base/cleanup.h"
#include "engines/engine.h"
#include "observe/watch.h"
#include "report/verify.h"

struct hp_kallsyms;
struct hp_sites;

/*
 * Begin to read the kernel's symbols, in the background. 0 or -ENOMEM, -EAGAIN.
 */
int hp_sites__start(struct hp_sites **out);

/*
 * Wait until the symbols are read. 0 and a table that lives as long as @sites, or a negative errno
 * with @err filled.
 */
int hp_sites__symbols(struct hp_sites *sites, const struct hp_kallsyms **out, struct hp_error *err);

/*
 * Go on and look for the call sites of @targets (copied; their old_addr must be known). What cannot
 * be found out is not an error: the report says why. 0 or -ENOMEM.
 */
int hp_sites__search(struct hp_sites *sites, const struct hp_target *targets, size_t count);

/* Stop looking and free. */
void hp_sites__close(struct hp_sites *sites);
HP_DEFINE_CLEANUP(struct hp_sites *, hp_sites__close)

/*
 * Wait until the search is over, then fill the call sites of target @i from what was found in code
 * and from the callers that were seen. 0 or -ENOMEM.
 */
int hp_sites__fill(struct hp_sites *sites, size_t i, const struct hp_watch_point *redirected,
		   const struct hp_watch_point *stale, struct hp_verify_target *out);

#endif
