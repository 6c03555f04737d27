// SPDX-License-Identifier: GPL-2.0
/*
 * observe/callsites on the running kernel, against objdump: in slices of the text chosen at random,
 * the branches to a thousand functions chosen at random must be the same that objdump's linear
 * disassembly shows; the same for what loaded modules import, by the relocations that objdump
 * prints. Where the kernel's symbols or its image cannot be read it is skipped, unless
 * HOTPROOF_TEST_KERNEL is set: in the guest they must be there.
 */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "host/module_files.h"
#include "observe/callsites.h"

#define TARGETS	   1000
#define SLICES	   4
#define SLICE_SIZE (256 * 1024)

static struct hp_kallsyms *ks;
static struct hp_vmlinux_image *img;
static char cache_dir[] = "/tmp/hp-callsites-kernel-XXXXXX";
static char elf_path[PATH_MAX];
static uint64_t *functions; /* runtime addresses of vmlinux's functions, ascending, unique */
static size_t function_count;
static unsigned int seed;

struct branch {
	uint64_t address, target;
};

struct branches {
	struct branch *list;
	size_t count, cap;
};

static void add_branch(struct branches *b, uint64_t address, uint64_t target)
{
	if (b->count == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 64;
		b->list = realloc(b->list, b->cap * sizeof(*b->list));
		assert_non_null(b->list);
	}
	b->list[b->count++] = (struct branch){ address, target };
}

static int compare_branch(const void *a, const void *b)
{
	const struct branch *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->target < y->target ? -1 : x->target > y->target;
}

static void expect_equal(struct branches *got, struct branches *want)
{
	size_t i, j;

	qsort(got->list, got->count, sizeof(*got->list), compare_branch);
	qsort(want->list, want->count, sizeof(*want->list), compare_branch);
	for (i = 0, j = 0; i < got->count || j < want->count;) {
		int order = i == got->count    ? 1
			    : j == want->count ? -1
					       : compare_branch(&got->list[i], &want->list[j]);

		if (order)
			fail_msg("seed %u: %s %#llx -> %#llx", seed,
				 order < 0 ? "objdump does not know" : "not found",
				 (unsigned long long)(order < 0 ? got : want)
					 ->list[order < 0 ? i : j]
					 .address,
				 (unsigned long long)(order < 0 ? got : want)
					 ->list[order < 0 ? i : j]
					 .target);
		i++;
		j++;
	}
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void read_functions(void)
{
	const struct hp_image_section *text = hp_vmlinux_image__find_section(img, ".text");
	uint64_t begin = hp_vmlinux_image__runtime(img, text->address);
	FILE *f = fopen("/proc/kallsyms", "r");
	unsigned long long address;
	size_t i, n = 0;
	char line[1024], type;

	functions = calloc(400000, sizeof(*functions));
	assert_non_null(functions);
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && n < 400000)
		if (sscanf(line, "%llx %c", &address, &type) == 2 && strchr("tT", type) &&
		    address - begin < text->size)
			functions[n++] = address;
	fclose(f);
	qsort(functions, n, sizeof(*functions), compare_u64);
	for (i = 0; i < n; i++)
		if (!i || functions[i] != functions[function_count - 1])
			functions[function_count++] = functions[i];
	assert_true(function_count > 10000);
}

static size_t random_below(size_t n)
{
	return (((size_t)rand_r(&seed) << 15) ^ (size_t)rand_r(&seed)) % n;
}

/* "  ffffffff81000000:\tcall   0xffffffff81000123 <f>": address and target of a direct branch. */
static bool parse_branch(const char *line, uint64_t *address, uint64_t *target)
{
	static const char *const prefixes[] = { "bnd ", "notrack ", "cs ",
						"ds ",	"data16 ",  "rex.W " };
	const char *p;
	char *end;
	size_t i;

	*address = strtoull(line, &end, 16);
	if (end == line || *end != ':')
		return false;
	for (p = end + 1; isspace((unsigned char)*p); p++)
		;
	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(p, prefixes[i], strlen(prefixes[i])) == 0) {
			p += strlen(prefixes[i]);
			i = (size_t)-1;
		}
	if (strncmp(p, "call", 4) != 0 && *p != 'j' && strncmp(p, "loop", 4) != 0 &&
	    strncmp(p, "xbegin", 6) != 0)
		return false;
	p += strcspn(p, " \t\n");
	p += strspn(p, " \t");
	if (!isxdigit((unsigned char)*p))
		return false;
	*target = strtoull(p, &end, 16);
	return end != p && (*end == '\n' || *end == ' ' || *end == '\0');
}

