/* SPDX-License-Identifier: GPL-2.0 */
/* Who has switched in a livepatch transition, and who blocks it. */
#ifndef HP_KLP_TASKS_H
#define HP_KLP_TASKS_H

#include "engines/klp/reader.h"
#include "engines/engine.h"

/*
 * One pass over all tasks. @wanted is the patch_state of a task that has switched: 1 while
 * patching, 0 while unpatching, -1 when no transition is on. With @stacks, the blockers have their
 * kernel stacks. The counts include the idle task of each possible CPU, as the kernel's do.
 * @reader may be NULL or without an iterator: /proc is read then, which takes longer and shows no
 * idle tasks. @out is overwritten; free it with hp_progress_free().
 */
int hp_klp_tasks__read(struct hp_klp_reader *reader, int wanted, bool stacks,
		       struct hp_progress *out, struct hp_error *err);

/* The second way alone; @proc is where procfs is mounted (NULL: /proc). */
int hp_klp_tasks__read_proc(const char *proc, int wanted, bool stacks, struct hp_progress *out,
			    struct hp_error *err);

/* The iterator's programs, loaded by the first hp_klp_tasks__read(); NULL is no error. */
void hp_klp_tasks__close(struct klp_tasks_bpf *tasks);

#endif
