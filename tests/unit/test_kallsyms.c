// SPDX-License-Identifier: GPL-2.0
/* host/kallsyms on synthetic tables, and on the running kernel's when it can be read. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/kallsyms.h"

static char table_path[] = "/tmp/hp-kallsyms-XXXXXX";

static void write_table(const char *text, size_t len)
{
	FILE *f = fopen(table_path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static struct hp_kallsyms *open_text(const char *text)
{
	struct hp_kallsyms *ks = NULL;
	struct hp_error err = { 0 };

	write_table(text, strlen(text));
	if (hp_kallsyms__open(&ks, table_path, &err))
		fail_msg("%s", err.message);
	return ks;
}

static const char small[] = "0000000000000000 A fixed_percpu_data\n"
			    "0000000000001000 A cpu_debug_store\n"
			    "ffffffff81000000 T _text\n"
			    "ffffffff81000000 T _stext\n"
			    "ffffffff81000040 t show\n"
			    "ffffffff81000080 T only\n"
			    "ffffffff810000c0 t show\n"
			    "ffffffff81000100 d show\n"
			    "ffffffff81000140 W weak_one\n"
			    "ffffffff81000180 T _etext\n"
			    "ffffffff82000000 D data\n"
			    "ffffffffc0002000 t show\t[b_mod]\n"
			    "ffffffffc0001000 t early\t[b_mod]\n"
			    "ffffffffc0003000 d b_data\t[b_mod]\n"
			    "ffffffffc0000000 t only\t[a_mod]\n"
			    "ffffffffc0000800 t ftrace_trampoline\t[__builtin__ftrace]\n"
			    "ffffffffc0009000 t bpf_prog_6deef7357e7b4530\t[bpf]\n";

static void test_find_unique(void **state)
{
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *ks = open_text(small);
	struct hp_symbol sym;

	assert_false(hp_kallsyms__hidden(ks));
	assert_int_equal(hp_kallsyms__find(ks, "vmlinux", "only", 0, &sym), 0);
	assert_int_equal(sym.address, 0xffffffff81000080);
	assert_int_equal(sym.size, 0x40);
	assert_int_equal(sym.type, 'T');
	assert_string_equal(sym.name, "only");
	assert_string_equal(sym.object, "vmlinux");
	assert_int_equal(hp_kallsyms__find(ks, "a_mod", "only", 0, &sym), 0);
	assert_int_equal(sym.address, 0xffffffffc0000000);
	assert_string_equal(sym.object, "a_mod");
	/* What follows it belongs to somebody else, so its end is not known. */
	assert_int_equal(sym.size, 0);
	assert_int_equal(hp_kallsyms__find(ks, NULL, "only", 0, &sym), -ENOTUNIQ);
	assert_int_equal(hp_kallsyms__find(ks, "vmlinux", "onl", 0, &sym), -ENOENT);
	assert_int_equal(hp_kallsyms__find(ks, "c_mod", "only", 0, &sym), -ENOENT);
	assert_int_equal(hp_kallsyms__find(ks, "bpf", "bpf_prog_6deef7357e7b4530", 0, &sym), 0);
	assert_int_equal(hp_kallsyms__count(ks, "__builtin__ftrace", "ftrace_trampoline"), 1);
}

/* Livepatch counts every symbol of that name, of whatever type, in the order of the table. */
static void test_sympos(void **state)
{
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *ks = open_text(small);
	static const uint64_t want[] = { 0xffffffff81000040, 0xffffffff810000c0,
					 0xffffffff81000100 };
	struct hp_symbol sym;
	size_t i;

	assert_int_equal(hp_kallsyms__count(ks, "vmlinux", "show"), 3);
	assert_int_equal(hp_kallsyms__count(ks, "b_mod", "show"), 1);
	assert_int_equal(hp_kallsyms__count(ks, NULL, "show"), 4);
	assert_int_equal(hp_kallsyms__count(ks, NULL, "sho"), 0);
	assert_int_equal(hp_kallsyms__find(ks, "vmlinux", "show", 0, &sym), -ENOTUNIQ);
	for (i = 0; i < 3; i++) {
		assert_int_equal(hp_kallsyms__find(ks, "vmlinux", "show", i + 1, &sym), 0);
		assert_int_equal(sym.address, want[i]);
	}
	assert_int_equal(hp_kallsyms__find(ks, "vmlinux", "show", 4, &sym), -ENOENT);
	assert_int_equal(hp_kallsyms__find(ks, "b_mod", "show", 1, &sym), 0);
	assert_int_equal(hp_kallsyms__find(ks, "b_mod", "show", 2, &sym), -ENOENT);
}

