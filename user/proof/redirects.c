// SPDX-License-Identifier: GPL-2.0
/* What an engine says of the redirects of a proof's targets, at one moment. */
#include "proof/redirects.h"

#include <stdlib.h>
#include <string.h>

const struct hp_target *hp_redirects__find(const struct hp_target *all, size_t count,
					   const struct hp_target *wanted)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(all[i].hotfix, wanted->hotfix) &&
		    !strcmp(all[i].object, wanted->object) &&
		    !strcmp(all[i].symbol, wanted->symbol) && all[i].sympos == wanted->sympos)
			return &all[i];
	return NULL;
}

const char *hp_redirects__moved(const struct hp_target *before, const struct hp_target *now)
{
	if (!before->old_addr && now->old_addr)
		return "its module was loaded while it was observed";
	if (before->old_addr != now->old_addr || before->old_load != now->old_load)
		return "its module was loaded again while it was observed";
	if (before->new_addr != now->new_addr || before->new_load != now->new_load)
		return "the livepatch was loaded again while it was observed";
	return NULL;
}

/* A transition is of a whole hotfix: its reach is read once and serves all its targets. */
static int read_reach(const struct hp_engine *engine, struct hp_engine_state *state,
		      const struct hp_target *targets, size_t count, size_t i,
		      struct hp_redirect_state *out, struct hp_error *err)
{
	struct hp_progress progress = { 0 };
	int ret;

	for (size_t j = 0; j < i; j++) {
		if (out[j].total && !strcmp(targets[j].hotfix, targets[i].hotfix)) {
			out[i].switched = out[j].switched;
			out[i].total = out[j].total;
			out[i].transition = out[j].transition;
			return 0;
		}
	}
	ret = engine->progress(state, targets[i].hotfix, false, &progress, err);
	if (!ret) {
		out[i].switched = progress.switched;
		out[i].total = progress.total;
		out[i].transition = !progress.complete;
	}
	hp_progress_free(&progress);
	return ret;
}

int hp_redirects__read(const struct hp_engine *engine, struct hp_engine_state *state,
		       struct hp_target *targets, size_t count, struct hp_redirect_state *out,
		       struct hp_error *err)
{
	_cleanup_free_ struct hp_read_back *read_back = calloc(count + 1, sizeof(*read_back));
	_cleanup_free_ struct hp_target *all = NULL;
	size_t all_count;
	int ret;

	if (!read_back)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = engine->discover(state, NULL, &all, &all_count, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < count; i++) {
		const struct hp_target *now = hp_redirects__find(all, all_count, &targets[i]);

		memset(&out[i], 0, sizeof(out[i]));
		out[i].moved = now ? hp_redirects__moved(&targets[i], now) : NULL;
		targets[i].patched = now && now->patched;
		targets[i].transition = now && now->transition;
		targets[i].entry_taken = now && now->entry_taken;
		snprintf(targets[i].superseded_by, sizeof(targets[i].superseded_by), "%s",
			 now ? now->superseded_by : "");
	}
	ret = engine->read_back(state, targets, count, read_back, err);
	for (size_t i = 0; i < count && !ret; i++) {
		out[i].read_back = read_back[i];
		out[i].registered = targets[i].patched;
		if (out[i].registered)
			ret = read_reach(engine, state, targets, count, i, out, err);
	}
	return ret;
}

int hp_redirects__decide(const struct hp_engine *engine, struct hp_engine_state *state,
			 struct hp_proof *proof, enum hp_pm_state pm_state,
			 struct hp_target *targets, size_t count, const bool *hidden,
			 struct hp_verify_report *report, struct hp_error *err)
{
	_cleanup_free_ struct hp_redirect_state *redirects = calloc(count + 1, sizeof(*redirects));
	int ret;

	if (!redirects)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = hp_redirects__read(engine, state, targets, count, redirects, err);
	return ret ?: hp_proof__decide(proof, pm_state, redirects, hidden, report, err);
}
