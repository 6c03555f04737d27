/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel says in its log while something is done. */
#ifndef HP_KLP_KMSG_H
#define HP_KLP_KMSG_H

#include <stddef.h>

/* From now on: a descriptor to read later messages from, or a negative errno (then skip it). */
int hp_kmsg__mark(void);

/*
 * The text of the messages that came since, one a line, no prefix, newest last; those that @wanted
 * says no to are left out (NULL: all). Cut at @size. Returns how many there were.
 */
size_t hp_kmsg__since(int fd, int (*wanted)(const char *text, const void *arg), const void *arg,
		      char *out, size_t size);

#endif
