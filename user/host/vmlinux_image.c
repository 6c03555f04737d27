// SPDX-License-Identifier: GPL-2.0
/* The running kernel's static image: found, unpacked into the cache, checked, and read. */
#include "host/vmlinux_image.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "host/bzimage.h"
#include "host/cache.h"
#include "host/unpack.h"

#define KERNEL_NOTES "/sys/kernel/notes"
#define NOTES_MAX    (64 * 1024)
#define SECTIONS_MAX 4096

/* KASLR moves the kernel in steps of CONFIG_PHYSICAL_ALIGN, at least 2 MiB (arch/x86/Kconfig). */
#define SLIDE_ALIGN (2ull << 20)

struct hp_vmlinux_image {
	int fd;
	uint64_t file_size;
	uint64_t slide;
	struct hp_build_id build_id;
	struct hp_image_section *sections;
	size_t section_count;
	char *names; /* of the sections */
	char path[PATH_MAX];
};

static void hp_elf__end(Elf *elf)
{
	elf_end(elf);
}
HP_DEFINE_CLEANUP(Elf *, hp_elf__end)

static int read_all(int fd, void *buf, size_t len, uint64_t offset)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* Take over what is of interest in a section header, with a copy of the name. */
static int add_section(struct hp_vmlinux_image *img, const GElf_Shdr *shdr, const char *name,
		       size_t *names_len)
{
	struct hp_image_section *section = &img->sections[img->section_count];
	size_t len = strlen(name) + 1;
	char *names;

	if (shdr->sh_type == SHT_NULL)
		return 0;
	if (shdr->sh_type != SHT_NOBITS &&
	    (shdr->sh_offset > img->file_size || shdr->sh_size > img->file_size - shdr->sh_offset))
		return -EBADMSG;
	if (shdr->sh_addr + shdr->sh_size < shdr->sh_addr)
		return -EBADMSG;
	names = realloc(img->names, *names_len + len);
	if (!names)
		return -ENOMEM;
	img->names = names;
	memcpy(names + *names_len, name, len);
	*section = (struct hp_image_section){
		.address = shdr->sh_addr,
		.offset = shdr->sh_offset,
		.size = shdr->sh_size,
		.alloc = shdr->sh_flags & SHF_ALLOC,
		.exec = shdr->sh_flags & SHF_EXECINSTR,
		.nobits = shdr->sh_type == SHT_NOBITS,
	};
	*names_len += len;
	img->section_count++;
	return 0;
}

static int read_sections(struct hp_vmlinux_image *img, Elf *elf)
{
	size_t count, strings, i, names_len = 0;
	char *name;
	int ret;

	if (elf_getshdrnum(elf, &count) || elf_getshdrstrndx(elf, &strings) || !count ||
	    count > SECTIONS_MAX)
		return -EBADMSG;
	img->sections = calloc(count, sizeof(*img->sections));
	if (!img->sections)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		Elf_Scn *scn = elf_getscn(elf, i);
		const char *section_name;
		GElf_Shdr shdr;

		if (!scn || !gelf_getshdr(scn, &shdr))
			return -EBADMSG;
		section_name = elf_strptr(elf, strings, shdr.sh_name);
		if (!section_name)
			return -EBADMSG;
		ret = add_section(img, &shdr, section_name, &names_len);
		if (ret)
			return ret;
	}
	/* The names stay where they are from here on. */
	for (i = 0, name = img->names; i < img->section_count; i++, name += strlen(name) + 1)
		img->sections[i].name = name;
	return 0;
}

static int read_build_id(struct hp_vmlinux_image *img)
{
	_cleanup_free_ uint8_t *notes = malloc(NOTES_MAX);
	size_t i;

	if (!notes)
		return -ENOMEM;
	for (i = 0; i < img->section_count; i++) {
		const struct hp_image_section *section = &img->sections[i];

		/* .notes in the kernel's linker script, .note.gnu.build-id in others */
		if (strncmp(section->name, ".note", 5) != 0 || section->nobits ||
		    section->size > NOTES_MAX)
			continue;
		if (read_all(img->fd, notes, section->size, section->offset) == 0 &&
		    hp_build_id__from_notes(&img->build_id, notes, section->size) == 0)
			return 0;
	}
	return -ENODATA;
}

