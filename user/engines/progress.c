// SPDX-License-Identifier: GPL-2.0
/* What is known about how far an activation has come. */
#include <stdlib.h>
#include <string.h>

#include "engines/engine.h"

struct hp_blocker *hp_progress_add(struct hp_progress *progress)
{
	size_t size = sizeof(*progress->blockers);
	struct hp_blocker *grown;

	grown = realloc(progress->blockers, (progress->blocker_count + 1) * size);
	if (!grown)
		return NULL;
	progress->blockers = grown;
	return memset(&grown[progress->blocker_count++], 0, size);
}

void hp_progress_free(struct hp_progress *progress)
{
	for (size_t i = 0; i < progress->blocker_count; i++)
		free(progress->blockers[i].stack);
	free(progress->blockers);
	memset(progress, 0, sizeof(*progress));
}