/* A module's block is in the order of its ELF file, which need not be the order of addresses. */
static void test_module_order(void **state)
{
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *ks =
		open_text("ffffffff81000000 T _text\n"
			  "ffffffffc0002000 t twin\t[m]\n"
			  "ffffffffc0001000 t twin\t[m]\n");
	struct hp_symbol sym;

	assert_int_equal(hp_kallsyms__find(ks, "m", "twin", 1, &sym), 0);
	assert_int_equal(sym.address, 0xffffffffc0002000);
	assert_int_equal(hp_kallsyms__find(ks, "m", "twin", 2, &sym), 0);
	assert_int_equal(sym.address, 0xffffffffc0001000);
	assert_int_equal(sym.size, 0x1000);
}

static void expect_lookup(const struct hp_kallsyms *ks, uint64_t address, const char *name,
			  uint64_t offset)
{
	struct hp_symbol sym;
	uint64_t got;

	assert_int_equal(hp_kallsyms__lookup(ks, address, &sym, &got), 0);
	assert_string_equal(sym.name, name);
	assert_int_equal(got, offset);
}

static void test_lookup(void **state)
{
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *ks = open_text(small);
	struct hp_symbol sym;
	uint64_t offset;

	expect_lookup(ks, 0xffffffff81000000, "_text", 0);
	expect_lookup(ks, 0xffffffff8100003f, "_text", 0x3f);
	expect_lookup(ks, 0xffffffff81000040, "show", 0);
	expect_lookup(ks, 0xffffffff8100017f, "weak_one", 0x3f);
	expect_lookup(ks, 0xffffffffc0000010, "only", 0x10);
	expect_lookup(ks, 0xffffffffc0001fff, "early", 0xfff);
	expect_lookup(ks, 0xffffffffc0002001, "show", 1);
	expect_lookup(ks, 0xffffffffc0009001, "bpf_prog_6deef7357e7b4530", 1);
	/* Data, per-CPU offsets, and addresses outside of everything are no text. */
	assert_int_equal(hp_kallsyms__lookup(ks, 0xffffffff81000110, &sym, &offset), -ENOENT);
	assert_int_equal(hp_kallsyms__lookup(ks, 0xffffffff82000000, &sym, &offset), -ENOENT);
	assert_int_equal(hp_kallsyms__lookup(ks, 0x10, &sym, &offset), -ENOENT);
	assert_int_equal(hp_kallsyms__lookup(ks, 0x7f0000000000, &sym, &offset), -ENOENT);
	assert_int_equal(hp_kallsyms__lookup(ks, UINT64_MAX, &sym, &offset), -ENOENT);
}

static void test_hidden(void **state)
{
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *ks =
		open_text("0000000000000000 A fixed_percpu_data\n"
			  "0000000000000000 T _text\n"
			  "0000000000000000 t x\t[m]\n");
	struct hp_symbol sym;
	uint64_t offset;

	assert_true(hp_kallsyms__hidden(ks));
	assert_int_equal(hp_kallsyms__find(ks, "vmlinux", "_text", 0, &sym), 0);
	assert_int_equal(sym.address, 0);
	assert_int_equal(sym.size, 0);
	assert_int_equal(hp_kallsyms__lookup(ks, 0, &sym, &offset), -ENOENT);
}

static void test_malformed(void **state)
{
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *ks =
		open_text("\n"
			  "zzzz T bad_address\n"
			  "ffffffff81000000\n"
			  "ffffffff81000000 T\n"
			  "ffffffff81000000 T \n"
			  "ffffffff81000000 TT two_types\n"
			  "1ffffffff81000000 T seventeen_digits\n"
			  "ffffffff81000000 T not_closed\t[mod\n"
			  "ffffffff81000000 T empty_object\t[]\n"
			  "ffffffff81000000 T behind\t[mod] x\n"
			  "ffffffff81000000 T three words\n"
			  "ffffffff81000010 T good\n"
			  "ffffffff81000020 T no_newline");
	struct hp_symbol sym;

	assert_int_equal(hp_kallsyms__count(ks, NULL, "good"), 1);
	assert_int_equal(hp_kallsyms__count(ks, NULL, "bad_address"), 0);
	assert_int_equal(hp_kallsyms__count(ks, NULL, "two_types"), 0);
	assert_int_equal(hp_kallsyms__count(ks, NULL, "seventeen_digits"), 0);
	assert_int_equal(hp_kallsyms__count(ks, NULL, "not_closed"), 0);
	assert_int_equal(hp_kallsyms__count(ks, NULL, "empty_object"), 0);
	assert_int_equal(hp_kallsyms__count(ks, NULL, "behind"), 0);
	assert_int_equal(hp_kallsyms__count(ks, NULL, "three"), 0);
	assert_int_equal(hp_kallsyms__find(ks, "vmlinux", "no_newline", 0, &sym), 0);
	assert_int_equal(sym.address, 0xffffffff81000020);
}