static void disassemble(uint64_t from, uint64_t to, const uint64_t *targets, size_t n,
			struct branches *want)
{
	char command[PATH_MAX + 256], line[1024];
	uint64_t address, target;
	size_t lines = 0;
	FILE *p;

	snprintf(command, sizeof(command),
		 "objdump -d -w --no-show-raw-insn --start-address=%#llx --stop-address=%#llx '%s'",
		 (unsigned long long)from, (unsigned long long)to, elf_path);
	p = popen(command, "r");
	assert_non_null(p);
	while (fgets(line, sizeof(line), p)) {
		lines++;
		if (!parse_branch(line, &address, &target))
			continue;
		target = hp_vmlinux_image__runtime(img, target);
		if (bsearch(&target, targets, n, sizeof(*targets), compare_u64))
			add_branch(want, hp_vmlinux_image__runtime(img, address), target);
	}
	assert_int_equal(pclose(p), 0);
	assert_true(lines > 1000);
}

static void test_vmlinux(void **state)
{
	struct hp_target *targets = calloc(TARGETS, sizeof(*targets));
	uint64_t *addresses = calloc(TARGETS, sizeof(*addresses)), begin;
	struct hp_callsites *cs = NULL;
	struct hp_callsites_source source = { .img = img, .ks = ks, .proc_modules = "/dev/null" };
	struct hp_error err = { 0 };
	size_t i, j, k, unconfirmed = 0, total = 0;

	assert_non_null(targets);
	assert_non_null(addresses);
	for (i = 0; i < TARGETS; i++) {
		snprintf(targets[i].object, sizeof(targets[i].object), "vmlinux");
		/* each from a part of the table of its own, so that none comes twice */
		targets[i].old_addr = functions[function_count / TARGETS * i +
						random_below(function_count / TARGETS)];
		addresses[i] = targets[i].old_addr;
	}
	qsort(addresses, TARGETS, sizeof(*addresses), compare_u64);
	begin = hp_now_ns();
	if (hp_callsites__search(&cs, &source, targets, TARGETS, &err))
		fail_msg("%s", err.message);
	print_message("%d targets searched in %.3f s\n", TARGETS,
		      (double)(hp_now_ns() - begin) / 1e9);

	for (k = 0; k < SLICES; k++) {
		struct branches got = { 0 }, want = { 0 };
		size_t first = random_below(function_count - 1), last = first + 1;

		/* Both ends at functions: objdump would not know what half an instruction is. */
		while (last < function_count - 1 && functions[last] - functions[first] < SLICE_SIZE)
			last++;
		disassemble(hp_vmlinux_image__link(img, functions[first]),
			    hp_vmlinux_image__link(img, functions[last]), addresses, TARGETS,
			    &want);
		for (i = 0; i < TARGETS; i++)
			for (j = 0; j < hp_callsites__target(cs, i)->count; j++) {
				const struct hp_site *site = &hp_callsites__target(cs, i)->sites[j];

				unconfirmed += !site->confirmed;
				if (site->address >= functions[first] &&
				    site->address < functions[last])
					add_branch(&got, site->address, targets[i].old_addr);
			}
		expect_equal(&got, &want);
		total += want.count;
		free(got.list);
		free(want.list);
	}
	print_message("%zu branches in %d slices are the same\n", total, SLICES);
	assert_true(total > 20);
	assert_int_equal(unconfirmed, 0);
	hp_callsites__close(cs);
	free(addresses);
	free(targets);
}

/* Exported functions that many modules call. */
static const char *const imports[] = {
	"kfree", "_printk",   "mutex_unlock",	 "iput",
	"dput",	 "__kmalloc", "kmem_cache_free", "__stack_chk_fail"
};

#define IMPORTS (sizeof(imports) / sizeof(imports[0]))

/* Branches to each of them in @file by objdump: instructions with a relocation behind them (-w). */
static void count_in_module(const char *file, size_t count[IMPORTS])
{
	static const char heading[] = "Disassembly of section ";
	char command[PATH_MAX + 128], line[1024], symbol[512];
	bool kept = false; /* the section stays in memory when the module is initialised */
	size_t i;
	FILE *p;

	memset(count, 0, IMPORTS * sizeof(*count));
	snprintf(command, sizeof(command), "objdump -drw --no-show-raw-insn '%s'", file);
	p = popen(command, "r");
	assert_non_null(p);
	while (fgets(line, sizeof(line), p)) {
		const char *reloc = strstr(line, "R_X86_64_P"); /* PC32, PLT32 */

		if (strncmp(line, heading, strlen(heading)) == 0)
			kept = strncmp(line + strlen(heading), ".init", 5) != 0;
		if (!kept || !reloc || sscanf(reloc, "%*s %511s", symbol) != 1)
			continue;
		if (!strstr(line, "\tcall") && !strstr(line, "\tj"))
			continue;
		for (i = 0; i < IMPORTS; i++) {
			size_t len = strlen(imports[i]);

			if (strncmp(symbol, imports[i], len) == 0 &&
			    strcmp(symbol + len, "-0x4") == 0)
				count[i]++;
		}
	}
	assert_int_equal(pclose(p), 0);
}

