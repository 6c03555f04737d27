// SPDX-License-Identifier: GPL-2.0
/* What of a hotfix file comes into a process: segments, relocations, symbols. */
#include "hotfix/image.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define IMAGE_MAX (64ull << 20)

static int corrupt(struct hp_error *err, const char *what)
{
	return hp_fail(err, HP_E_HOTFIX, "the hotfix file is damaged: %s", what);
}

static int unsupported(struct hp_error *err, const char *what)
{
	return hp_fail(err, HP_E_HOTFIX_UNSUPPORTED, "the hotfix has %s, which is not supported",
		       what);
}

static int add_segment(struct hp_image *image, const struct hp_elf *elf, const GElf_Phdr *p,
		       struct hp_error *err)
{
	struct hp_image_segment *s = &image->segments[image->segment_count];
	uint8_t last;

	/* In a process, it is by its headers and notes that a hotfix is known. */
	if (!image->segment_count && (p->p_vaddr || p->p_offset))
		return corrupt(err, "its headers are not loaded");
	if (p->p_vaddr > IMAGE_MAX || p->p_memsz > IMAGE_MAX)
		return unsupported(err, "more than 64 MiB of code and data");
	if (p->p_filesz > p->p_memsz || p->p_vaddr % HP_PAGE != p->p_offset % HP_PAGE)
		return corrupt(err, "a segment");
	if (HP_PAGE_DOWN(p->p_vaddr) < image->span)
		return corrupt(err, "its segments are not in order");
	if (p->p_filesz && hp_elf__read(elf, p->p_vaddr + p->p_filesz - 1, &last, 1))
		return corrupt(err, "it is shorter than its headers say");
	if ((p->p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
		return unsupported(err, "a segment that is writable and executable");
	*s = (struct hp_image_segment){
		.address = p->p_vaddr,
		.offset = p->p_offset,
		.file_size = p->p_filesz,
		.memory_size = p->p_memsz,
		.prot = (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
			(p->p_flags & PF_X ? PROT_EXEC : 0),
	};
	image->segment_count++;
	image->span = HP_PAGE_UP(p->p_vaddr + p->p_memsz);
	if (!(p->p_flags & PF_W))
		return p->p_memsz == p->p_filesz ? 0 : corrupt(err, "a read-only segment grows");
	s->bytes = calloc(1, p->p_memsz + 1);
	if (!s->bytes)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	if (p->p_filesz && hp_elf__read(elf, p->p_vaddr, s->bytes, p->p_filesz))
		return corrupt(err, "a segment");
	return 0;
}

static int read_segments(struct hp_image *image, const struct hp_elf *elf, struct hp_error *err)
{
	size_t count = hp_elf__segment_count(elf);
	int ret = 0;

	image->segments = calloc(count + 1, sizeof(*image->segments));
	if (!image->segments)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < count && !ret; i++) {
		const GElf_Phdr *p = hp_elf__segment(elf, i);

		if (p->p_type == PT_TLS)
			return unsupported(err, "thread-local variables");
		if (p->p_type == PT_LOAD && p->p_memsz)
			ret = add_segment(image, elf, p, err);
		if (p->p_type == PT_GNU_RELRO) {
			/* As the dynamic linker does: the last, partial page stays writable. */
			image->relro_start = HP_PAGE_DOWN(p->p_vaddr);
			image->relro_end = HP_PAGE_DOWN(p->p_vaddr + p->p_memsz);
		}
	}
	if (ret)
		return ret;
	if (!image->segment_count)
		return corrupt(err, "nothing of it is loaded");
	return image->relro_end <= image->span ? 0 : corrupt(err, "its RELRO segment");
}

/* It is mapped at whatever page is free. */
static int check_alignment(struct hp_elf *elf, struct hp_error *err)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while ((scn = elf_nextscn(hp_elf__handle(elf), scn)))
		if (gelf_getshdr(scn, &shdr) && (shdr.sh_flags & SHF_ALLOC) &&
		    shdr.sh_addralign > HP_PAGE)
			return unsupported(err, "code or data that is aligned to more than a page");
	return 0;
}

/* A jump to anywhere else would be the end of the process. */
static int check_replacements(const struct hp_image *image, const struct hp_hotfix_meta *meta,
			      struct hp_error *err)
{
	for (size_t i = 0; i < meta->forward_count; i++) {
		uint64_t address = meta->forward[i].new_address;
		bool is_code = false;

		for (size_t j = 0; j < image->segment_count; j++) {
			const struct hp_image_segment *s = &image->segments[j];

			is_code |= (s->prot & PROT_EXEC) && address >= s->address &&
				   address - s->address < s->file_size;
		}
		if (!is_code)
			return corrupt(err, "a replacement is not in its code");
	}
	return 0;
}

/* What the dynamic section asks for that nobody would do. */
static int check_dynamic(struct hp_elf *elf, struct hp_error *err)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = hp_elf__find_section(elf, ".dynamic", &shdr);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	GElf_Dyn dyn;

