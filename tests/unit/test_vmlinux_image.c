// SPDX-License-Identifier: GPL-2.0
/* host/vmlinux_image (with bzimage, unpack, cache, build_id) on images made here. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include "fake_image.h"
#include "host/vmlinux_image.h"

#define TEXT_ADDRESS 0xffffffff81000000ull
#define DATA_ADDRESS 0xffffffff82000000ull
#define TEXT_SIZE    70000
#define BSS_SIZE     8192

static char folder[] = "/tmp/hp-image-XXXXXX";
static char image_path[PATH_MAX], notes_path[PATH_MAX], cache_path[PATH_MAX];
static uint8_t text[TEXT_SIZE], data[20000];

static struct fake_file make_kernel(uint8_t id)
{
	uint8_t note[FAKE_NOTE_SIZE];
	const struct fake_section sections[] = {
		{ ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, TEXT_ADDRESS, text,
		  sizeof(text), 0, 0, 0 },
		{ ".notes", SHT_NOTE, SHF_ALLOC, TEXT_ADDRESS + 0x100000, note, sizeof(note), 0, 0,
		  0 },
		{ ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, DATA_ADDRESS, data, sizeof(data), 0,
		  0, 0 },
		{ ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, DATA_ADDRESS + 0x100000, NULL,
		  BSS_SIZE, 0, 0, 0 },
	};

	fake_note(note, id);
	return fake_elf(ET_EXEC, sections, 4);
}

static void remove_cache(void)
{
	DIR *dir = opendir(cache_path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' || entry->d_name[1] == 'v')
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

static size_t cached_files(void)
{
	DIR *dir = opendir(cache_path);
	const struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static int open_image(struct hp_vmlinux_image **img, struct hp_error *err)
{
	const struct hp_vmlinux_source src = {
		.path = image_path,
		.notes = notes_path,
		.cache_dir = cache_path,
	};

	memset(err, 0, sizeof(*err));
	*img = NULL;
	return hp_vmlinux_image__open(img, &src, err);
}

static void expect_contents(const struct hp_vmlinux_image *img)
{
	const struct hp_image_section *section;
	uint8_t *got = malloc(TEXT_SIZE);

	assert_non_null(got);
	section = hp_vmlinux_image__find_section(img, ".text");
	assert_non_null(section);
	assert_int_equal(section->address, TEXT_ADDRESS);
	assert_int_equal(section->size, TEXT_SIZE);
	assert_true(section->exec);
	assert_true(section->alloc);
	assert_int_equal(hp_vmlinux_image__read(img, TEXT_ADDRESS, got, TEXT_SIZE), 0);
	assert_memory_equal(got, text, TEXT_SIZE);
	assert_int_equal(hp_vmlinux_image__read(img, DATA_ADDRESS + 7, got, 100), 0);
	assert_memory_equal(got, data + 7, 100);
	assert_int_equal(hp_vmlinux_image__read(img, DATA_ADDRESS + sizeof(data) - 1, got, 1), 0);
	memset(got, 1, 16);
	assert_int_equal(hp_vmlinux_image__read(img, DATA_ADDRESS + 0x100000, got, 16), 0);
	assert_int_equal(got[0] | got[15], 0);
	/* over the end, and where nothing is */
	assert_int_equal(hp_vmlinux_image__read(img, TEXT_ADDRESS + TEXT_SIZE - 1, got, 2),
			 -EFAULT);
	assert_int_equal(hp_vmlinux_image__read(img, TEXT_ADDRESS - 1, got, 1), -EFAULT);
	assert_int_equal(hp_vmlinux_image__read(img, UINT64_MAX, got, 2), -EFAULT);
	assert_null(hp_vmlinux_image__find_section(img, ".tex"));
	free(got);
}

static void test_filters(void **state)
{
	static const char *const filters[] = { "gzip", "bzip2", "xz", "lzma", "zstd", "lz4" };
	struct fake_file kernel = make_kernel(0xaa);
	size_t i;

	for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		struct fake_file bz = fake_bzimage(&kernel, filters[i]);
		struct hp_vmlinux_image *img;
		struct hp_error err;

		remove_cache();
		fake_write(image_path, bz.data, bz.len);
		if (open_image(&img, &err))
			fail_msg("%s: %s", filters[i], err.message);
		expect_contents(img);
		assert_string_equal(hp_vmlinux_image__path(img), image_path);
		hp_vmlinux_image__close(img);
		assert_int_equal(cached_files(), 1);
		free(bz.data);
	}
	free(kernel.data);
}