static size_t sites_in(const struct hp_target_sites *sites, const char *module)
{
	size_t i, n = 0;

	for (i = 0; i < sites->blind_count; i++)
		assert_string_not_equal(sites->blind[i], module);
	for (i = 0; i < sites->count; i++) {
		const struct hp_symbol *function = &sites->sites[i].function;

		n += function->name && strcmp(function->object, module) == 0;
	}
	return n;
}

static void test_modules(void **state)
{
	struct hp_target targets[IMPORTS] = { 0 };
	struct hp_module_files *files = NULL;
	const struct hp_callsites_source source = { .img = img, .ks = ks };
	struct hp_callsites *cs = NULL;
	size_t i, modules = 0, total = 0, want[IMPORTS];
	char line[1024], module[64], file[PATH_MAX];
	struct hp_error err = { 0 };
	struct hp_symbol sym;
	FILE *f;

	assert_int_equal(hp_module_files__open(&files, NULL), 0);
	for (i = 0; i < IMPORTS; i++) {
		assert_int_equal(hp_kallsyms__find(ks, "vmlinux", imports[i], 0, &sym), 0);
		snprintf(targets[i].object, sizeof(targets[i].object), "vmlinux");
		snprintf(targets[i].symbol, sizeof(targets[i].symbol), "%s", imports[i]);
		targets[i].old_addr = sym.address;
	}
	if (hp_callsites__search(&cs, &source, targets, IMPORTS, &err))
		fail_msg("%s", err.message);
	f = fopen("/proc/modules", "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		assert_int_equal(sscanf(line, "%63s", module), 1);
		/* a fixture that was loaded by its path */
		if (hp_module_files__find(files, module, file, sizeof(file)))
			continue;
		modules++;
		count_in_module(file, want);
		for (i = 0; i < IMPORTS; i++) {
			size_t got = sites_in(hp_callsites__target(cs, i), module);

			if (got != want[i])
				fail_msg("%s in %s: %zu sites, objdump has %zu", imports[i], module,
					 got, want[i]);
			total += got;
		}
	}
	fclose(f);
	print_message("%zu sites in %zu modules are the same\n", total, modules);
	hp_callsites__close(cs);
	hp_module_files__close(files);
	assert_true(total > 20);
}

static int refuse(const char *why)
{
	bool must = getenv("HOTPROOF_TEST_KERNEL");

	printf(must ? "1..1\nnot ok 1 - %s\n" : "1..0 # SKIP %s\n", why);
	return must;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vmlinux),
		cmocka_unit_test(test_modules),
	};
	const struct hp_vmlinux_source src = { .cache_dir = cache_dir };
	const char *wish = getenv("HOTPROOF_TEST_SEED");
	char id[HP_BUILD_ID_TEXT_MAX];
	struct hp_error err = { 0 };
	int ret;

	if (hp_kallsyms__open(&ks, NULL, &err) || hp_kallsyms__hidden(ks))
		return refuse("the kernel's symbols cannot be read");
	if (!mkdtemp(cache_dir))
		return 1;
	if (hp_vmlinux_image__open(&img, &src, &err) || hp_vmlinux_image__relocate(img, ks, &err)) {
		rmdir(cache_dir);
		return refuse(err.message);
	}
	snprintf(elf_path, sizeof(elf_path), "%s/vmlinux-%s", cache_dir,
		 hp_build_id__format(hp_vmlinux_image__build_id(img), id));
	if (access(elf_path, R_OK)) /* an image that needed no unpacking is not cached */
		snprintf(elf_path, sizeof(elf_path), "%s", hp_vmlinux_image__path(img));
	seed = wish ? (unsigned int)strtoul(wish, NULL, 0) : (unsigned int)time(NULL);
	fprintf(stderr, "HOTPROOF_TEST_SEED=%u\n", seed);
	read_functions();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	if (strncmp(elf_path, cache_dir, strlen(cache_dir)) == 0)
		unlink(elf_path);
	rmdir(cache_dir);
	hp_vmlinux_image__close(img);
	hp_kallsyms__close(ks);
	free(functions);
	return ret;
}
