/* SPDX-License-Identifier: GPL-2.0 */
/* Loading and unloading livepatch modules. Deadlines are times of hp_now_ns(). */
#ifndef HP_KLP_LOADER_H
#define HP_KLP_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* May this process load modules here at all? -EPERM with what forbids it in @err. */
int hp_klp_loader__permitted(struct hp_error *err);

/*
 * Load the module @name from the open file @fd. When it returns, the module's init has run: a
 * livepatch is enabled and its transition has begun. Returns 0, or a negative errno with the
 * precise cause in @err and the kernel's messages in its detail.
 */
int hp_klp_loader__load(int fd, const char *name, struct hp_error *err);

/*
 * Unload, trying again while the kernel still holds it. -ENOENT is no error: it is gone.
 */
int hp_klp_loader__unload(const char *name, uint64_t deadline, struct hp_error *err);

/* Wait until no livepatch of this name is registered. -ETIMEDOUT with @err filled. */
int hp_klp_loader__wait_disabled(const char *name, uint64_t deadline, struct hp_error *err);

#endif
