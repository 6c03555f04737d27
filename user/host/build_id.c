// SPDX-License-Identifier: GPL-2.0
/* GNU build-ids, from ELF notes in memory or in sysfs. */
#include "host/build_id.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

int hp_build_id__from_notes(struct hp_build_id *out, const void *notes, size_t len)
{
	const uint8_t *p = notes;
	Elf64_Nhdr note;

	while (len >= sizeof(note)) {
		size_t name, desc;

		memcpy(&note, p, sizeof(note));
		p += sizeof(note);
		len -= sizeof(note);
		/* Sizes are 32 bits wide, so that rounding them up cannot overflow. */
		name = align4(note.n_namesz);
		desc = align4(note.n_descsz);
		if (name > len || note.n_descsz > len - name)
			break;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    memcmp(p, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0) {
			if (!note.n_descsz || note.n_descsz > sizeof(out->bytes))
				return -ENODATA;
			memcpy(out->bytes, p + name, note.n_descsz);
			out->len = note.n_descsz;
			return 0;
		}
		if (desc > len - name)
			break;
		p += name + desc;
		len -= name + desc;
	}
	return -ENODATA;
}

int hp_build_id__read(struct hp_build_id *out, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char notes[16 * 1024];
	size_t len = 0;

	if (fd < 0)
		return -errno;
	while (len < sizeof(notes)) {
		ssize_t n = read(fd, notes + len, sizeof(notes) - len);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return hp_build_id__from_notes(out, notes, len);
}

bool hp_build_id__equal(const struct hp_build_id *a, const struct hp_build_id *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

const char *hp_build_id__format(const struct hp_build_id *id, char text[HP_BUILD_ID_TEXT_MAX])
{
	size_t i;

	text[0] = '\0';
	for (i = 0; i < id->len; i++)
		snprintf(text + 2 * i, 3, "%02x", id->bytes[i]);
	return text;
}

int hp_build_id__parse(struct hp_build_id *id, const char *text)
{
	size_t len = strlen(text);

	if (!len || len % 2 || len > 2 * HP_BUILD_ID_MAX || strspn(text, "0123456789abcdef") != len)
		return -EINVAL;
	memset(id, 0, sizeof(*id));
	id->len = len / 2;
	for (size_t i = 0; i < id->len; i++) {
		unsigned int byte;

		sscanf(text + 2 * i, "%2x", &byte);
		id->bytes[i] = (uint8_t)byte;
	}
	return 0;
}
