/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The running kernel's static image: the ELF file it was booted from, proved to be of the same
 * build, and the way from its link addresses to where KASLR has put them.
 *
 * Code read here is code as it was linked. The kernel changes some of it when it boots
 * (alternatives, paravirt, static calls and keys, ftrace), and tools change more later.
 */
#ifndef HP_HOST_VMLINUX_IMAGE_H
#define HP_HOST_VMLINUX_IMAGE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "host/build_id.h"
#include "host/kallsyms.h"

struct hp_vmlinux_image;

/* Where to look; all zero means the running kernel in the usual places. */
struct hp_vmlinux_source {
	const char *release; /* NULL: of the running kernel */
	const char *path;    /* NULL: search for it */
	const char *notes; /* file of ELF notes with the wanted build-id; NULL: /sys/kernel/notes */
	const char *cache_dir;		   /* NULL: see hp_cache__open() */
	const volatile sig_atomic_t *stop; /* give up when it turns non-zero; may be NULL */
};

struct hp_image_section {
	const char *name;
	uint64_t address; /* link address */
	uint64_t offset;  /* in the file */
	uint64_t size;
	bool alloc, exec, nobits;
};

/*
 * Find, unpack (once; the result is cached by build-id) and open the image. @src may be NULL.
 * Returns 0, or a negative errno with @err filled.
 */
int hp_vmlinux_image__open(struct hp_vmlinux_image **out, const struct hp_vmlinux_source *src,
			   struct hp_error *err);
void hp_vmlinux_image__close(struct hp_vmlinux_image *img);
HP_DEFINE_CLEANUP(struct hp_vmlinux_image *, hp_vmlinux_image__close)

/* Learn from the symbols where the image runs. Needed before any runtime address is asked for. */
int hp_vmlinux_image__relocate(struct hp_vmlinux_image *img, const struct hp_kallsyms *ks,
			       struct hp_error *err);

/* What KASLR adds to link addresses, modulo 2^64. */
uint64_t hp_vmlinux_image__slide(const struct hp_vmlinux_image *img);
uint64_t hp_vmlinux_image__runtime(const struct hp_vmlinux_image *img, uint64_t link);
uint64_t hp_vmlinux_image__link(const struct hp_vmlinux_image *img, uint64_t runtime);

const char *hp_vmlinux_image__path(const struct hp_vmlinux_image *img); /* the file it came from */
const struct hp_build_id *hp_vmlinux_image__build_id(const struct hp_vmlinux_image *img);

size_t hp_vmlinux_image__section_count(const struct hp_vmlinux_image *img);
const struct hp_image_section *hp_vmlinux_image__section(const struct hp_vmlinux_image *img,
							 size_t i);
/* NULL when there is none of that name. */
const struct hp_image_section *hp_vmlinux_image__find_section(const struct hp_vmlinux_image *img,
							      const char *name);

/*
 * Read @len bytes at a link address, all of one section. -EFAULT when they are not. Nothing is
 * mapped: what stays in memory is what the caller keeps.
 */
int hp_vmlinux_image__read(const struct hp_vmlinux_image *img, uint64_t link, void *buf,
			   size_t len);

#endif