/* Read the ELF file @img->fd and refuse it unless it is of build @wanted. */
static int load(struct hp_vmlinux_image *img, const struct hp_build_id *wanted, const char *path,
		struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_elf__end) Elf *elf = NULL;
	char got[HP_BUILD_ID_TEXT_MAX], want[HP_BUILD_ID_TEXT_MAX];
	GElf_Ehdr ehdr;
	struct stat st;
	int ret;

	free(img->sections);
	free(img->names);
	img->sections = NULL;
	img->names = NULL;
	img->section_count = 0;

	if (fstat(img->fd, &st))
		return hp_fail_errno(err, HP_E_IMAGE_CORRUPT, -errno, "cannot read %s", path);
	img->file_size = (uint64_t)st.st_size;
	elf_version(EV_CURRENT);
	elf = elf_begin(img->fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &ehdr))
		return hp_fail(err, HP_E_IMAGE_CORRUPT, "%s holds no ELF file", path);
	if (ehdr.e_machine != EM_X86_64 || gelf_getclass(elf) != ELFCLASS64 ||
	    ehdr.e_ident[EI_DATA] != ELFDATA2LSB)
		return hp_fail(err, HP_E_ARCH, "%s is for another architecture", path);
	ret = read_sections(img, elf);
	if (ret == -ENOMEM)
		return hp_fail(err, HP_E_NOMEM, "no memory to read %s", path);
	if (ret)
		return hp_fail(err, HP_E_IMAGE_CORRUPT, "%s is truncated or corrupt", path);
	if (read_build_id(img))
		return hp_fail(err, HP_E_BUILD_ID,
			       "%s has no build-id, so it cannot be told whether it is what runs",
			       path);
	if (!hp_build_id__equal(&img->build_id, wanted))
		return hp_fail(err, HP_E_BUILD_ID, "%s has build-id %s, the running kernel %s",
			       path, hp_build_id__format(&img->build_id, got),
			       hp_build_id__format(wanted, want));
	if (!hp_vmlinux_image__find_section(img, ".text"))
		return hp_fail(err, HP_E_IMAGE_CORRUPT, "%s has no .text section", path);
	snprintf(img->path, sizeof(img->path), "%s", path);
	return 0;
}

/* Unpack @bz of @in to one place. -ENOSPC and the like, without @err, when the place is no good. */
static int unpack_to(struct hp_vmlinux_image *img, const struct hp_unpack *job, uint64_t size,
		     struct hp_cache_file *file, struct hp_error *err)
{
	struct hp_unpack run = *job;
	int64_t got;

	run.out = file->fd;
	got = hp_unpack__run(&run, err);
	if (got < 0)
		return (int)got;
	if ((uint64_t)got != size)
		return hp_fail(err, HP_E_IMAGE_CORRUPT,
			       "%s is corrupt: it unpacks to %lld bytes and promises %llu",
			       job->what, (long long)got, (unsigned long long)size);
	img->fd = file->fd;
	file->fd = -1;
	return 0;
}

static int unpack(struct hp_vmlinux_image *img, int in, const struct hp_bzimage *bz,
		  const struct hp_vmlinux_source *src, const struct hp_build_id *wanted, int cache,
		  const char *name, const char *path, struct hp_error *err)
{
	const struct hp_unpack job = {
		.in = in,
		.offset = bz->offset,
		.length = bz->length,
		.limit = bz->size,
		.what = path,
		.stop = src->stop,
	};
	int place, ret = -ENOSPC;

	for (place = 0; place < HP_CACHE_PLACES; place++) {
		struct hp_cache_file file;

		ret = hp_cache__begin(&file, place, cache, name);
		if (ret)
			continue;
		ret = unpack_to(img, &job, bz->size, &file, err);
		if (!ret)
			ret = load(img, wanted, path, err);
		if (!ret) {
			/* The file stays open whether it gets its name or not. */
			struct hp_cache_file done = file;

			done.fd = img->fd;
			ret = hp_cache__commit(&done);
			if (ret)
				hp_info("%s is not cached: %s", path, strerror(-ret));
			else if (place != HP_CACHE_PLACE_CACHE)
				hp_info("%s is not cached: the cache cannot be written", path);
			return 0;
		}
		hp_cache__abort(&file);
		if (err->reason != HP_E_NONE)
			return ret;
		hp_debug("cannot unpack %s to place %d: %s", path, place, strerror(-ret));
	}
	return hp_fail_errno(err, HP_E_IMAGE_WRITE, ret, "nowhere to unpack %s", path);
}

