/* SPDX-License-Identifier: GPL-2.0 */
/* Decompression of one stream from a part of a file into another file. */
#ifndef HP_HOST_UNPACK_H
#define HP_HOST_UNPACK_H

#include <signal.h>
#include <stdint.h>

#include "base/error.h"

struct hp_unpack {
	int in;
	uint64_t offset, length; /* the compressed stream in @in */
	int out;		 /* an empty file; blocks of zeros become holes in it */
	uint64_t limit;		 /* refuse to write more than that */
	const char *what;	 /* "/boot/vmlinuz-6.1.0", for messages and the progress line */
	const volatile sig_atomic_t *stop; /* give up when it turns non-zero; may be NULL */
};

/*
 * Unpack, whatever the compression. Returns the size of what came out; -EBADMSG when the stream is
 * corrupt or too long, -EINTR when told to stop (both with @err filled), or another negative
 * errno when @out could not be written (@err is not filled: another place may do).
 */
int64_t hp_unpack__run(const struct hp_unpack *job, struct hp_error *err);

#endif
