// SPDX-License-Identifier: GPL-2.0
/*
 * A loaded kernel module as the kernel has relocated it. The relocations are those that
 * apply_relocate_add() of arch/x86/kernel/module.c knows; the addresses of the sections come from
 * /sys/module/M/sections, and that file and memory are of one build is checked by build-id.
 */
#include "host/module_image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/build_id.h"
#include "host/unpack.h"

#define SYS_MODULE   "/sys/module"
#define UNPACKED_MAX (512u << 20)
#define SECTIONS_MAX 65000
#define SECTION_MAX  (256u << 20)

/* What libelf says of a section, and where it runs. */
struct section {
	struct hp_module_section public;
	Elf_Scn *scn;
	size_t index; /* in the file */
	Elf_Data *rela;
};

struct hp_module_image {
	int fd;
	Elf *elf;
	char module[64];
	size_t strings; /* section numbers */
	struct section *sections;
	size_t section_count;
	uint64_t *address; /* of each section of the file, 0 for those that are not in memory */
	size_t file_sections;
	Elf_Data *symtab;
	size_t symbol_strings;
};

/* The address in a file of sysfs; it reads as 0 for who may not see it. */
static int read_hex(const char *path, uint64_t *value)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	*value = strtoull(text, NULL, 16);
	return 0;
}

static int read_address(const char *sys_module, const char *module, const char *section,
			uint64_t *address)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s/sections/%s", sys_module, module,
			     section) >= sizeof(path))
		return -ENAMETOOLONG;
	if (read_hex(path, address))
		return -ENOENT;
	return *address ? 0 : -EACCES;
}

/* A module may be compressed (.ko.xz, .ko.zst): then read it from memory. */
static int open_file(const char *path, struct hp_error *err)
{
	_cleanup_close_ int in = open(path, O_RDONLY | O_CLOEXEC), out = -1;
	struct hp_unpack job = { .in = in, .limit = UNPACKED_MAX, .what = path };
	struct stat st;
	char magic[SELFMAG];
	int64_t size;
	int ret;

	if (in < 0 || fstat(in, &st))
		return hp_fail_errno(err, HP_E_NO_MODULE_FILE, -errno, "cannot read %s", path);
	if (pread(in, magic, sizeof(magic), 0) == sizeof(magic) &&
	    memcmp(magic, ELFMAG, SELFMAG) == 0) {
		ret = in;
		in = -1;
		return ret;
	}
	out = memfd_create("hotproof-module", MFD_CLOEXEC);
	if (out < 0)
		return hp_fail_errno(err, HP_E_NOMEM, -errno, "no memory to unpack %s", path);
	job.out = out;
	job.length = (uint64_t)st.st_size;
	size = hp_unpack__run(&job, err);
	if (size < 0)
		return hp_fail_errno(err, HP_E_NOMEM, (int)size, "no memory to unpack %s", path);
	ret = out;
	out = -1;
	return ret;
}

/* Sections that the kernel frees when the module is initialised. */
static bool is_init(const char *name)
{
	return strncmp(name, ".init", 5) == 0;
}

static int add_section(struct hp_module_image *img, Elf_Scn *scn, size_t index,
		       const GElf_Shdr *shdr, const char *name, const char *sys_module)
{
	struct section *section = &img->sections[img->section_count];
	uint64_t address;

	if (!(shdr->sh_flags & SHF_ALLOC) || !shdr->sh_size || is_init(name) ||
	    read_address(sys_module, img->module, name, &address))
		return 0;
	/* .bss too has an address that others refer to. */
	img->address[index] = address;
	if (shdr->sh_type == SHT_NOBITS)
		return 0;
	if (shdr->sh_size > SECTION_MAX)
		return -EBADMSG;
	*section = (struct section){
		.public = {
			.name = name,
			.address = address,
			.size = shdr->sh_size,
			.exec = shdr->sh_flags & SHF_EXECINSTR,
		},
		.scn = scn,
		.index = index,
	};
	img->section_count++;
	return 0;
}

