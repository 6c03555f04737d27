/* SPDX-License-Identifier: GPL-2.0 */
/* Files of /proc and of pseudo file systems, even where nobody has mounted these. */
#ifndef HP_HOST_PSEUDOFS_H
#define HP_HOST_PSEUDOFS_H

#include <stddef.h>

/*
 * Open @file of the file system @fstype for reading: under @mountpoint where it is mounted,
 * otherwise on a mount of our own that is attached nowhere, so that nobody else ever sees it and
 * it is gone with the descriptor. Returns a descriptor or a negative errno.
 */
int hp_pseudofs__open(const char *fstype, const char *mountpoint, const char *file);

/* Read @path, or what is left of @fd, into @buf as a string without its last newline. */
int hp_pseudofs__read(const char *path, char *buf, size_t size);
int hp_pseudofs__read_fd(int fd, char *buf, size_t size);

#endif