/* The second time the cache answers, and the boot image is not needed. */
static void test_cache(void **state)
{
	struct fake_file kernel = make_kernel(0xaa), bz;
	struct hp_vmlinux_image *img;
	char cached[PATH_MAX + 64];
	struct hp_error err;
	struct stat st;
	int i;

	/* Zeros at the end become a hole, and belong to the file all the same. */
	fake_append(&kernel, NULL, 10000);
	bz = fake_bzimage(&kernel, "xz");
	remove_cache();
	fake_write(image_path, bz.data, bz.len);
	assert_int_equal(open_image(&img, &err), 0);
	hp_vmlinux_image__close(img);
	unlink(image_path);
	assert_int_equal(open_image(&img, &err), 0);
	expect_contents(img);
	hp_vmlinux_image__close(img);

	snprintf(cached, sizeof(cached), "%s/vmlinux-", cache_path);
	for (i = 0; i < 20; i++)
		strcat(cached, "aa");
	assert_int_equal(stat(cached, &st), 0);
	assert_int_equal(st.st_size, kernel.len);

	/* A cached file that others can write is not trusted, nor is a broken one: both are
	 * replaced. */
	assert_int_equal(chmod(cached, 0666), 0);
	assert_int_equal(open_image(&img, &err), -ENOENT);
	assert_int_equal(err.reason, HP_E_NO_IMAGE);
	fake_write(image_path, bz.data, bz.len);
	assert_int_equal(truncate(cached, 100), 0);
	assert_int_equal(chmod(cached, 0644), 0);
	assert_int_equal(open_image(&img, &err), 0);
	expect_contents(img);
	hp_vmlinux_image__close(img);
	assert_int_equal(stat(cached, &st), 0);
	assert_int_equal(st.st_size, kernel.len);
	assert_int_equal(cached_files(), 1);
	free(kernel.data);
	free(bz.data);
}

/* No cache at all: works all the same, from a file without a name. */
static void test_no_cache(void **state)
{
	struct fake_file kernel = make_kernel(0xaa), bz = fake_bzimage(&kernel, "xz");
	const struct hp_vmlinux_source src = {
		.path = image_path,
		.notes = notes_path,
		.cache_dir = "/proc/no/such/folder",
	};
	struct hp_vmlinux_image *img = NULL;
	struct hp_error err = { 0 };

	fake_write(image_path, bz.data, bz.len);
	if (hp_vmlinux_image__open(&img, &src, &err))
		fail_msg("%s", err.message);
	expect_contents(img);
	hp_vmlinux_image__close(img);
	free(kernel.data);
	free(bz.data);
}

static void test_uncompressed(void **state)
{
	struct fake_file kernel = make_kernel(0xaa);
	struct hp_vmlinux_image *img;
	struct hp_error err;

	remove_cache();
	fake_write(image_path, kernel.data, kernel.len);
	assert_int_equal(open_image(&img, &err), 0);
	expect_contents(img);
	hp_vmlinux_image__close(img);
	assert_int_equal(cached_files(), 0);
	free(kernel.data);
}

static void test_build_id(void **state)
{
	struct fake_file kernel = make_kernel(0xbb), bz = fake_bzimage(&kernel, "gzip");
	struct hp_vmlinux_image *img;
	struct hp_error err;

	remove_cache();
	fake_write(image_path, bz.data, bz.len);
	assert_int_equal(open_image(&img, &err), -ESTALE);
	assert_int_equal(err.reason, HP_E_BUILD_ID);
	assert_non_null(strstr(err.message, "bbbbbbbb"));
	assert_non_null(strstr(err.message, "aaaaaaaa"));
	assert_null(img);
	/* What is refused is not kept. */
	assert_int_equal(cached_files(), 0);
	fake_write(image_path, kernel.data, kernel.len);
	assert_int_equal(open_image(&img, &err), -ESTALE);
	free(kernel.data);
	free(bz.data);
}

static void test_truncated(void **state)
{
	struct fake_file kernel = make_kernel(0xaa), bz = fake_bzimage(&kernel, "xz");
	const size_t cuts[] = { 0, 1, 0x24f, 0x250, 1024, 1100, bz.len / 2, bz.len - 520 };
	struct hp_vmlinux_image *img;
	struct hp_error err;
	size_t i;

	remove_cache();
	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		fake_write(image_path, bz.data, cuts[i]);
		assert_int_equal(open_image(&img, &err), -EBADMSG);
		assert_int_equal(err.reason, HP_E_IMAGE_CORRUPT);
		assert_null(img);
	}
	for (i = 0; i < kernel.len - 1; i += 997) {
		fake_write(image_path, kernel.data, i);
		assert_int_equal(open_image(&img, &err), -EBADMSG);
		assert_int_equal(err.reason, HP_E_IMAGE_CORRUPT);
	}
	assert_int_equal(cached_files(), 0);
	free(kernel.data);
	free(bz.data);
}