static int read_sections(struct hp_module_image *img, const char *sys_module)
{
	size_t i, j;
	int ret;

	if (elf_getshdrnum(img->elf, &img->file_sections) ||
	    elf_getshdrstrndx(img->elf, &img->strings) || img->file_sections > SECTIONS_MAX)
		return -EBADMSG;
	img->sections = calloc(img->file_sections + 1, sizeof(*img->sections));
	img->address = calloc(img->file_sections + 1, sizeof(*img->address));
	if (!img->sections || !img->address)
		return -ENOMEM;
	for (i = 1; i < img->file_sections; i++) {
		Elf_Scn *scn = elf_getscn(img->elf, i);
		const char *name;
		GElf_Shdr shdr;

		if (!scn || !gelf_getshdr(scn, &shdr))
			return -EBADMSG;
		name = elf_strptr(img->elf, img->strings, shdr.sh_name);
		if (!name)
			return -EBADMSG;
		if (shdr.sh_type == SHT_SYMTAB) {
			img->symtab = elf_getdata(scn, NULL);
			img->symbol_strings = shdr.sh_link;
		}
		ret = add_section(img, scn, i, &shdr, name, sys_module);
		if (ret)
			return ret;
	}
	for (i = 1; i < img->file_sections; i++) {
		Elf_Scn *scn = elf_getscn(img->elf, i);
		GElf_Shdr shdr;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_RELA)
			continue;
		for (j = 0; j < img->section_count; j++)
			if (img->sections[j].index == shdr.sh_info) {
				img->sections[j].rela = elf_getdata(scn, NULL);
				img->sections[j].public.relocated = img->sections[j].rela;
			}
	}
	return img->symtab ? 0 : -EBADMSG;
}

/* File and memory must be of one build; sysfs has the notes of what is loaded. */
static int check_build(const struct hp_module_image *img, const char *path, const char *sys_module,
		       struct hp_error *err)
{
	struct hp_build_id loaded, file;
	char notes[PATH_MAX];
	Elf_Scn *scn = NULL;

	snprintf(notes, sizeof(notes), "%s/%s/notes/.note.gnu.build-id", sys_module, img->module);
	if (hp_build_id__read(&loaded, notes))
		return hp_fail(err, HP_E_BUILD_ID, "no build-id of module %s in %s", img->module,
			       notes);
	while ((scn = elf_nextscn(img->elf, scn))) {
		const Elf_Data *data;
		GElf_Shdr shdr;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_NOTE)
			continue;
		data = elf_rawdata(scn, NULL);
		if (!data || hp_build_id__from_notes(&file, data->d_buf, data->d_size))
			continue;
		if (hp_build_id__equal(&loaded, &file))
			return 0;
		break;
	}
	return hp_fail(err, HP_E_BUILD_ID, "%s is not the build of module %s that is loaded", path,
		       img->module);
}

static int new_image(struct hp_module_image **out, const char *path, const char *module,
		     struct hp_error *err)
{
	struct hp_module_image *img = calloc(1, sizeof(*img));

	if (!img)
		return hp_fail(err, HP_E_NOMEM, "no memory for %s", path);
	snprintf(img->module, sizeof(img->module), "%s", module);
	img->fd = open_file(path, err);
	if (img->fd < 0) {
		int ret = img->fd;

		free(img);
		return ret;
	}
	elf_version(EV_CURRENT);
	img->elf = elf_begin(img->fd, ELF_C_READ, NULL);
	*out = img;
	return 0;
}

int hp_module_image__open(struct hp_module_image **out, const char *path, const char *module,
			  const char *sys_module, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_module_image__close) struct hp_module_image *img = NULL;
	GElf_Ehdr ehdr;
	int ret;

	if (!sys_module)
		sys_module = SYS_MODULE;
	ret = new_image(&img, path, module, err);
	if (ret)
		return ret;
	if (!img->elf || elf_kind(img->elf) != ELF_K_ELF || !gelf_getehdr(img->elf, &ehdr) ||
	    ehdr.e_type != ET_REL)
		return hp_fail(err, HP_E_IMAGE_CORRUPT, "%s holds no kernel module", path);
	if (ehdr.e_machine != EM_X86_64 || gelf_getclass(img->elf) != ELFCLASS64 ||
	    ehdr.e_ident[EI_DATA] != ELFDATA2LSB)
		return hp_fail(err, HP_E_ARCH, "%s is for another architecture", path);
	ret = check_build(img, path, sys_module, err);
	if (ret)
		return ret;
	ret = read_sections(img, sys_module);
	if (ret == -ENOMEM)
		return hp_fail(err, HP_E_NOMEM, "no memory for %s", path);
	if (ret)
		return hp_fail(err, HP_E_IMAGE_CORRUPT, "%s is truncated or corrupt", path);
	if (!img->section_count)
		return hp_fail(err, HP_E_KALLSYMS_HIDDEN,
			       "the addresses of module %s cannot be read in %s/%s/sections",
			       img->module, sys_module, img->module);
	*out = img;
	img = NULL;
	return 0;
}

