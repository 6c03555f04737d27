/* SPDX-License-Identifier: GPL-2.0 */
/* Reading the kernel's own list of livepatches. */
#ifndef HP_KLP_LIST_H
#define HP_KLP_LIST_H

#include "engines/klp/reader.h"
#include "engines/klp/snapshot.h"

/*
 * Walk the list until two walks agree. Returns 0 and a snapshot owned by the caller, or a negative
 * errno with @err filled. A list that never holds still gives a snapshot marked unstable.
 */
int hp_klp_list__read(struct hp_klp_reader *reader, struct hp_klp_snapshot **out,
		      struct hp_error *err);

/*
 * The same from sysfs: needs no privilege, knows no addresses. @root is where sysfs is mounted
 * (NULL: /sys).
 */
int hp_klp_list__read_sysfs(const char *root, struct hp_klp_snapshot **out, struct hp_error *err);

#endif