static void forget_file(struct hp_vmlinux_image *img)
{
	if (img->fd >= 0)
		close(img->fd);
	img->fd = -1;
}

/* Try one file: an ELF file as it is, a boot image by its payload. */
static int try_file(struct hp_vmlinux_image *img, const char *path,
		    const struct hp_vmlinux_source *src, const struct hp_build_id *wanted,
		    int cache, const char *name, struct hp_error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct hp_bzimage bz;
	int ret;

	if (fd < 0)
		return -errno;
	ret = hp_bzimage__probe(&bz, fd, path, err);
	if (!ret) {
		ret = unpack(img, fd, &bz, src, wanted, cache, name, path, err);
	} else if (ret == -ENOEXEC) {
		img->fd = fd;
		fd = -1;
		ret = load(img, wanted, path, err);
	}
	if (ret)
		forget_file(img);
	return ret;
}

/* Files that need no unpacking come first; the package of a distribution has one of them. */
static const char *const places[] = {
	"/boot/vmlinux-%s",
	"/usr/lib/debug/boot/vmlinux-%s",
	"/usr/lib/debug/lib/modules/%s/vmlinux",
	"/usr/lib/debug/usr/lib/modules/%s/vmlinux",
	"/lib/modules/%s/build/vmlinux",
	"/boot/vmlinuz-%s",
	"/lib/modules/%s/vmlinuz",
	"/usr/lib/modules/%s/vmlinuz",
};

static int search(struct hp_vmlinux_image *img, const struct hp_vmlinux_source *src,
		  const struct hp_build_id *wanted, int cache, const char *name,
		  struct hp_error *err)
{
	char release[sizeof(((struct utsname *)NULL)->release)], path[PATH_MAX];
	struct hp_error first = { 0 };
	struct utsname uts;
	int ret = -ENOENT;
	size_t i;

	uname(&uts);
	snprintf(release, sizeof(release), "%s", src->release ? src->release : uts.release);
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct hp_error reason = { 0 };

		snprintf(path, sizeof(path), places[i], release);
		ret = try_file(img, path, src, wanted, cache, name, &reason);
		if (!ret)
			return 0;
		if (ret == -EACCES)
			hp_fail_errno(&reason, HP_E_NO_IMAGE, ret, "cannot read %s", path);
		/* The first that was there says best what is wrong. */
		if (first.reason == HP_E_NONE)
			first = reason;
		if (reason.reason == HP_E_INTERRUPTED)
			break;
	}
	if (first.reason == HP_E_NONE)
		return hp_fail(err, HP_E_NO_IMAGE,
			       "no image of kernel %s: there is no /boot/vmlinuz-%s", release,
			       release);
	if (err->reason == HP_E_NONE)
		*err = first;
	return ret;
}

int hp_vmlinux_image__open(struct hp_vmlinux_image **out, const struct hp_vmlinux_source *src,
			   struct hp_error *err)
{
	static const struct hp_vmlinux_source usual;
	__cleanup(hp_cleanup_hp_vmlinux_image__close) struct hp_vmlinux_image *img = NULL;
	char id[HP_BUILD_ID_TEXT_MAX], name[HP_BUILD_ID_TEXT_MAX + 16];
	struct hp_error unwanted = { 0 };
	_cleanup_close_ int cache = -1;
	struct hp_build_id wanted;
	const char *notes;
	int ret;

	if (!src)
		src = &usual;
	if (!err)
		err = &unwanted;
	notes = src->notes ? src->notes : KERNEL_NOTES;
	ret = hp_build_id__read(&wanted, notes);
	if (ret)
		return hp_fail_errno(err, HP_E_BUILD_ID, ret, "no build-id in %s", notes);
	img = calloc(1, sizeof(*img));
	if (!img)
		return hp_fail(err, HP_E_NOMEM, "no memory for the kernel's image");
	img->fd = -1;

