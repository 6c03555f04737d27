/* SPDX-License-Identifier: GPL-2.0 */
/* Where on this host a hotfix is, found out without the file that it was applied from. */
#ifndef HP_ENGINES_PROC_SURVEY_H
#define HP_ENGINES_PROC_SURVEY_H

#include <stddef.h>

#include "engines/proc/proc.h"

struct hp_proc_survey {
	struct hp_proc *proc;	 /* the hotfix, for a revert; NULL when no process has it */
	struct hp_process *half; /* processes where an apply or a revert was cut short */
	size_t half_count;
	size_t unreadable; /* mappings that could not be looked at: there may be more of both */
	size_t whole;	   /* processes that have all of it */
};

/*
 * Survey the hotfix with build-id @id. @path is where its file should be; when it is not there, that
 * of a process serves. Free with hp_proc_survey__free(). 0 or a negative errno with @err filled.
 */
int hp_proc_survey__make(struct hp_proc_survey *out, const char *path, const struct hp_build_id *id,
			 struct hp_error *err);
void hp_proc_survey__free(struct hp_proc_survey *survey);

/* How many processes run code of the hotfix with build-id @id: one pass, nothing else is read. */
int hp_proc_survey__count(const struct hp_build_id *id, size_t *count, struct hp_error *err);

#endif