	if (!data)
		return corrupt(err, "no dynamic section");
	for (int i = 0; gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		switch (dyn.d_tag) {
		case DT_INIT:
		case DT_INIT_ARRAY:
		case DT_FINI:
		case DT_FINI_ARRAY:
			return unsupported(err, "constructors or destructors");
		case DT_TEXTREL:
			return unsupported(err, "relocations in its code");
		case DT_REL:
		case DT_RELR:
			return unsupported(err, "relocations of a compact form");
		}
	}
	return 0;
}

/* The name of version @index that the file asks other objects for; NULL when there is none. */
static const char *needed_version(Elf *elf, Elf_Data *needs, size_t strings, unsigned int index)
{
	GElf_Verneed need;
	GElf_Vernaux aux;
	int at = 0, aux_at;

	while (needs && gelf_getverneed(needs, at, &need)) {
		aux_at = at + (int)need.vn_aux;
		while (gelf_getvernaux(needs, aux_at, &aux)) {
			if (aux.vna_other == index)
				return elf_strptr(elf, strings, aux.vna_name);
			if (!aux.vna_next)
				break;
			aux_at += (int)aux.vna_next;
		}
		if (!need.vn_next)
			break;
		at += (int)need.vn_next;
	}
	return NULL;
}

static const struct hp_reverse *find_reverse(const struct hp_hotfix_meta *meta, const char *name)
{
	for (size_t i = 0; i < meta->reverse_count; i++)
		if (!strcmp(meta->reverse[i].symbol, name))
			return &meta->reverse[i];
	return NULL;
}

static int add_symbol(struct hp_image *image, const struct hp_hotfix_meta *meta, const char *name,
		      const GElf_Sym *sym, const char *version, struct hp_error *err)
{
	struct hp_image_symbol *s = &image->symbols[image->symbol_count++];

	if (!name)
		return corrupt(err, "a symbol without a name");
	s->name = strdup(name);
	s->version = version ? strdup(version) : NULL;
	if (!s->name || (version && !s->version))
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	s->weak = GELF_ST_BIND(sym->st_info) == STB_WEAK;
	s->defined = sym->st_shndx != SHN_UNDEF;
	s->address = sym->st_value;
	if (GELF_ST_TYPE(sym->st_info) == STT_TLS)
		return unsupported(err, "references to thread-local variables");
	if (s->defined && GELF_ST_TYPE(sym->st_info) == STT_GNU_IFUNC)
		return unsupported(err, "IFUNC symbols of its own");
	if (!s->defined && *name)
		s->reverse = find_reverse(meta, name);
	return 0;
}

static int read_symbols(struct hp_image *image, const struct hp_hotfix *hotfix,
			struct hp_error *err)
{
	struct hp_elf *elf = hp_hotfix__elf(hotfix);
	Elf *handle = hp_elf__handle(elf);
	GElf_Shdr shdr, other;
	Elf_Scn *scn = hp_elf__find_section(elf, ".dynsym", &shdr);
	Elf_Scn *versym_scn = hp_elf__find_section(elf, ".gnu.version", &other);
	Elf_Scn *need_scn = hp_elf__find_section(elf, ".gnu.version_r", &other);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	Elf_Data *versyms = versym_scn ? elf_getdata(versym_scn, NULL) : NULL;
	Elf_Data *needs = need_scn ? elf_getdata(need_scn, NULL) : NULL;
	size_t count;
	int ret = 0;

	if (!data || shdr.sh_entsize != sizeof(Elf64_Sym))
		return corrupt(err, "no dynamic symbols");
	count = data->d_size / shdr.sh_entsize;
	image->symbols = calloc(count + 1, sizeof(*image->symbols));
	if (!image->symbols)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < count && !ret; i++) {
		GElf_Versym versym = 0;
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym))
			return corrupt(err, "a symbol");
		if (versyms && !gelf_getversym(versyms, (int)i, &versym))
			return corrupt(err, "a symbol's version");
		ret = add_symbol(image, hp_hotfix__meta(hotfix),
				 elf_strptr(handle, shdr.sh_link, sym.st_name), &sym,
				 needed_version(handle, needs, other.sh_link, versym & 0x7fff),
				 err);
	}
	return ret;
}

