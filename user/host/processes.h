/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which processes run code of an ELF file. A file is known by its build-id: copies in containers and
 * other mount namespaces, bind mounts, and files that were deleted or replaced are found too.
 */
#ifndef HP_HOST_PROCESSES_H
#define HP_HOST_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "host/build_id.h"

enum hp_processes_method {
	HP_PROCESSES_AUTO,  /* the first of these that can be had */
	HP_PROCESSES_QUERY, /* PROCMAP_QUERY by several threads, of what a task iterator lists */
	HP_PROCESSES_BPF,   /* a task_vma iterator: one pass in the kernel */
	HP_PROCESSES_PROC,  /* /proc/PID/maps of each process */
};

/* A process that maps code of the file. */
struct hp_process {
	pid_t pid;
	char comm[16];
	uint64_t start, end; /* its first executable mapping of the file */
	uint64_t offset;     /* of which, in the file */
	uint64_t inode;
	uint32_t major, minor;
	unsigned int copies; /* how often that code is mapped: more than 1 with dlmopen(3) */
	bool deleted;	     /* the file has no name any more */
	bool bits32;	     /* it is a 32-bit program */
	uint64_t mm;	     /* tells address spaces apart; 0: not known */
	pid_t shares_with;   /* another process with the same address space (vfork), or 0 */
};

struct hp_processes {
	struct hp_process *items; /* by pid */
	size_t count;
	enum hp_processes_method method;
	size_t unreadable; /* processes whose mappings could not be looked at */
};

/*
 * Find the processes that run code of a file with the build-id @id, all of them or those of @pids.
 * Processes that come or go meanwhile may be missing. 0 or a negative errno with @err filled.
 */
int hp_processes__find(struct hp_processes *out, const struct hp_build_id *id, const pid_t *pids,
		       size_t pid_count, enum hp_processes_method method, struct hp_error *err);
void hp_processes__free(struct hp_processes *processes);

#endif
