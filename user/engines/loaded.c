// SPDX-License-Identifier: GPL-2.0
/* The engines whose redirects the kernel holds, as one. */
#include "engines/loaded.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engines/bpf/bpf.h"
#include "engines/klp/klp.h"

static const struct hp_engine *const engines[] = { &hp_klp_engine, &hp_bpf_engine };

#define ENGINES (sizeof(engines) / sizeof(engines[0]))
#define KLP	0
#define BPF	1

struct hp_engine_state {
	struct hp_engine_state *of[ENGINES];
	char reverted[HP_NAME_MAX]; /* the last one, which its engine may not know any more */
	size_t reverted_by;
};

static size_t engine_of(const struct hp_target *target)
{
	return target->old_program ? BPF : KLP;
}

static void loaded_close(struct hp_engine_state *state)
{
	for (size_t i = 0; i < ENGINES; i++)
		if (state->of[i])
			engines[i]->close(state->of[i]);
	free(state);
}

static int loaded_open(struct hp_engine_state **out, struct hp_error *err)
{
	struct hp_engine_state *state = calloc(1, sizeof(*state));
	int ret = state ? 0 : hp_fail(err, HP_E_NOMEM, "out of memory");

	for (size_t i = 0; i < ENGINES && !ret; i++)
		ret = engines[i]->open(&state->of[i], err);
	if (ret && state)
		loaded_close(state);
	else
		*out = state;
	return ret;
}

/* The engine that has @hotfix: klp unless another one knows it, or did when it was reverted. */
static size_t owner(struct hp_engine_state *state, const char *hotfix)
{
	_cleanup_free_ struct hp_target *targets = NULL;
	size_t count;

	if (!strcmp(state->reverted, hotfix))
		return state->reverted_by;
	if (!engines[BPF]->discover(state->of[BPF], hotfix, &targets, &count, NULL) && count)
		return BPF;
	return KLP;
}

static int loaded_discover(struct hp_engine_state *state, const char *hotfix,
			   struct hp_target **out, size_t *count, struct hp_error *err)
{
	_cleanup_free_ struct hp_target *all = NULL;
	size_t n = 0;

	if (hotfix) {
		size_t i = owner(state, hotfix);

		return engines[i]->discover(state->of[i], hotfix, out, count, err);
	}
	for (size_t i = 0; i < ENGINES; i++) {
		_cleanup_free_ struct hp_target *some = NULL;
		struct hp_target *grown;
		size_t some_count = 0;
		int ret = engines[i]->discover(state->of[i], NULL, &some, &some_count, err);

		if (ret)
			return ret;
		grown = realloc(all, (n + some_count + 1) * sizeof(*all));
		if (!grown)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		all = grown;
		if (some_count)
			memcpy(all + n, some, some_count * sizeof(*all));
		n += some_count;
	}
	*out = all;
	*count = n;
	all = NULL;
	return 0;
}

/* What nobody holds is a function of the kernel: those of BPF programs are found by who holds them. */
static int loaded_resolve(struct hp_engine_state *state, const struct hp_kallsyms *symbols,
			  struct hp_target *targets, size_t count, struct hp_error *err)
{
	return engines[KLP]->resolve(state->of[KLP], symbols, targets, count, err);
}

static int loaded_progress(struct hp_engine_state *state, const char *hotfix, bool stacks,
			   struct hp_progress *out, struct hp_error *err)
{
	size_t i = owner(state, hotfix);

	return engines[i]->progress(state->of[i], hotfix, stacks, out, err);
}

static int loaded_read_back(struct hp_engine_state *state, const struct hp_target *targets,
			    size_t count, struct hp_read_back *out, struct hp_error *err)
{
	int ret = 0;

	/* Targets of one engine come one behind the other. */
	for (size_t i = 0, n; i < count && !ret; i += n) {
		size_t e = engine_of(&targets[i]);

		for (n = 1; i + n < count && engine_of(&targets[i + n]) == e;)
			n++;
		ret = engines[e]->read_back(state->of[e], targets + i, n, out + i, err);
	}
	return ret;
}

static int loaded_revert(struct hp_engine_state *state, const char *hotfix, uint64_t deadline,
			 struct hp_error *err)
{
	size_t i = owner(state, hotfix);

	snprintf(state->reverted, sizeof(state->reverted), "%s", hotfix);
	state->reverted_by = i;
	return engines[i]->revert(state->of[i], hotfix, deadline, err);
}

static int loaded_cancel_revert(struct hp_engine_state *state, const char *hotfix,
				struct hp_error *err)
{
	size_t i = owner(state, hotfix);

	return engines[i]->cancel_revert(state->of[i], hotfix, err);
}

static int loaded_finish(struct hp_engine_state *state, const char *hotfix, uint64_t deadline,
			 struct hp_error *err)
{
	size_t i = owner(state, hotfix);

	return engines[i]->finish(state->of[i], hotfix, deadline, err);
}

static int loaded_point(const struct hp_target *target, enum hp_point_role role,
			struct hp_point *point)
{
	return engines[engine_of(target)]->point(target, role, point);
}

const struct hp_engine hp_loaded_engine = {
	.name = "loaded",
	.redirects = "functions of the kernel, of its modules and of loaded BPF programs",
	.open = loaded_open,
	.close = loaded_close,
	.discover = loaded_discover,
	.resolve = loaded_resolve,
	.progress = loaded_progress,
	.read_back = loaded_read_back,
	.revert = loaded_revert,
	.cancel_revert = loaded_cancel_revert,
	.finish = loaded_finish,
	.point = loaded_point,
};
