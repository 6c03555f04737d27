/* SPDX-License-Identifier: GPL-2.0 */
/* The BPF file system, where what outlives hotproof is pinned (docs/pinned-state.md). */
#ifndef HP_HOST_BPFFS_H
#define HP_HOST_BPFFS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define HP_BPFFS     "/sys/fs/bpf"
#define HP_PINS_ROOT HP_BPFFS "/hotproof" /* a folder for each hotfix and each guard */

/* Can a hotfix or guard be called so? It is a folder there, which has no dots, and an operand. */
bool hp_bpffs__is_name(const char *name);

/* 0 when there is a BPF file system at HP_BPFFS; HP_E_NOT_MOUNTED. */
int hp_bpffs__check_mount(struct hp_error *err);

/*
 * The lock of all who change what is pinned: flock(2) of HP_BPFFS itself, which is always there. Waits
 * until @deadline (of hp_now_ns()), or a signal. Returns a descriptor that holds it until it is closed;
 * HP_E_STATE_LOCKED: another hotproof had it all the time.
 */
int hp_bpffs__lock(uint64_t deadline, struct hp_error *err);

#endif