/* ftrace prints a module's freed init functions again, behind all modules. */
static void test_second_block(void **state)
{
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *ks =
		open_text("ffffffff81000000 T _text\n"
			  "ffffffffc0001000 t f\t[a]\n"
			  "ffffffffc0002000 t f\t[b]\n"
			  "ffffffffc0008000 t f\t[a]\n"
			  "ffffffffc0009000 t g\t[bpf]\n");
	struct hp_symbol sym;

	assert_int_equal(hp_kallsyms__find(ks, "a", "f", 0, &sym), 0);
	assert_int_equal(sym.address, 0xffffffffc0001000);
	assert_int_equal(hp_kallsyms__count(ks, NULL, "f"), 2);
	assert_int_equal(hp_kallsyms__count(ks, "bpf", "g"), 1);
}

/* Many more lines than one buffer holds, a name longer than a buffer among them. */
static void test_large(void **state)
{
	enum {
		LINES = 50000,
		HUGE_NAME = 300000
	};
	_cleanup_free_ char *text = malloc(LINES * 48 + HUGE_NAME + 64);
	struct hp_kallsyms *ks = NULL;
	struct hp_symbol sym;
	size_t len = 0, i;
	uint64_t offset;
	char name[32];

	assert_non_null(text);
	for (i = 0; i < LINES; i++) {
		if (i == LINES / 2) {
			len += (size_t)sprintf(text + len, "ffffffff81000001 T ");
			memset(text + len, 'n', HUGE_NAME);
			len += HUGE_NAME;
			text[len++] = '\n';
		}
		len += (size_t)sprintf(text + len, "%016llx t symbol_%zu\n",
				       0xffffffff81000000ull + i * 16, i);
	}
	write_table(text, len);
	assert_int_equal(hp_kallsyms__open(&ks, table_path, NULL), 0);
	for (i = 0; i < LINES; i++) {
		uint64_t address = 0xffffffff81000000ull + i * 16;

		snprintf(name, sizeof(name), "symbol_%zu", i);
		assert_int_equal(hp_kallsyms__find(ks, "vmlinux", name, 0, &sym), 0);
		assert_int_equal(sym.address, address);
		assert_int_equal(hp_kallsyms__lookup(ks, address + 5, &sym, &offset), 0);
		assert_string_equal(sym.name, name);
		assert_int_equal(offset, 5);
	}
	hp_kallsyms__close(ks);
}

static void test_errors(void **state)
{
	struct hp_error err = { 0 };
	struct hp_kallsyms *ks = NULL;

	assert_int_equal(hp_kallsyms__open(&ks, "/nonexistent/kallsyms", &err), -ENOENT);
	assert_int_equal(err.reason, HP_E_KALLSYMS);
	assert_non_null(strstr(err.message, "/nonexistent/kallsyms"));
	memset(&err, 0, sizeof(err));
	write_table("", 0);
	assert_true(hp_kallsyms__open(&ks, table_path, &err) < 0);
	assert_int_equal(err.reason, HP_E_KALLSYMS);
	memset(&err, 0, sizeof(err));
	assert_true(hp_kallsyms__open(&ks, "/tmp", &err) < 0);
	assert_null(ks);
}

/* Every line of the real file, read the slow and simple way, must be found again. */
static void test_running_kernel(void **state)
{
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *ks = NULL;
	_cleanup_file_ FILE *f = fopen("/proc/kallsyms", "r");
	unsigned long long address;
	size_t lines = 0, missing = 0;
	char line[1024], name[513];
	struct hp_symbol sym;
	char type;

	if (!f) {
		print_message("skipped: /proc/kallsyms cannot be read\n");
		skip();
	}
	assert_int_equal(hp_kallsyms__open(&ks, NULL, NULL), 0);
	while (fgets(line, sizeof(line), f)) {
		if (strchr(line, '[')) /* modules and BPF programs may have come meanwhile */
			continue;
		assert_int_equal(sscanf(line, "%llx %c %512s", &address, &type, name), 3);
		lines++;
		missing += hp_kallsyms__count(ks, "vmlinux", name) == 0;
		if (hp_kallsyms__count(ks, "vmlinux", name) == 1) {
			assert_int_equal(hp_kallsyms__find(ks, "vmlinux", name, 0, &sym), 0);
			assert_int_equal(sym.address, address);
			assert_int_equal(sym.type, type);
		}
	}
	assert_true(lines > 1000);
	assert_int_equal(missing, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_unique),  cmocka_unit_test(test_sympos),
		cmocka_unit_test(test_module_order), cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_hidden),	     cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_second_block), cmocka_unit_test(test_large),
		cmocka_unit_test(test_errors),	     cmocka_unit_test(test_running_kernel),
	};
	int fd = mkstemp(table_path), ret;

	if (fd < 0)
		return 1;
	close(fd);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(table_path);
	return ret;
}
