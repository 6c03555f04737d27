/* SPDX-License-Identifier: GPL-2.0 */
/* What a call in a process goes to: for sites that are jumps, whose calls have somebody else's return address. */
#ifndef HP_PROOF_PROCESS_TAILS_H
#define HP_PROOF_PROCESS_TAILS_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Where the call of process @pid that returns to @next goes, as things stand now: through a stub of the
 * linkage table, or a pointer at a fixed address, too. 0 when that cannot be told, as of a call through
 * a register.
 */
uint64_t hp_process_call__target(pid_t pid, uint64_t next);

#endif
