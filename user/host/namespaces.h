/* SPDX-License-Identifier: GPL-2.0 */
/* Whether we see the host as its kernel does, or through a namespace of a container. */
#ifndef HP_HOST_NAMESPACES_H
#define HP_HOST_NAMESPACES_H

#include <stdbool.h>
#include <stdint.h>

/* The initial ones have fixed inode numbers (include/linux/proc_ns.h). */
#define HP_NS_PID    0xEFFFFFFCu
#define HP_NS_CGROUP 0xEFFFFFFBu
#define HP_NS_TIME   0xEFFFFFFAu

/* Is /proc/self/ns/@name the initial namespace of its kind? Yes where the kernel has no such kind. */
bool hp_ns__is_initial(const char *name, unsigned int inode);

/*
 * How bpf_get_ns_current_pid_tgid() is told our PID namespace. False where that is the initial one,
 * whose numbers BPF programs see anyhow.
 */
bool hp_ns__pid(uint64_t *device, uint64_t *inode);

#endif
