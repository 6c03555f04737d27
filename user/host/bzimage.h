/* SPDX-License-Identifier: GPL-2.0 */
/* The compressed kernel inside of an x86 boot image (vmlinuz, bzImage). */
#ifndef HP_HOST_BZIMAGE_H
#define HP_HOST_BZIMAGE_H

#include <stdint.h>

#include "base/error.h"

struct hp_bzimage {
	uint64_t offset, length; /* of the compressed stream in the file */
	uint64_t size;		 /* of the kernel, unpacked */
};

/*
 * Find the payload of the boot image @fd, called @path in messages. -ENOEXEC, with @err untouched,
 * when the file is no boot image at all; -EBADMSG with @err when it is one that is truncated,
 * or too old to say where its payload lies.
 */
int hp_bzimage__probe(struct hp_bzimage *out, int fd, const char *path, struct hp_error *err);

#endif