/* A size trailer that is not true, in both directions, and an old boot protocol. */
static void test_lying_header(void **state)
{
	struct fake_file kernel = make_kernel(0xaa), bz = fake_bzimage(&kernel, "xz");
	const size_t trailer = bz.len - 512 - 4;
	const uint32_t sizes[] = { 0, 100, (uint32_t)kernel.len - 1, (uint32_t)kernel.len + 1,
				   UINT32_MAX };
	struct hp_vmlinux_image *img;
	struct hp_error err;
	size_t i;

	remove_cache();
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memcpy(bz.data + trailer, &sizes[i], sizeof(sizes[i]));
		fake_write(image_path, bz.data, bz.len);
		assert_int_equal(open_image(&img, &err), -EBADMSG);
		assert_int_equal(err.reason, HP_E_IMAGE_CORRUPT);
	}
	bz.data[0x206] = 0x07;
	fake_write(image_path, bz.data, bz.len);
	assert_int_equal(open_image(&img, &err), -EBADMSG);
	assert_non_null(strstr(err.message, "protocol 2.07"));
	free(kernel.data);
	free(bz.data);
}

static void test_stop(void **state)
{
	struct fake_file kernel = make_kernel(0xaa), bz = fake_bzimage(&kernel, "xz");
	volatile sig_atomic_t stop = 1;
	const struct hp_vmlinux_source src = {
		.path = image_path,
		.notes = notes_path,
		.cache_dir = cache_path,
		.stop = &stop,
	};
	struct hp_vmlinux_image *img = NULL;
	struct hp_error err = { 0 };

	remove_cache();
	fake_write(image_path, bz.data, bz.len);
	assert_int_equal(hp_vmlinux_image__open(&img, &src, &err), -EINTR);
	assert_int_equal(err.reason, HP_E_INTERRUPTED);
	assert_int_equal(cached_files(), 0);
	free(kernel.data);
	free(bz.data);
}

static void test_missing(void **state)
{
	struct hp_vmlinux_source src = {
		.release = "0.0.0-none",
		.notes = notes_path,
		.cache_dir = cache_path,
	};
	struct hp_vmlinux_image *img = NULL;
	struct hp_error err = { 0 };

	remove_cache();
	assert_int_equal(hp_vmlinux_image__open(&img, &src, &err), -ENOENT);
	assert_int_equal(err.reason, HP_E_NO_IMAGE);
	assert_non_null(strstr(err.message, "/boot/vmlinuz-0.0.0-none"));
	memset(&err, 0, sizeof(err));
	src.notes = "/nonexistent";
	assert_int_equal(hp_vmlinux_image__open(&img, &src, &err), -ENOENT);
	assert_int_equal(err.reason, HP_E_BUILD_ID);
}

static void relocate_with(struct hp_vmlinux_image *img, const char *symbols, int want,
			  enum hp_reason reason)
{
	char path[PATH_MAX + 16];
	struct hp_kallsyms *ks = NULL;
	struct hp_error err = { 0 };

	snprintf(path, sizeof(path), "%s/kallsyms", folder);
	fake_write(path, symbols, strlen(symbols));
	assert_int_equal(hp_kallsyms__open(&ks, path, NULL), 0);
	assert_int_equal(hp_vmlinux_image__relocate(img, ks, &err), want);
	assert_int_equal(err.reason, reason);
	hp_kallsyms__close(ks);
	unlink(path);
}

static void test_relocate(void **state)
{
	struct fake_file kernel = make_kernel(0xaa);
	struct hp_vmlinux_image *img;
	struct hp_error err;

	fake_write(image_path, kernel.data, kernel.len);
	assert_int_equal(open_image(&img, &err), 0);
	relocate_with(img, "ffffffff9c200000 T _stext\n", 0, HP_E_NONE);
	assert_int_equal(hp_vmlinux_image__slide(img), 0x1b200000);
	assert_int_equal(hp_vmlinux_image__runtime(img, TEXT_ADDRESS + 5), 0xffffffff9c200005);
	assert_int_equal(hp_vmlinux_image__link(img, 0xffffffff9c200005), TEXT_ADDRESS + 5);
	relocate_with(img, "ffffffff81000000 T _text\n", 0, HP_E_NONE);
	assert_int_equal(hp_vmlinux_image__slide(img), 0);
	relocate_with(img, "ffffffff81001000 T _stext\n", -EBADMSG, HP_E_IMAGE_CORRUPT);
	relocate_with(img, "ffffffff81000000 T start\n", -ENOENT, HP_E_KALLSYMS);
	relocate_with(img, "0000000000000000 T _stext\n", -EACCES, HP_E_KALLSYMS_HIDDEN);
	hp_vmlinux_image__close(img);
	free(kernel.data);
}

