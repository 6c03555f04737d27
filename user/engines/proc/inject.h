/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls and function calls made by a stopped thread for us. The thread is left exactly as it
 * was; and when hotproof dies in between, it finds its own way back (struct hp_arch_call).
 */
#ifndef HP_ENGINES_PROC_INJECT_H
#define HP_ENGINES_PROC_INJECT_H

#include <stdint.h>

#include "arch/arch.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "engines/proc/stop.h"
#include "host/maps.h"

/* What is known about the code of files that processes map: looked for once in each file. */
struct hp_gadget_cache;

int hp_gadget_cache__open(struct hp_gadget_cache **out);
void hp_gadget_cache__close(struct hp_gadget_cache *cache);
HP_DEFINE_CLEANUP(struct hp_gadget_cache *, hp_gadget_cache__close)

/* Find what calls are made with in a process (before it is stopped: files are read). */
int hp_gadget_cache__find(struct hp_gadget_cache *cache, pid_t pid, const struct hp_maps *maps,
			  struct hp_arch_gadgets *out, struct hp_error *err);

struct hp_inject;

/* Choose a thread of @stop and prepare it. 0 or a negative errno with @err filled. */
int hp_inject__begin(struct hp_inject **out, struct hp_stop *stop,
		     const struct hp_arch_gadgets *gadgets, struct hp_error *err);

/* Put the thread back; it is stopped as it was by hp_stop__begin(). 0 or a negative errno. */
int hp_inject__end(struct hp_inject *inject, struct hp_error *err);

/*
 * Make system call @nr; *result is what the kernel returned, a negative errno too. The return
 * value tells only whether it could be made: -ESRCH when the process is gone.
 */
int hp_inject__syscall(struct hp_inject *inject, int64_t *result, long nr, uint64_t a, uint64_t b,
		       uint64_t c, uint64_t d, uint64_t e, uint64_t f);

/* Call the function at @address without arguments, as an IFUNC resolver is; its result in *result. */
int hp_inject__call(struct hp_inject *inject, uint64_t *result, uint64_t address);

/* Put @len (at most 2048) bytes where the next system call can read them; their address there. */
int hp_inject__scratch(struct hp_inject *inject, const void *data, size_t len, uint64_t *address);

#endif