/* True if the 8 bytes at @address are in a writable segment. */
static bool is_writable(const struct hp_image *image, uint64_t address)
{
	for (size_t i = 0; i < image->segment_count; i++) {
		const struct hp_image_segment *s = &image->segments[i];

		if (s->bytes && address >= s->address && s->memory_size >= 8 &&
		    address - s->address <= s->memory_size - 8)
			return true;
	}
	return false;
}

/*
 * Undefined, and nobody has said what it is. There may be such symbols that nothing refers to: of a weak
 * one (environ) the linker names its other name (__environ) too.
 */
static bool is_unknown(const struct hp_image_symbol *symbol)
{
	return !symbol->defined && *symbol->name && !symbol->reverse;
}

static int add_relocs(struct hp_image *image, Elf_Data *data, size_t count, struct hp_error *err)
{
	struct hp_image_reloc *grown;

	grown = realloc(image->relocs, (image->reloc_count + count + 1) * sizeof(*grown));
	if (!grown)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	image->relocs = grown;
	for (size_t i = 0; i < count; i++) {
		struct hp_image_reloc *r = &image->relocs[image->reloc_count];
		GElf_Rela rela;

		if (!gelf_getrela(data, (int)i, &rela))
			return corrupt(err, "a relocation");
		*r = (struct hp_image_reloc){
			.address = rela.r_offset,
			.kind = hp_arch__reloc((uint32_t)GELF_R_TYPE(rela.r_info)),
			.addend = rela.r_addend,
			.symbol = GELF_R_SYM(rela.r_info),
		};
		if (r->kind == HP_RELOC_NONE)
			continue;
		if (r->kind == HP_RELOC_UNSUPPORTED)
			return unsupported(err, "relocations of a rare type");
		if (r->symbol >= image->symbol_count || !is_writable(image, r->address))
			return corrupt(err, "a relocation");
		if (is_unknown(&image->symbols[r->symbol]))
			return corrupt(err, "its metadata does not have all its undefined symbols");
		image->reloc_count++;
	}
	return 0;
}

static int read_relocs(struct hp_image *image, struct hp_elf *elf, struct hp_error *err)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	int ret = 0;

	while (!ret && (scn = elf_nextscn(hp_elf__handle(elf), scn))) {
		Elf_Data *data;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_RELA ||
		    !(shdr.sh_flags & SHF_ALLOC))
			continue;
		data = elf_getdata(scn, NULL);
		if (!data)
			return corrupt(err, "a section of relocations");
		ret = add_relocs(image, data, data->d_size / sizeof(Elf64_Rela), err);
	}
	return ret;
}

int hp_image__read(struct hp_image **out, const struct hp_hotfix *hotfix, struct hp_error *err)
{
	struct hp_elf *elf = hp_hotfix__elf(hotfix);
	struct hp_image *image = calloc(1, sizeof(*image));
	int ret;

	if (!image)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	if (hp_elf__header(elf)->e_machine != hp_arch_elf_machine)
		ret = hp_fail(err, HP_E_ARCH, "the hotfix is for another processor");
	else
		ret = read_segments(image, elf, err);
	ret = ret ?: check_alignment(elf, err);
	ret = ret ?: check_replacements(image, hp_hotfix__meta(hotfix), err);
	ret = ret ?: check_dynamic(elf, err);
	ret = ret ?: read_symbols(image, hotfix, err);
	ret = ret ?: read_relocs(image, elf, err);
	if (ret) {
		hp_image__free(image);
		return ret;
	}
	*out = image;
	return 0;
}

void hp_image__free(struct hp_image *image)
{
	for (size_t i = 0; i < image->segment_count; i++)
		free(image->segments[i].bytes);
	for (size_t i = 0; i < image->symbol_count; i++) {
		free(image->symbols[i].name);
		free(image->symbols[i].version);
	}
	free(image->segments);
	free(image->relocs);
	free(image->symbols);
	free(image);
}

uint8_t *hp_image__relocate(const struct hp_image *image, size_t i, uint64_t bias,
			    const uint64_t *values)
{
	const struct hp_image_segment *s = &image->segments[i];
	uint8_t *bytes = malloc(s->memory_size + 1);

	if (!bytes)
		return NULL;
	memcpy(bytes, s->bytes, s->memory_size);
	for (size_t j = 0; j < image->reloc_count; j++) {
		const struct hp_image_reloc *r = &image->relocs[j];
		uint64_t value = (uint64_t)r->addend;

		if (r->address < s->address || s->memory_size < 8 ||
		    r->address - s->address > s->memory_size - 8)
			continue;
		value += r->kind == HP_RELOC_RELATIVE ? bias : values[r->symbol];
		memcpy(bytes + (r->address - s->address), &value, sizeof(value));
	}
	return bytes;
}
