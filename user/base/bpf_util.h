/* SPDX-License-Identifier: GPL-2.0 */
/* What every user of libbpf here needs besides libbpf. */
#ifndef HP_BASE_BPF_UTIL_H
#define HP_BASE_BPF_UTIL_H

#include <stddef.h>

/*
 * Copy the last lines of the verifier's @log to @out, without the statistics that it always ends
 * with: the last line is then what it objected to. @out is "" for an empty log.
 */
void hp_bpf__log_tail(const char *log, char *out, size_t size);

#endif
