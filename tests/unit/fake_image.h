/* SPDX-License-Identifier: GPL-2.0 */
/* Small ELF files and boot images, made in memory for tests of their readers. */
#ifndef FAKE_IMAGE_H
#define FAKE_IMAGE_H

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fake_section {
	const char *name;
	uint32_t type; /* SHT_ */
	uint64_t flags;
	uint64_t address;
	const void *data;
	uint64_t size;
	uint32_t link, info; /* of tables: section numbers, 1 is the first of the array */
	uint64_t entsize;
};

struct fake_file {
	uint8_t *data;
	size_t len;
};

static inline void fake_append(struct fake_file *f, const void *data, size_t len)
{
	f->data = realloc(f->data, f->len + len + 1);
	assert_non_null(f->data);
	if (data)
		memcpy(f->data + f->len, data, len);
	else
		memset(f->data + f->len, 0, len);
	f->len += len;
}

static inline void fake_align(struct fake_file *f, size_t to)
{
	while (f->len % to)
		fake_append(f, NULL, 1);
}

/* ELF header, the sections' data, .shstrtab, section headers. */
static inline struct fake_file fake_elf(uint16_t type, const struct fake_section *sections,
					size_t n)
{
	Elf64_Shdr *shdrs = calloc(n + 2, sizeof(*shdrs));
	struct fake_file f = { 0 }, names = { 0 };
	Elf64_Ehdr ehdr = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = type,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(ehdr),
		.e_shentsize = sizeof(*shdrs),
		.e_shnum = (Elf64_Half)(n + 2),
		.e_shstrndx = (Elf64_Half)(n + 1),
	};
	size_t i;

	assert_non_null(shdrs);
	fake_append(&f, NULL, sizeof(ehdr));
	fake_append(&names, "", 1);
	for (i = 0; i < n; i++) {
		const struct fake_section *s = &sections[i];

		fake_align(&f, 16);
		shdrs[i + 1] = (Elf64_Shdr){
			.sh_name = (Elf64_Word)names.len,
			.sh_type = s->type,
			.sh_flags = s->flags,
			.sh_addr = s->address,
			.sh_offset = f.len,
			.sh_size = s->size,
			.sh_link = s->link,
			.sh_info = s->info,
			.sh_addralign = 1,
			.sh_entsize = s->entsize,
		};
		fake_append(&names, s->name, strlen(s->name) + 1);
		if (s->type != SHT_NOBITS)
			fake_append(&f, s->data, s->size);
	}
	shdrs[n + 1] = (Elf64_Shdr){
		.sh_name = (Elf64_Word)names.len,
		.sh_type = SHT_STRTAB,
		.sh_offset = f.len,
		.sh_size = names.len + sizeof(".shstrtab"),
		.sh_addralign = 1,
	};
	fake_append(&names, ".shstrtab", sizeof(".shstrtab"));
	fake_append(&f, names.data, names.len);
	fake_align(&f, 16);
	ehdr.e_shoff = f.len;
	fake_append(&f, shdrs, (n + 2) * sizeof(*shdrs));
	memcpy(f.data, &ehdr, sizeof(ehdr));
	free(names.data);
	free(shdrs);
	return f;
}

#define FAKE_NOTE_SIZE 36

/* A GNU build-id note of twenty bytes, all @fill. */
static inline void fake_note(uint8_t note[FAKE_NOTE_SIZE], uint8_t fill)
{
	const Elf64_Nhdr nhdr = { .n_namesz = 4, .n_descsz = 20, .n_type = NT_GNU_BUILD_ID };

	memcpy(note, &nhdr, sizeof(nhdr));
	memcpy(note + sizeof(nhdr), "GNU", 4);
	memset(note + sizeof(nhdr) + 4, fill, 20);
}

/* Compress with one of libarchive's filters, by name. */
static inline struct fake_file fake_compress(const struct fake_file *in, const char *filter)
{
	struct fake_file out = { .data = malloc(2 * in->len + 4096) };
	struct archive_entry *entry = archive_entry_new();
	struct archive *a = archive_write_new();

	assert_non_null(out.data);
	assert_int_equal(archive_write_add_filter_by_name(a, filter), ARCHIVE_OK);
	assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
	/* Otherwise the last block would be padded with zeros. */
	archive_write_set_bytes_in_last_block(a, 1);
	assert_int_equal(archive_write_open_memory(a, out.data, 2 * in->len + 4096, &out.len),
			 ARCHIVE_OK);
	archive_entry_set_filetype(entry, AE_IFREG);
	assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, in->data, in->len), in->len);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_entry_free(entry);
	archive_write_free(a);
	return out;
}

/* A boot image around @kernel: setup header, one sector of setup code, the payload. */
static inline struct fake_file fake_bzimage(const struct fake_file *kernel, const char *filter)
{
	struct fake_file f = { 0 }, payload = fake_compress(kernel, filter);
	uint32_t size = (uint32_t)kernel->len, offset = 0x40, len;
	static const uint8_t version[] = { 0x0f, 0x02 };

	/* gzip's own trailer is the size already */
	if (strcmp(filter, "gzip") != 0)
		fake_append(&payload, &size, sizeof(size));
	fake_append(&f, NULL, 2 * 512 + offset);
	f.data[0x1f1] = 1;
	memcpy(f.data + 0x202, "HdrS", 4);
	memcpy(f.data + 0x206, version, sizeof(version));
	len = (uint32_t)payload.len;
	memcpy(f.data + 0x248, &offset, sizeof(offset));
	memcpy(f.data + 0x24c, &len, sizeof(len));
	fake_append(&f, payload.data, payload.len);
	fake_append(&f, NULL, 512); /* what follows: the rest of the boot code */
	free(payload.data);
	return f;
}

static inline void fake_write(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(close(fd), 0);
}

#endif
