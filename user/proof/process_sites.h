/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Call sites of the targets in processes: those known from the code of the files that they map, each
 * looked into once for all processes, and those seen at run time, put together.
 */
#ifndef HP_PROOF_PROCESS_SITES_H
#define HP_PROOF_PROCESS_SITES_H

#include "base/cleanup.h"
#include "host/maps.h"
#include "report/processes.h"

struct hp_process_sites;

/* 0 or -ENOMEM. */
int hp_process_sites__open(struct hp_process_sites **out, struct hp_proc *proc);
void hp_process_sites__close(struct hp_process_sites *sites);
HP_DEFINE_CLEANUP(struct hp_process_sites *, hp_process_sites__close)

/*
 * Fill the call sites of the targets of @row, whose mappings are @maps and whose callers are known.
 * What cannot be found out is not an error: the report says why. 0 or -ENOMEM.
 */
int hp_process_sites__fill(struct hp_process_sites *sites, struct hp_process_row *row,
			   const struct hp_maps *maps);

#endif
