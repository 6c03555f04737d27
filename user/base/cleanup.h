/* SPDX-License-Identifier: GPL-2.0 */
/* Owned things that free themselves at the end of their scope. */
#ifndef HP_BASE_CLEANUP_H
#define HP_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* HP_DEFINE_CLEANUP(type *, func): defines hp_cleanup_func() for __cleanup(hp_cleanup_func). */
#define HP_DEFINE_CLEANUP(type, func)                 \
	static inline void hp_cleanup_##func(type *p) \
	{                                             \
		if (*p)                               \
			func(*p);                     \
	}

#define __cleanup(func) __attribute__((cleanup(func)))

static inline void hp_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void hp_cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

HP_DEFINE_CLEANUP(FILE *, fclose)
HP_DEFINE_CLEANUP(DIR *, closedir)

#define _cleanup_free_	__cleanup(hp_cleanup_free)
#define _cleanup_close_ __cleanup(hp_cleanup_close)
#define _cleanup_file_	__cleanup(hp_cleanup_fclose)
#define _cleanup_dir_	__cleanup(hp_cleanup_closedir)

#endif
