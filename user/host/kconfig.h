/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration that the running kernel was built with. Only to explain why something is
 * missing: that an option is set says nothing about whether the thing works here.
 */
#ifndef HP_HOST_KCONFIG_H
#define HP_HOST_KCONFIG_H

#include "base/cleanup.h"

struct hp_kconfig;

/*
 * Read @root/proc/config.gz, or @root/boot/config-RELEASE. -ENOENT when neither can be read.
 * @root is "" on a real host.
 */
int hp_kconfig__open(struct hp_kconfig **out, const char *root);
void hp_kconfig__close(struct hp_kconfig *config);
HP_DEFINE_CLEANUP(struct hp_kconfig *, hp_kconfig__close)

enum hp_kconfig_value {
	HP_KCONFIG_UNKNOWN, /* there is no configuration to look into */
	HP_KCONFIG_OFF,
	HP_KCONFIG_ON, /* y or m */
};

/* @option with its CONFIG_; @config may be NULL. */
enum hp_kconfig_value hp_kconfig__get(const struct hp_kconfig *config, const char *option);

#endif
