/* SPDX-License-Identifier: GPL-2.0 */
/* What an engine says of the redirects of a proof's targets, at one moment. */
#ifndef HP_PROOF_REDIRECTS_H
#define HP_PROOF_REDIRECTS_H

#include "engines/engine.h"
#include "proof/proof.h"

/* The target of @all that is @wanted (hotfix, object, symbol, sympos), NULL when there is none. */
const struct hp_target *hp_redirects__find(const struct hp_target *all, size_t count,
					   const struct hp_target *wanted);

/*
 * Why points that were armed for @before are not those of @now any more: a module was loaded, or
 * loaded again, since. With a reload a kprobe is gone without a word, even if the new code is where
 * the old was. NULL: nothing of that. Static text.
 */
const char *hp_redirects__moved(const struct hp_target *before, const struct hp_target *now);

/*
 * Ask @engine about @targets: registered, in transition, reach, and read back. @targets is brought
 * up to date (patched, superseded_by). @out has room for @count. 0 or a negative errno with @err.
 */
int hp_redirects__read(const struct hp_engine *engine, struct hp_engine_state *state,
		       struct hp_target *targets, size_t count, struct hp_redirect_state *out,
		       struct hp_error *err);

/* The same, and decide by it: hp_proof__decide(). */
int hp_redirects__decide(const struct hp_engine *engine, struct hp_engine_state *state,
			 struct hp_proof *proof, enum hp_pm_state pm_state,
			 struct hp_target *targets, size_t count, const bool *hidden,
			 struct hp_verify_report *report, struct hp_error *err);

#endif