void hp_module_image__close(struct hp_module_image *img)
{
	if (!img)
		return;
	if (img->elf)
		elf_end(img->elf);
	close(img->fd);
	free(img->sections);
	free(img->address);
	free(img);
}

const char *hp_module_image__name(const struct hp_module_image *img)
{
	return img->module;
}

size_t hp_module_image__section_count(const struct hp_module_image *img)
{
	return img->section_count;
}

const struct hp_module_section *hp_module_image__section(const struct hp_module_image *img,
							 size_t i)
{
	return &img->sections[i].public;
}

static const char *symbol_name(const struct hp_module_image *img, const GElf_Sym *sym)
{
	return elf_strptr(img->elf, img->symbol_strings, sym->st_name);
}

bool hp_module_image__imports(const struct hp_module_image *img, const char *name)
{
	GElf_Sym sym;
	int i;

	for (i = 1; gelf_getsym(img->symtab, i, &sym); i++) {
		const char *other;

		if (sym.st_shndx != SHN_UNDEF)
			continue;
		other = symbol_name(img, &sym);
		if (other && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

/* The exported symbol of that name: /proc/kallsyms shows those of modules in upper case. */
static int find_export(const struct hp_kallsyms *ks, const char *name, uint64_t *address)
{
	struct hp_symbol sym;
	uint64_t n;

	for (n = 1; hp_kallsyms__find(ks, NULL, name, n, &sym) == 0; n++)
		if (sym.type >= 'A' && sym.type <= 'Z') {
			*address = sym.address;
			return 0;
		}
	return -ENOENT;
}

static int symbol_address(const struct hp_module_image *img, const struct hp_kallsyms *ks,
			  const GElf_Sym *sym, uint64_t *address)
{
	const char *name;

	if (sym->st_shndx == SHN_ABS) {
		*address = sym->st_value;
		return 0;
	}
	if (sym->st_shndx == SHN_UNDEF) {
		name = symbol_name(img, sym);
		return name ? find_export(ks, name, address) : -ENOENT;
	}
	if (sym->st_shndx >= img->file_sections || !img->address[sym->st_shndx])
		return -ENOENT;
	*address = img->address[sym->st_shndx] + sym->st_value;
	return 0;
}

static void store(uint8_t *buf, uint64_t size, uint64_t offset, uint64_t value, size_t width)
{
	if (offset <= size && width <= size - offset)
		memcpy(buf + offset, &value, width); /* little-endian, as is all of x86 */
}

static void relocate(const struct hp_module_image *img, const struct hp_kallsyms *ks,
		     const struct section *section, const GElf_Rela *rela, uint8_t *buf)
{
	uint64_t value = 0, place = section->public.address + rela->r_offset;
	GElf_Sym sym;

	/* What cannot be resolved is at 0: near nothing that is looked for. */
	if (!gelf_getsym(img->symtab, (int)GELF_R_SYM(rela->r_info), &sym) ||
	    symbol_address(img, ks, &sym, &value))
		value = 0;
	value += (uint64_t)rela->r_addend;
	switch (GELF_R_TYPE(rela->r_info)) {
	case R_X86_64_64:
		store(buf, section->public.size, rela->r_offset, value, 8);
		break;
	case R_X86_64_32:
	case R_X86_64_32S:
		store(buf, section->public.size, rela->r_offset, value, 4);
		break;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		store(buf, section->public.size, rela->r_offset, value - place, 4);
		break;
	default: /* R_X86_64_PC64 and R_X86_64_NONE are in no code */
		break;
	}
}

int hp_module_image__read(const struct hp_module_image *img, const struct hp_kallsyms *ks, size_t i,
			  uint8_t *buf)
{
	const struct section *section = &img->sections[i];
	GElf_Shdr shdr;
	GElf_Rela rela;
	uint64_t done;
	int j;

	if (!gelf_getshdr(section->scn, &shdr))
		return -EBADMSG;
	for (done = 0; done < section->public.size;) {
		ssize_t n = pread(img->fd, buf + done, section->public.size - done,
				  (off_t)(shdr.sh_offset + done));

		if (n <= 0)
			return n ? -errno : -EBADMSG;
		done += (uint64_t)n;
	}
	for (j = 0; section->rela && gelf_getrela(section->rela, j, &rela); j++)
		relocate(img, ks, section, &rela, buf);
	return 0;
}
