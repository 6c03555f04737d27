/* SPDX-License-Identifier: GPL-2.0 */
/* Small questions to /proc, /sys and /lib/modules about modules, under a root that tests can choose. */
#ifndef HP_HOTFIX_HOST_FILES_H
#define HP_HOTFIX_HOST_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The file @root/@format, opened for reading; NULL when it is not there or not readable. */
FILE *hp_host_files__open(const char *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Is @root/@format there? */
bool hp_host_files__exists(const char *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The first line of the file without its newline; false and "" when it cannot be read. */
bool hp_host_files__line(char *line, size_t size, const char *root, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The loadable module @name is loaded (a built-in one has no initstate). */
bool hp_host_files__module_loaded(const char *root, const char *name);

/* The mode that lockdown is in ("none", "integrity", …); "" when it cannot be read. */
void hp_host_files__lockdown(const char *root, char *mode, size_t size);

/*
 * The vermagic of a module that belongs to the kernel @release: what the kernel will compare with,
 * as it does not tell its own. To be freed; NULL when there is none to look at.
 */
char *hp_host_files__vermagic(const char *root, const char *release);

#endif
