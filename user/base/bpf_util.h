/* SPDX-License-Identifier: GPL-2.0 */
/* What every user of libbpf here needs besides libbpf. */
#ifndef HP_BASE_BPF_UTIL_H
#define HP_BASE_BPF_UTIL_H

#include <stddef.h>

#include "base/error.h"

/* The kernel writes from the beginning, and what it objects to comes last: room for all of it. */
#define HP_BPF_LOG_SIZE (16 << 20)

/*
 * Copy the last lines of the verifier's @log to @out, without the statistics that it always ends
 * with: the last line is then what it objected to. @out is "" for an empty log.
 */
void hp_bpf__log_tail(const char *log, char *out, size_t size);

/*
 * The verifier refuses @what: its last lines are printed, all of them with -v, and the very last is in
 * @err, with @reason. Returns the reason's negative errno.
 */
int hp_bpf__fail_verifier(struct hp_error *err, enum hp_reason reason, const char *what,
			  const char *log);

#endif
