// SPDX-License-Identifier: GPL-2.0
/* An ELF file of user space: its build-id, segments, and the bytes at link addresses. */
#include "host/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "host/elf_file_private.h"

/*
 * Notes take some hundred bytes, those of a hotfix, whose metadata is among them, up to some hundred
 * thousand; a corrupt header may claim anything.
 */
#define NOTES_MAX (4 << 20)

static int read_headers(struct hp_elf *elf, struct hp_error *err)
{
	size_t count;

	if (elf_kind(elf->handle) != ELF_K_ELF || !gelf_getehdr(elf->handle, &elf->header))
		return hp_fail(err, HP_E_ELF, "%s is not an ELF file", elf->path);
	if (elf->header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf->header.e_ident[EI_DATA] != ELFDATA2LSB)
		return hp_fail(err, HP_E_ELF, "%s is not of 64 bits, little-endian", elf->path);
	if (elf_getphdrnum(elf->handle, &count))
		return hp_fail(err, HP_E_ELF, "%s: %s", elf->path, elf_errmsg(-1));
	elf->segments = calloc(count + 1, sizeof(*elf->segments));
	if (!elf->segments)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (!gelf_getphdr(elf->handle, (int)i, &elf->segments[i]))
			return hp_fail(err, HP_E_ELF, "%s: %s", elf->path, elf_errmsg(-1));
	elf->segment_count = count;
	return 0;
}

static void read_build_id(struct hp_elf *elf)
{
	for (size_t i = 0; i < elf->segment_count && !elf->has_build_id; i++) {
		const GElf_Phdr *p = &elf->segments[i];
		_cleanup_free_ void *notes = NULL;

		if (p->p_type != PT_NOTE || p->p_filesz > NOTES_MAX)
			continue;
		notes = malloc(p->p_filesz + 1);
		if (!notes ||
		    pread(elf->fd, notes, p->p_filesz, (off_t)p->p_offset) != (ssize_t)p->p_filesz)
			continue;
		elf->has_build_id = !hp_build_id__from_notes(&elf->build_id, notes, p->p_filesz);
	}
}

int hp_elf__open(struct hp_elf **out, const char *path, struct hp_error *err)
{
	struct hp_elf *elf;
	struct stat st;
	int ret;

	elf_version(EV_CURRENT);
	elf = calloc(1, sizeof(*elf));
	if (!elf)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	elf->fd = -1;
	elf->path = strdup(path);
	if (!elf->path) {
		ret = hp_fail(err, HP_E_NOMEM, "out of memory");
		goto fail;
	}
	/* A FIFO must not block us. */
	elf->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (elf->fd < 0 || fstat(elf->fd, &st) < 0) {
		ret = hp_fail_errno(err, HP_E_OPEN_FILE, -errno, "cannot open %s", path);
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		ret = hp_fail(err, HP_E_ELF, "%s is not a regular file", path);
		goto fail;
	}
	/* Not mapped: somebody may truncate the file meanwhile. */
	elf->handle = elf_begin(elf->fd, ELF_C_READ, NULL);
	if (!elf->handle) {
		ret = hp_fail(err, HP_E_ELF, "%s: %s", path, elf_errmsg(-1));
		goto fail;
	}
	ret = read_headers(elf, err);
	if (ret)
		goto fail;
	read_build_id(elf);
	*out = elf;
	return 0;
fail:
	hp_elf__close(elf);
	return ret;
}

void hp_elf__close(struct hp_elf *elf)
{
	if (elf->debug)
		hp_elf__close(elf->debug);
	if (elf->handle)
		elf_end(elf->handle);
	if (elf->fd >= 0)
		close(elf->fd);
	free(elf->segments);
	free(elf->path);
	free(elf);
}

const char *hp_elf__path(const struct hp_elf *elf)
{
	return elf->path;
}

const GElf_Ehdr *hp_elf__header(const struct hp_elf *elf)
{
	return &elf->header;
}

Elf *hp_elf__handle(struct hp_elf *elf)
{
	return elf->handle;
}

int hp_elf__fd(const struct hp_elf *elf)
{
	return elf->fd;
}

const struct hp_build_id *hp_elf__build_id(const struct hp_elf *elf)
{
	return elf->has_build_id ? &elf->build_id : NULL;
}

size_t hp_elf__segment_count(const struct hp_elf *elf)
{
	return elf->segment_count;
}

const GElf_Phdr *hp_elf__segment(const struct hp_elf *elf, size_t i)
{
	return &elf->segments[i];
}

Elf_Scn *hp_elf__find_section(struct hp_elf *elf, const char *name, GElf_Shdr *shdr)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf->handle, &names))
		return NULL;
	while ((scn = elf_nextscn(elf->handle, scn))) {
		const char *found;

		if (!gelf_getshdr(scn, shdr))
			continue;
		found = elf_strptr(elf->handle, names, shdr->sh_name);
		if (found && !strcmp(found, name))
			return scn;
	}
	return NULL;
}

bool hp_elf__is_loaded(const struct hp_elf *elf, uint64_t address)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const GElf_Phdr *p = &elf->segments[i];

		if (p->p_type == PT_LOAD && address >= p->p_vaddr &&
		    address - p->p_vaddr < p->p_memsz)
			return true;
	}
	return false;
}

/* The loaded segment whose bytes in the file include @len at @address. */
static const GElf_Phdr *segment_at(const struct hp_elf *elf, uint64_t address, size_t len)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const GElf_Phdr *p = &elf->segments[i];

		if (p->p_type == PT_LOAD && address >= p->p_vaddr &&
		    address - p->p_vaddr < p->p_filesz &&
		    len <= p->p_filesz - (address - p->p_vaddr))
			return p;
	}
	return NULL;
}

int hp_elf__offset(const struct hp_elf *elf, uint64_t address, uint64_t *offset)
{
	const GElf_Phdr *p = segment_at(elf, address, 1);

	if (!p)
		return -EFAULT;
	*offset = p->p_offset + (address - p->p_vaddr);
	return 0;
}

int hp_elf__read(const struct hp_elf *elf, uint64_t address, void *buf, size_t len)
{
	const GElf_Phdr *p = segment_at(elf, address, len);
	ssize_t n;

	if (!p)
		return -EFAULT;
	n = pread(elf->fd, buf, len, (off_t)(p->p_offset + (address - p->p_vaddr)));
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

int hp_elf__bias(const struct hp_elf *elf, uint64_t start, uint64_t offset, uint64_t *bias)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const GElf_Phdr *p = &elf->segments[i];
		uint64_t first = p->p_offset & ~4095ull;

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || offset < first ||
		    offset >= p->p_offset + p->p_filesz)
			continue;
		*bias = start - ((p->p_vaddr & ~4095ull) + (offset - first));
		return 0;
	}
	return -ENOENT;
}