	snprintf(name, sizeof(name), "vmlinux-%s", hp_build_id__format(&wanted, id));
	cache = hp_cache__open(src->cache_dir);
	img->fd = cache < 0 ? -1 : hp_cache__get(cache, name);
	if (img->fd >= 0) {
		struct hp_error broken = { 0 };

		ret = load(img, &wanted, name, &broken);
		if (!ret)
			goto loaded;
		hp_info("the cache is of no use: %s", broken.message);
		forget_file(img);
	}
	if (src->path) {
		ret = try_file(img, src->path, src, &wanted, cache, name, err);
		if (ret)
			return hp_fail_errno(err, HP_E_NO_IMAGE, ret, "cannot read %s", src->path);
	} else {
		ret = search(img, src, &wanted, cache, name, err);
		if (ret)
			return ret;
	}
loaded:
	*out = img;
	img = NULL;
	return 0;
}

void hp_vmlinux_image__close(struct hp_vmlinux_image *img)
{
	if (!img)
		return;
	forget_file(img);
	free(img->sections);
	free(img->names);
	free(img);
}

int hp_vmlinux_image__relocate(struct hp_vmlinux_image *img, const struct hp_kallsyms *ks,
			       struct hp_error *err)
{
	const struct hp_image_section *text = hp_vmlinux_image__find_section(img, ".text");
	struct hp_symbol sym;
	uint64_t slide;

	if (hp_kallsyms__hidden(ks))
		return hp_fail(err, HP_E_KALLSYMS_HIDDEN, "the kernel hides its addresses");
	/* Both are the start of .text in arch/x86/kernel/vmlinux.lds.S. */
	if (hp_kallsyms__find(ks, "vmlinux", "_stext", 0, &sym) &&
	    hp_kallsyms__find(ks, "vmlinux", "_text", 0, &sym))
		return hp_fail(err, HP_E_KALLSYMS, "the kernel's symbols have no _stext");
	slide = sym.address - text->address;
	if (slide % SLIDE_ALIGN)
		return hp_fail(
			err, HP_E_IMAGE_CORRUPT,
			"%s does not fit the running kernel: .text at %#llx, but %s at %#llx",
			img->path, (unsigned long long)text->address, sym.name,
			(unsigned long long)sym.address);
	img->slide = slide;
	return 0;
}

uint64_t hp_vmlinux_image__slide(const struct hp_vmlinux_image *img)
{
	return img->slide;
}

uint64_t hp_vmlinux_image__runtime(const struct hp_vmlinux_image *img, uint64_t link)
{
	return link + img->slide;
}

uint64_t hp_vmlinux_image__link(const struct hp_vmlinux_image *img, uint64_t runtime)
{
	return runtime - img->slide;
}

const char *hp_vmlinux_image__path(const struct hp_vmlinux_image *img)
{
	return img->path;
}

const struct hp_build_id *hp_vmlinux_image__build_id(const struct hp_vmlinux_image *img)
{
	return &img->build_id;
}

size_t hp_vmlinux_image__section_count(const struct hp_vmlinux_image *img)
{
	return img->section_count;
}

const struct hp_image_section *hp_vmlinux_image__section(const struct hp_vmlinux_image *img,
							 size_t i)
{
	return &img->sections[i];
}

const struct hp_image_section *hp_vmlinux_image__find_section(const struct hp_vmlinux_image *img,
							      const char *name)
{
	size_t i;

	for (i = 0; i < img->section_count; i++)
		if (strcmp(img->sections[i].name, name) == 0)
			return &img->sections[i];
	return NULL;
}

int hp_vmlinux_image__read(const struct hp_vmlinux_image *img, uint64_t link, void *buf, size_t len)
{
	size_t i;

	for (i = 0; i < img->section_count; i++) {
		const struct hp_image_section *section = &img->sections[i];
		uint64_t at = link - section->address;

		if (!section->alloc || at >= section->size || len > section->size - at)
			continue;
		if (section->nobits) {
			memset(buf, 0, len);
			return 0;
		}
		return read_all(img->fd, buf, len, section->offset + at);
	}
	return -EFAULT;
}
