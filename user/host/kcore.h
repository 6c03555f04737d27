/* SPDX-License-Identifier: GPL-2.0 */
/* The running kernel's memory, as /proc/kcore shows it: an ELF core file of what is mapped. */
#ifndef HP_HOST_KCORE_H
#define HP_HOST_KCORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct hp_kcore;

/*
 * Open @path (NULL: /proc/kcore), which needs CAP_SYS_RAWIO, and a kernel that is not locked down
 * to confidentiality. Returns 0 and an object owned by the caller, or a negative errno with @err
 * filled.
 */
int hp_kcore__open(struct hp_kcore **out, const char *path, struct hp_error *err);
void hp_kcore__close(struct hp_kcore *kcore);
HP_DEFINE_CLEANUP(struct hp_kcore *, hp_kcore__close)

/*
 * Read @len bytes at @address. What is not mapped there reads as zeroes. -EFAULT when the file does
 * not have the whole range, or another negative errno.
 */
int hp_kcore__read(const struct hp_kcore *kcore, uint64_t address, void *buf, size_t len);

#endif