static uint64_t rng(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/*
 * Mutated files are read or refused with a reason; the sanitizers watch. The generator has a
 * fixed seed, so that a failure can be run again.
 */
static void fuzz(const struct fake_file *good, size_t header, size_t tail, int rounds)
{
	uint64_t seed = 0x9e3779b97f4a7c15ull;
	uint8_t *copy = malloc(good->len), byte;
	size_t opened = 0, refused = 0, j;
	int i;

	assert_non_null(copy);
	for (i = 0; i < rounds; i++) {
		struct hp_vmlinux_image *img;
		struct hp_error err;
		size_t len = good->len;
		int flips = 1 + (int)(rng(&seed) % 8);

		memcpy(copy, good->data, good->len);
		while (flips--) {
			uint64_t where = rng(&seed) % 4;
			size_t at = where == 0	 ? rng(&seed) % good->len
				    : where == 1 ? good->len - 1 - rng(&seed) % tail
						 : rng(&seed) % header;

			copy[at] = (uint8_t)(rng(&seed) % 3 ? rng(&seed) : 0xff);
		}
		if (rng(&seed) % 8 == 0)
			len = rng(&seed) % good->len;
		fake_write(image_path, copy, len);
		remove_cache();
		if (open_image(&img, &err)) {
			assert_null(img);
			assert_int_not_equal(err.reason, HP_E_NONE);
			assert_true(err.message[0]);
			refused++;
			continue;
		}
		for (j = 0; j < hp_vmlinux_image__section_count(img); j++) {
			const struct hp_image_section *s = hp_vmlinux_image__section(img, j);

			if (s->alloc && s->size) {
				hp_vmlinux_image__read(img, s->address, &byte, 1);
				hp_vmlinux_image__read(img, s->address + s->size - 1, &byte, 1);
			}
			assert_true(strlen(s->name) < good->len);
		}
		hp_vmlinux_image__close(img);
		opened++;
	}
	/* Both kinds must come, or the mutations miss what is read. */
	assert_true(opened > 0);
	assert_true(refused > 0);
	free(copy);
}

static void test_fuzz_elf(void **state)
{
	struct fake_file kernel = make_kernel(0xaa);

	fuzz(&kernel, sizeof(Elf64_Ehdr), 6 * sizeof(Elf64_Shdr) + 80, 1500);
	free(kernel.data);
}

static void test_fuzz_bzimage(void **state)
{
	struct fake_file kernel = make_kernel(0xaa), bz = fake_bzimage(&kernel, "xz");

	fuzz(&bz, 0x300, 560, 1000);
	free(bz.data);
	bz = fake_bzimage(&kernel, "gzip");
	fuzz(&bz, 0x300, 560, 500);
	free(kernel.data);
	free(bz.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters),	     cmocka_unit_test(test_cache),
		cmocka_unit_test(test_no_cache),     cmocka_unit_test(test_uncompressed),
		cmocka_unit_test(test_build_id),     cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_lying_header), cmocka_unit_test(test_stop),
		cmocka_unit_test(test_missing),	     cmocka_unit_test(test_relocate),
		cmocka_unit_test(test_fuzz_elf),     cmocka_unit_test(test_fuzz_bzimage),
	};
	uint8_t note[FAKE_NOTE_SIZE];
	size_t i;
	int ret;

	if (!mkdtemp(folder))
		return 1;
	snprintf(image_path, sizeof(image_path), "%s/vmlinuz", folder);
	snprintf(notes_path, sizeof(notes_path), "%s/notes", folder);
	snprintf(cache_path, sizeof(cache_path), "%s/cache", folder);
	/* Half noise, so that it does not compress to nothing, half zeros, which become holes. */
	for (i = 0; i < sizeof(text) / 2; i++)
		text[i] = (uint8_t)(i * i >> 3 ^ i * 2654435761u >> 13);
	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i / 4096 % 2 ? i : 0);
	fake_note(note, 0xaa);
	fake_write(notes_path, note, sizeof(note));
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	remove_cache();
	rmdir(cache_path);
	unlink(notes_path);
	unlink(image_path);
	rmdir(folder);
	return ret;
}
