// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel module as an ELF file. libelf reads the headers; the tables that the headers point to are
 * copied out here, entry by entry, after their bounds have been checked.
 */
#include "hotfix/module_elf.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The biggest module of Debian 12's kernel has 13 MB. */
#define FILE_MAX (256u << 20)

#if defined(__x86_64__)
#define HOST_MACHINE EM_X86_64
#define HOST_NAME    "x86-64"
#define HOST_ABS64   R_X86_64_64
#elif defined(__aarch64__)
#define HOST_MACHINE EM_AARCH64
#define HOST_NAME    "AArch64"
#define HOST_ABS64   R_AARCH64_ABS64
#else
#error "livepatch modules of this machine are not known"
#endif

#ifndef SHF_RELA_LIVEPATCH
#define SHF_RELA_LIVEPATCH 0x00100000 /* include/uapi/linux/elf.h of the kernel */
#endif

static int read_file(struct hp_module_elf *m, struct hp_error *err)
{
	struct stat st;
	size_t got = 0;

	/* A FIFO must not block us; finit_module() does not mind the flag. */
	m->fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (m->fd < 0 || fstat(m->fd, &st) < 0)
		return hp_fail_errno(err, HP_E_FILE_OPEN, -errno, "cannot open %s", m->path);
	if (!S_ISREG(st.st_mode))
		return hp_fail(err, HP_E_FILE_OPEN, "%s is not a regular file", m->path);
	if ((uint64_t)st.st_size > FILE_MAX)
		return hp_fail(err, HP_E_FILE_NOT_ELF, "%s has %" PRIu64 " bytes; no module has",
			       m->path, (uint64_t)st.st_size);
	if (!st.st_size)
		return hp_fail(err, HP_E_FILE_TRUNCATED, "%s is empty", m->path);
	m->image = malloc((size_t)st.st_size);
	if (!m->image)
		return hp_fail(err, HP_E_NOMEM, "no memory for %s", m->path);
	while (got < (size_t)st.st_size) {
		ssize_t n = pread(m->fd, m->image + got, (size_t)st.st_size - got, (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return hp_fail_errno(err, HP_E_FILE_OPEN, -errno, "cannot read %s",
					     m->path);
		if (!n)
			return hp_fail(err, HP_E_FILE_CHANGED, "%s shrank while it was read",
				       m->path);
		got += (size_t)n;
	}
	m->file_size = got;
	return 0;
}

/* What the first bytes say when they are not ELF's. */
static int fail_not_elf(const struct hp_module_elf *m, struct hp_error *err)
{
	static const struct {
		const char *name;
		const char *magic;
		size_t len;
	} compressions[] = {
		{ "gzip", "\x1f\x8b", 2 },
		{ "xz", "\xfd\x37zXZ", 5 },
		{ "zstd", "\x28\xb5\x2f\xfd", 4 },
	};

	for (size_t i = 0; i < sizeof(compressions) / sizeof(compressions[0]); i++)
		if (m->file_size >= compressions[i].len &&
		    !memcmp(m->image, compressions[i].magic, compressions[i].len))
			return hp_fail(err, HP_E_FILE_COMPRESSED, "%s is compressed with %s",
				       m->path, compressions[i].name);
	return hp_fail(err, HP_E_FILE_NOT_ELF, "%s is not an ELF file", m->path);
}

static int check_header(struct hp_module_elf *m, struct hp_error *err)
{
	Elf64_Ehdr ehdr;

	if (m->file_size < SELFMAG || memcmp(m->image, ELFMAG, SELFMAG) != 0)
		return fail_not_elf(m, err);
	if (m->elf_size < sizeof(ehdr))
		return hp_fail(err, HP_E_FILE_TRUNCATED, "%s ends inside of the ELF header",
			       m->path);
	memcpy(&ehdr, m->image, sizeof(ehdr));
	if (ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_ident[EI_DATA] != ELFDATA2LSB ||
	    ehdr.e_machine != HOST_MACHINE)
		return hp_fail(err, HP_E_FILE_MACHINE,
			       "%s is for another machine (ELF class %u, byte order %u, machine "
			       "%u), not for %s",
			       m->path, ehdr.e_ident[EI_CLASS], ehdr.e_ident[EI_DATA],
			       ehdr.e_machine, HOST_NAME);
	if (ehdr.e_type != ET_REL)
		return hp_fail(err, HP_E_FILE_NOT_ELF,
			       "%s is not relocatable (ELF type %u): not a kernel module", m->path,
			       ehdr.e_type);
	if (ehdr.e_shentsize != sizeof(Elf64_Shdr))
		return hp_fail(err, HP_E_FILE_CORRUPT, "%s has section headers of %u bytes",
			       m->path, ehdr.e_shentsize);
	if (ehdr.e_shoff > m->elf_size ||
	    (m->elf_size - ehdr.e_shoff) / sizeof(Elf64_Shdr) < (ehdr.e_shnum ? ehdr.e_shnum : 1))
		return hp_fail(err, HP_E_FILE_TRUNCATED,
			       "%s ends before its section headers: %zu bytes, wanted %" PRIu64,
			       m->path, m->elf_size,
			       ehdr.e_shoff + (uint64_t)ehdr.e_shnum * sizeof(Elf64_Shdr));
	return 0;
}

static int read_sections(struct hp_module_elf *m, struct hp_error *err)
{
	size_t count, names = 0;
	GElf_Shdr shdr;

	/* Private memory of ours: libelf may convert in place, which for our byte order is nothing. */
	m->elf = elf_memory((char *)m->image, m->elf_size);
	if (!m->elf || elf_getshdrnum(m->elf, &count) || elf_getshdrstrndx(m->elf, &names))
		return hp_fail(err, HP_E_FILE_CORRUPT, "%s: %s", m->path, elf_errmsg(-1));
	if (count > m->elf_size / sizeof(Elf64_Shdr) || names >= count)
		return hp_fail(err, HP_E_FILE_CORRUPT, "%s claims %zu sections, names in the %zu.",
			       m->path, count, names);
	m->sections = calloc(count ? count : 1, sizeof(*m->sections));
	if (!m->sections)
		return hp_fail(err, HP_E_NOMEM, "no memory for %zu sections", count);
	m->section_count = count;
	for (size_t i = 0; i < count; i++) {
		struct hp_module_section *s = &m->sections[i];

		s->name = "";
		if (!gelf_getshdr(elf_getscn(m->elf, i), &shdr))
			return hp_fail(err, HP_E_FILE_CORRUPT, "%s: section %zu: %s", m->path, i,
				       elf_errmsg(-1));
		if (!i)
			continue;
		s->type = shdr.sh_type;
		s->flags = shdr.sh_flags;
		s->size = shdr.sh_size;
		if (s->type == SHT_NOBITS || s->type == SHT_NULL)
			continue;
		if (shdr.sh_offset > m->elf_size || s->size > m->elf_size - shdr.sh_offset)
			return hp_fail(err, HP_E_FILE_TRUNCATED,
				       "%s ends inside of its section %zu (%" PRIu64
				       " bytes at %" PRIu64 ", the file has %zu)",
				       m->path, i, s->size, (uint64_t)shdr.sh_offset, m->elf_size);
		s->data = m->image + shdr.sh_offset;
	}
	for (size_t i = 1; i < count; i++) {
		struct hp_place name = { names, 0 };

		if (!gelf_getshdr(elf_getscn(m->elf, i), &shdr))
			continue;
		name.offset = shdr.sh_name;
		m->sections[i].name = hp_module_elf__string(m, name);
		if (!m->sections[i].name)
			return hp_fail(err, HP_E_FILE_CORRUPT, "%s: section %zu has no name",
				       m->path, i);
	}
	return 0;
}

static int read_symbols(struct hp_module_elf *m, size_t symtab, size_t strtab, struct hp_error *err)
{
	const struct hp_module_section *s = &m->sections[symtab];
	size_t count = s->size / sizeof(Elf64_Sym);
	Elf64_Sym sym;

	if (!count)
		return hp_fail(err, HP_E_FILE_CORRUPT, "%s has an empty symbol table", m->path);
	m->symbols = calloc(count, sizeof(*m->symbols));
	if (!m->symbols)
		return hp_fail(err, HP_E_NOMEM, "no memory for %zu symbols", count);
	m->symbol_count = count;
	for (size_t i = 0; i < count; i++) {
		struct hp_module_symbol *out = &m->symbols[i];

		memcpy(&sym, s->data + i * sizeof(sym), sizeof(sym));
		out->name = hp_module_elf__string(m, (struct hp_place){ strtab, sym.st_name });
		if (!out->name)
			return hp_fail(err, HP_E_FILE_CORRUPT, "%s: symbol %zu has no name",
				       m->path, i);
		out->size = sym.st_size;
		out->shndx = sym.st_shndx;
		out->type = ELF64_ST_TYPE(sym.st_info);
		out->weak = ELF64_ST_BIND(sym.st_info) == STB_WEAK;
		if (sym.st_shndx == SHN_UNDEF || sym.st_shndx >= SHN_LORESERVE)
			continue;
		if (sym.st_shndx >= m->section_count ||
		    sym.st_value > m->sections[sym.st_shndx].size)
			return hp_fail(err, HP_E_FILE_CORRUPT,
				       "%s: symbol %zu is outside of its section", m->path, i);
		out->place = (struct hp_place){ sym.st_shndx, sym.st_value };
	}
	return 0;
}

/* Take in one section of relocations; there is room for all that it can have. */
static int read_relocs(struct hp_module_elf *m, size_t section, size_t target, struct hp_error *err)
{
	const struct hp_module_section *s = &m->sections[section];
	size_t count = s->size / sizeof(Elf64_Rela);
	Elf64_Rela rela;

	for (size_t i = 0; i < count; i++) {
		struct hp_module_reloc *out = &m->relocs[m->reloc_count];
		const struct hp_module_symbol *sym;

		memcpy(&rela, s->data + i * sizeof(rela), sizeof(rela));
		if (ELF64_R_SYM(rela.r_info) >= m->symbol_count ||
		    rela.r_offset >= m->sections[target].size)
			return hp_fail(err, HP_E_FILE_CORRUPT,
				       "%s: relocation %zu of section %s is out of bounds", m->path,
				       i, s->name);
		sym = &m->symbols[ELF64_R_SYM(rela.r_info)];
		out->place = (struct hp_place){ target, rela.r_offset };
		out->target = sym->place;
		out->symbol = sym->name;
		out->addend = rela.r_addend;
		out->type = ELF64_R_TYPE(rela.r_info);
		out->livepatch = s->flags & SHF_RELA_LIVEPATCH;
		m->reloc_count++;
	}
	return 0;
}

static int compare_places(struct hp_place a, struct hp_place b)
{
	if (a.section != b.section)
		return a.section < b.section ? -1 : 1;
	return (a.offset > b.offset) - (a.offset < b.offset);
}

static int compare_relocs(const void *a, const void *b)
{
	return compare_places(((const struct hp_module_reloc *)a)->place,
			      ((const struct hp_module_reloc *)b)->place);
}

static int read_tables(struct hp_module_elf *m, struct hp_error *err)
{
	size_t symtab = 0, strtab = 0, room = 0;
	GElf_Shdr shdr;
	int ret;

	for (size_t i = 1; i < m->section_count; i++) {
		if (m->sections[i].type == SHT_SYMTAB && !symtab &&
		    gelf_getshdr(elf_getscn(m->elf, i), &shdr)) {
			symtab = i;
			strtab = shdr.sh_link;
		}
		if (m->sections[i].type == SHT_RELA)
			room += m->sections[i].size / sizeof(Elf64_Rela);
	}
	if (!symtab || strtab >= m->section_count)
		return hp_fail(err, HP_E_FILE_CORRUPT, "%s has no symbol table", m->path);
	ret = read_symbols(m, symtab, strtab, err);
	if (ret)
		return ret;
	/* Overlapping sections can claim more than the file has, but not in a module. */
	if (room > m->elf_size / sizeof(Elf64_Rela))
		return hp_fail(err, HP_E_FILE_CORRUPT, "%s has overlapping sections", m->path);
	m->relocs = calloc(room ? room : 1, sizeof(*m->relocs));
	if (!m->relocs)
		return hp_fail(err, HP_E_NOMEM, "no memory for %zu relocations", room);
	for (size_t i = 1; i < m->section_count; i++) {
		if (m->sections[i].type != SHT_RELA || !gelf_getshdr(elf_getscn(m->elf, i), &shdr))
			continue;
		if (shdr.sh_info >= m->section_count || shdr.sh_link != symtab)
			return hp_fail(err, HP_E_FILE_CORRUPT,
				       "%s: relocations in section %s are for no section", m->path,
				       m->sections[i].name);
		ret = read_relocs(m, i, shdr.sh_info, err);
		if (ret)
			return ret;
	}
	qsort(m->relocs, m->reloc_count, sizeof(*m->relocs), compare_relocs);
	return 0;
}

int hp_module_elf__open(struct hp_module_elf **out, const char *path, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_module_elf__close) struct hp_module_elf *m = calloc(1, sizeof(*m));
	int ret;

	if (m)
		m->fd = -1;
	if (!m || !(m->path = strdup(path)))
		return hp_fail(err, HP_E_NOMEM, "no memory for %s", path);
	elf_version(EV_CURRENT);
	ret = read_file(m, err);
	if (ret)
		return ret;
	if (hp_module_signature__read(&m->signature, m->image, m->file_size))
		return hp_fail(err, HP_E_FILE_CORRUPT,
			       "%s has the mark of an appended signature, but no signature", path);
	m->elf_size = m->file_size - m->signature.size;
	ret = check_header(m, err);
	if (!ret)
		ret = read_sections(m, err);
	if (!ret)
		ret = read_tables(m, err);
	if (ret)
		return ret;
	*out = m;
	m = NULL;
	return 0;
}

void hp_module_elf__close(struct hp_module_elf *m)
{
	if (!m)
		return;
	elf_end(m->elf);
	if (m->fd >= 0)
		close(m->fd);
	free(m->relocs);
	free(m->symbols);
	free(m->sections);
	free(m->image);
	free(m->path);
	free(m);
}

int hp_module_elf__unchanged(const struct hp_module_elf *m, struct hp_error *err)
{
	unsigned char now[16384];
	size_t at = 0;

	/* One byte past the end as well: the file may have grown. */
	while (at <= m->file_size) {
		ssize_t n = pread(m->fd, now, sizeof(now), (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if ((size_t)n > m->file_size - at || memcmp(m->image + at, now, (size_t)n) != 0)
			return hp_fail(err, HP_E_FILE_CHANGED, "%s was written to", m->path);
		at += (size_t)n;
	}
	if (at != m->file_size)
		return hp_fail(err, HP_E_FILE_CHANGED, "%s has shrunk or cannot be read", m->path);
	return 0;
}

size_t hp_module_elf__section(const struct hp_module_elf *m, const char *name)
{
	for (size_t i = 1; i < m->section_count; i++)
		if (!strcmp(m->sections[i].name, name))
			return i;
	return 0;
}

const char *hp_module_elf__modinfo(const struct hp_module_elf *m, const char *key)
{
	struct hp_place at = { hp_module_elf__section(m, ".modinfo"), 0 };
	size_t len = strlen(key);

	if (!at.section)
		return NULL;
	while (at.offset < m->sections[at.section].size) {
		const char *entry = hp_module_elf__string(m, at);

		if (!entry)
			return NULL;
		if (!strncmp(entry, key, len) && entry[len] == '=')
			return entry + len + 1;
		at.offset += strlen(entry) + 1;
	}
	return NULL;
}

int hp_module_elf__u64(const struct hp_module_elf *m, struct hp_place place, uint64_t *value)
{
	const struct hp_module_section *s;

	if (!place.section || place.section >= m->section_count)
		return -ERANGE;
	s = &m->sections[place.section];
	if (place.offset > s->size || s->size - place.offset < sizeof(*value))
		return -ERANGE;
	*value = 0;
	if (s->data)
		memcpy(value, s->data + place.offset, sizeof(*value));
	return 0;
}

const char *hp_module_elf__string(const struct hp_module_elf *m, struct hp_place place)
{
	const struct hp_module_section *s;

	if (!place.section || place.section >= m->section_count)
		return NULL;
	s = &m->sections[place.section];
	if (!s->data || place.offset >= s->size ||
	    !memchr(s->data + place.offset, '\0', s->size - place.offset))
		return NULL;
	return (const char *)s->data + place.offset;
}

size_t hp_module_elf__reloc_from(const struct hp_module_elf *m, struct hp_place place)
{
	size_t low = 0, high = m->reloc_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare_places(m->relocs[mid].place, place) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct hp_module_reloc *hp_module_elf__reloc(const struct hp_module_elf *m,
						   struct hp_place place)
{
	size_t i = hp_module_elf__reloc_from(m, place);

	return i < m->reloc_count && !compare_places(m->relocs[i].place, place) ? &m->relocs[i]
										: NULL;
}

/* The place that @reloc refers to, @bias added; -ENOTSUP when that is not in this module. */
static int referred_place(const struct hp_module_elf *m, const struct hp_module_reloc *reloc,
			  int64_t bias, struct hp_place *target)
{
	uint64_t offset;

	if (!reloc->target.section)
		return -ENOTSUP;
	/* Unsigned: what wraps around is outside of every section. */
	offset = reloc->target.offset + (uint64_t)reloc->addend + (uint64_t)bias;
	if (offset >= m->sections[reloc->target.section].size)
		return -ENOTSUP;
	*target = (struct hp_place){ reloc->target.section, offset };
	return 0;
}

int hp_module_elf__pointer(const struct hp_module_elf *m, struct hp_place place,
			   struct hp_place *target)
{
	const struct hp_module_reloc *reloc = hp_module_elf__reloc(m, place);

	if (!reloc)
		return -ENOENT;
	if (reloc->type != HOST_ABS64)
		return -ENOTSUP;
	return referred_place(m, reloc, 0, target);
}

int hp_module_elf__operand(const struct hp_module_elf *m, const struct hp_module_reloc *reloc,
			   struct hp_place *target)
{
	switch (reloc->type) {
#if defined(__x86_64__)
	case R_X86_64_64:
	case R_X86_64_32:
	case R_X86_64_32S:
		return referred_place(m, reloc, 0, target);
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		/* Relative to the end of the instruction, where no immediate comes behind. */
		return referred_place(m, reloc, 4, target);
#elif defined(__aarch64__)
	case R_AARCH64_ABS64:
	case R_AARCH64_ADR_PREL_PG_HI21:
	case R_AARCH64_ADD_ABS_LO12_NC:
	case R_AARCH64_CALL26:
	case R_AARCH64_JUMP26:
		return referred_place(m, reloc, 0, target);
#endif
	default:
		return -ENOTSUP;
	}
}

const struct hp_module_symbol *hp_module_elf__symbol_at(const struct hp_module_elf *m,
							struct hp_place place, unsigned char type)
{
	for (size_t i = 1; i < m->symbol_count; i++) {
		const struct hp_module_symbol *sym = &m->symbols[i];

		if (sym->type == type && sym->name[0] && sym->place.section == place.section &&
		    sym->place.offset == place.offset)
			return sym;
	}
	return NULL;
}
