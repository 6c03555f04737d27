/* SPDX-License-Identifier: GPL-2.0 */
/* GNU build-ids: what tells one build of a kernel, module or ELF file from every other. */
#ifndef HP_HOST_BUILD_ID_H
#define HP_HOST_BUILD_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HP_BUILD_ID_MAX	     32 /* SHA-1 takes 20; --build-id=0x… may be longer, but is not in use */
#define HP_BUILD_ID_TEXT_MAX (2 * HP_BUILD_ID_MAX + 1)

struct hp_build_id {
	uint8_t bytes[HP_BUILD_ID_MAX];
	size_t len;
};

/* The build-id among the ELF notes in @notes; -ENODATA when there is none. */
int hp_build_id__from_notes(struct hp_build_id *out, const void *notes, size_t len);

/* The same from a file of notes, as /sys/kernel/notes and /sys/module/M/notes/… are. */
int hp_build_id__read(struct hp_build_id *out, const char *path);

bool hp_build_id__equal(const struct hp_build_id *a, const struct hp_build_id *b);

/* From hexadecimal; -EINVAL when @text is none. */
int hp_build_id__parse(struct hp_build_id *id, const char *text);

/* In hexadecimal; returns @text. */
const char *hp_build_id__format(const struct hp_build_id *id, char text[HP_BUILD_ID_TEXT_MAX]);

#endif
