// SPDX-License-Identifier: GPL-2.0
/* Where on this host a hotfix is. */
#include "engines/proc/survey.h"

#include <stdlib.h>
#include <string.h>

#include "host/maps.h"

static bool has_id(struct hp_proc *proc, const struct hp_build_id *id)
{
	return hp_build_id__equal(hp_elf__build_id(hp_hotfix__elf(hp_proc__hotfix(proc))), id);
}

/* The hotfix from its file, else from a process that maps it; NULL when there is neither. */
static int open_hotfix(struct hp_proc **out, const char *path, const struct hp_build_id *id,
		       size_t *unreadable, struct hp_error *err)
{
	struct hp_processes mapping;
	int ret;

	if (!hp_proc__open(out, path, NULL)) {
		if (has_id(*out, id))
			return 0;
		hp_proc__close(*out);
	}
	*out = NULL;
	ret = hp_processes__find(&mapping, id, NULL, 0, HP_PROCESSES_AUTO, err);
	if (ret)
		return ret;
	*unreadable = mapping.unreadable;
	for (size_t i = 0; i < mapping.count && !*out; i++) {
		const struct hp_map map = { .start = mapping.items[i].start,
					    .end = mapping.items[i].end };
		char file[64];

		/* One may have ended meanwhile. */
		if (hp_proc__open(out, hp_map__file(&map, mapping.items[i].pid, file), NULL))
			*out = NULL;
	}
	hp_processes__free(&mapping);
	return 0;
}

static int add_half(struct hp_proc_survey *survey, const struct hp_process *process,
		    struct hp_error *err)
{
	struct hp_process *grown = realloc(survey->half, (survey->half_count + 1) * sizeof(*grown));

	if (!grown)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	survey->half = grown;
	grown[survey->half_count++] = *process;
	return 0;
}

int hp_proc_survey__make(struct hp_proc_survey *out, const char *path, const struct hp_build_id *id,
			 struct hp_error *err)
{
	struct hp_processes found = { 0 };
	int ret;

	memset(out, 0, sizeof(*out));
	ret = open_hotfix(&out->proc, path, id, &out->unreadable, err);
	if (ret || !out->proc)
		return ret;
	/*
	 * All that map the target, not only those that run code of the hotfix: of an apply that was
	 * cut short there may be no more than a mapping.
	 */
	ret = hp_processes__find(&found, &hp_hotfix__meta(hp_proc__hotfix(out->proc))->target_id,
				 NULL, 0, HP_PROCESSES_AUTO, err);
	out->unreadable = found.unreadable;
	for (size_t i = 0; i < found.count && !ret; i++) {
		struct hp_error gone = { 0 };
		struct hp_proc_look look;

		if (!hp_proc__look(out->proc, &found.items[i], &look, &gone)) {
			if (look.state == HP_PROC_APPLIED)
				out->whole++;
			else if (look.hotfix_bias)
				ret = add_half(out, &found.items[i], err);
		}
		hp_proc_look__free(&look);
	}
	hp_processes__free(&found);
	if (ret)
		hp_proc_survey__free(out);
	return ret;
}

void hp_proc_survey__free(struct hp_proc_survey *survey)
{
	if (survey->proc)
		hp_proc__close(survey->proc);
	free(survey->half);
	memset(survey, 0, sizeof(*survey));
}

int hp_proc_survey__count(const struct hp_build_id *id, size_t *count, struct hp_error *err)
{
	struct hp_processes found;
	int ret = hp_processes__find(&found, id, NULL, 0, HP_PROCESSES_AUTO, err);

	*count = ret ? 0 : found.count;
	if (!ret && found.unreadable)
		ret = hp_fail(err, HP_E_PROC_SEARCH, "%zu mapping%s may not be looked at",
			      found.unreadable, found.unreadable == 1 ? "" : "s");
	hp_processes__free(&found);
	return ret;
}
