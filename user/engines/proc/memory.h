/* SPDX-License-Identifier: GPL-2.0 */
/* The memory of another process. */
#ifndef HP_ENGINES_PROC_MEMORY_H
#define HP_ENGINES_PROC_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All @len bytes, or a negative errno. */
int hp_memory__read(pid_t pid, uint64_t address, void *buf, size_t len);

/* The same to memory that the process may write itself. */
int hp_memory__write(pid_t pid, uint64_t address, const void *buf, size_t len);

/*
 * To code, which the process may not write; it must be traced (ptrace(2), /proc/PID/mem). @mem is from
 * hp_memory__open(), which nothing need be stopped for: a file descriptor, or a negative errno.
 */
int hp_memory__open(pid_t pid);
int hp_memory__write_code(int mem, uint64_t address, const void *buf, size_t len);

#endif
