// SPDX-License-Identifier: GPL-2.0
/*
 * The compressed kernel inside of an x86 boot image. The setup header says where it lies: see
 * "The Real-Mode Kernel Header" in the kernel's Documentation/x86/boot.rst.
 */
#include "host/bzimage.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR		    512
#define AT_SETUP_SECTS	    0x1f1
#define AT_HEADER	    0x202 /* "HdrS" */
#define AT_VERSION	    0x206
#define AT_PAYLOAD_OFFSET   0x248 /* since version 2.08, from the end of the real-mode code */
#define AT_PAYLOAD_LENGTH   0x24c
#define HEADER_SIZE	    0x250
#define VERSION_2_08	    0x0208
#define SETUP_SECTS_DEFAULT 4	       /* what 0 means, for reasons of history */
#define SIZE_MAX_KERNEL	    (1u << 30) /* the kernel's own limit: KERNEL_IMAGE_SIZE */

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

int hp_bzimage__probe(struct hp_bzimage *out, int fd, const char *path, struct hp_error *err)
{
	uint8_t header[HEADER_SIZE], trailer[4], magic[2];
	uint64_t setup, payload, length;
	struct stat st;

	if (pread(fd, header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header + AT_HEADER, "HdrS", 4) != 0)
		return -ENOEXEC;
	if (fstat(fd, &st))
		return -errno;
	if (get16(header + AT_VERSION) < VERSION_2_08)
		return hp_fail(
			err, HP_E_IMAGE_CORRUPT,
			"%s has boot protocol %u.%02u, which does not say where the kernel is",
			path, header[AT_VERSION + 1], header[AT_VERSION]);

	setup = header[AT_SETUP_SECTS] ? header[AT_SETUP_SECTS] : SETUP_SECTS_DEFAULT;
	payload = (setup + 1) * SECTOR + get32(header + AT_PAYLOAD_OFFSET);
	length = get32(header + AT_PAYLOAD_LENGTH);
	if (length <= sizeof(trailer) || payload + length > (uint64_t)st.st_size)
		return hp_fail(err, HP_E_IMAGE_CORRUPT,
			       "%s is truncated: it has %llu bytes, its kernel ends at %llu", path,
			       (unsigned long long)st.st_size,
			       (unsigned long long)(payload + length));

	/*
	 * The last four bytes are the kernel's size. gzip ends with that by itself; for the others
	 * the build appends it (size_append in scripts/Makefile.lib), and it is not of the stream.
	 */
	if (pread(fd, trailer, sizeof(trailer), (off_t)(payload + length - sizeof(trailer))) !=
		    sizeof(trailer) ||
	    pread(fd, magic, sizeof(magic), (off_t)payload) != sizeof(magic))
		return hp_fail(err, HP_E_IMAGE_CORRUPT, "%s cannot be read to its end", path);
	if (magic[0] != 0x1f || magic[1] != 0x8b)
		length -= sizeof(trailer);
	if (get32(trailer) > SIZE_MAX_KERNEL)
		return hp_fail(err, HP_E_IMAGE_CORRUPT,
			       "%s is corrupt: it promises a kernel of %u bytes", path,
			       get32(trailer));
	*out = (struct hp_bzimage){ .offset = payload, .length = length, .size = get32(trailer) };
	return 0;
}
