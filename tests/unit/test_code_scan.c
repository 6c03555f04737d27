// SPDX-License-Identifier: GPL-2.0
/* observe/code_scan: what the whole search for call sites does not reach. */
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

#include "observe/code_scan.h"

#define TEXT	  0xffffffff81000000ull
#define TEXT_SIZE (600 * 1024)
#define CHUNK	  (256 * 1024) /* as in code_scan.c */

static uint8_t *text;
static struct hp_bytes bytes;
static struct hp_kallsyms *ks;

static const struct hp_code code = {
	.address = TEXT,
	.size = TEXT_SIZE,
	.read = hp_bytes__read,
	.ctx = &bytes,
};

static int keep_first(void *arg, const struct hp_reference *ref)
{
	struct hp_reference *out = arg;

	assert_null(out->function.name);
	*out = *ref;
	return 0;
}

/* A branch is found wherever in a chunk it lies, also across the end of one, exactly once. */
static void test_chunk_ends(void **state)
{
	const uint64_t target = TEXT + 0x20;
	struct hp_address_set set;
	uint32_t rel;
	size_t i;

	assert_int_equal(hp_address_set__init(&set, &target, 1), 0);
	for (i = 0; i < 64; i++) {
		/* 16 bytes around the ends of the first two chunks, which overlap by 8 */
		size_t offset = (i < 32 ? CHUNK : 2 * CHUNK - 8) - 24 + i % 32;
		struct hp_reference ref = { 0 };

		memset(text, 0x90, TEXT_SIZE);
		text[offset] = 0xe8;
		rel = (uint32_t)(target - (TEXT + offset + 5));
		memcpy(text + offset + 1, &rel, sizeof(rel));
		assert_int_equal(hp_code__scan(&code, &set, ks, keep_first, &ref), 0);
		assert_non_null(ref.function.name);
		assert_int_equal(ref.address, TEXT + offset);
		assert_int_equal(ref.next, TEXT + offset + 5);
		assert_true(ref.confirmed);
	}
	hp_address_set__free(&set);
}

static int stop_at_once(void *arg, const struct hp_reference *ref)
{
	++*(int *)arg;
	return -ECANCELED;
}

static void test_callback_stops(void **state)
{
	const uint64_t target = TEXT + 5;
	struct hp_address_set set;
	int calls = 0;

	assert_int_equal(hp_address_set__init(&set, &target, 1), 0);
	memset(text, 0x90, TEXT_SIZE);
	memcpy(text, "\xe8\0\0\0\0\xeb\xfe", 7); /* call +0; jmp to itself */
	assert_int_equal(hp_code__scan(&code, &set, ks, stop_at_once, &calls), -ECANCELED);
	assert_int_equal(calls, 1);
	hp_address_set__free(&set);
}

static int count_pointer(void *arg, size_t target, uint64_t address)
{
	uint64_t *seen = arg;

	seen[target] = address;
	return 0;
}

static void test_pointers(void **state)
{
	const uint64_t targets[] = { TEXT + 0x20, TEXT + 0x10 };
	uint64_t words[] = { 0, TEXT + 0x10, TEXT + 0x11, TEXT + 0x20, 0 }, seen[2] = { 0 };
	const struct hp_bytes memory = {
		.bytes = (const uint8_t *)words,
		.address = 0x1004,
		.size = sizeof(words),
	};
	struct hp_code data = {
		.address = 0x1004,
		.size = sizeof(words),
		.read = hp_bytes__read,
		.ctx = &memory,
	};
	struct hp_address_set set;

	assert_int_equal(hp_address_set__init(&set, targets, 2), 0);
	/* Alignment is that of the address, not of the begin of the section. */
	assert_int_equal(hp_data__scan(&data, &set, count_pointer, seen), 0);
	assert_int_equal(seen[0] | seen[1], 0);
	memmove((uint8_t *)words + 4, words, sizeof(words) - 4);
	assert_int_equal(hp_data__scan(&data, &set, count_pointer, seen), 0);
	/* The set is sorted: index 0 is the lower address. */
	assert_int_equal(seen[0], 0x1010);
	assert_int_equal(seen[1], 0x1020);
	data.size = 4; /* less than a pointer */
	assert_int_equal(hp_data__scan(&data, &set, count_pointer, seen), 0);
	hp_address_set__free(&set);
}

/* The filter lets every member of a set pass, however far they lie apart. */
static void test_address_set(void **state)
{
	uint64_t many[2000], wide[] = { 1, UINT64_MAX, 0x100000000ull, 1 };
	struct hp_address_set set;
	size_t i;

	for (i = 0; i < 2000; i++)
		many[i] = TEXT + (i * 7919 % 2000) * 16;
	assert_int_equal(hp_address_set__init(&set, many, 2000), 0);
	assert_int_equal(set.count, 2000);
	for (i = 0; i < 2000; i++) {
		assert_int_equal(hp_address_set__find(&set, TEXT + i * 16), i);
		assert_int_equal(hp_address_set__find(&set, TEXT + i * 16 + 1), -1);
	}
	assert_int_equal(hp_address_set__find(&set, TEXT - 16), -1);
	assert_int_equal(hp_address_set__find(&set, TEXT + 2000 * 16), -1);
	assert_int_equal(hp_address_set__find(&set, 0x181000000ull), -1);
	hp_address_set__free(&set);

	assert_int_equal(hp_address_set__init(&set, wide, 4), 0);
	assert_int_equal(set.count, 3);
	assert_int_equal(hp_address_set__find(&set, 1), 0);
	assert_int_equal(hp_address_set__find(&set, 0x100000000ull), 1);
	assert_int_equal(hp_address_set__find(&set, UINT64_MAX), 2);
	hp_address_set__free(&set);

	assert_int_equal(hp_address_set__init(&set, NULL, 0), 0);
	assert_int_equal(hp_address_set__find(&set, 0), -1);
	hp_address_set__free(&set);
}

static void test_ending_at(void **state)
{
	struct hp_insn insn;

	memset(text, 0x90, TEXT_SIZE);
	memcpy(text + 0x10, "\xe8\x0b\0\0\0", 5);
	assert_int_equal(hp_code__ending_at(&code, ks, TEXT + 0x15, &insn), 0);
	assert_int_equal(insn.branch, HP_BRANCH_CALL);
	assert_int_equal(insn.target, TEXT + 0x20);
	assert_int_equal(hp_code__ending_at(&code, ks, TEXT + 0x14, &insn), -ENOENT);
	assert_int_equal(hp_code__ending_at(&code, ks, TEXT + 0x10, &insn), 0);
	assert_int_equal(insn.branch, HP_BRANCH_NONE);
	assert_int_equal(hp_code__ending_at(&code, ks, TEXT, &insn), -ENOENT);
	text[8] = 0x06; /* no instruction */
	assert_int_equal(hp_code__ending_at(&code, ks, TEXT + 0x15, &insn), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunk_ends), cmocka_unit_test(test_callback_stops),
		cmocka_unit_test(test_pointers),   cmocka_unit_test(test_address_set),
		cmocka_unit_test(test_ending_at),
	};
	char path[] = "/tmp/hp-code-scan-XXXXXX";
	int fd = mkstemp(path), ret;

	if (fd < 0)
		return 1;
	/* The target is in a function of its own: what surrounds it is decoded in any case. */
	dprintf(fd, "%016llx T target\n%016llx T all\n%016llx T _etext\n", TEXT, TEXT + 0x1000,
		TEXT + TEXT_SIZE);
	close(fd);
	ret = hp_kallsyms__open(&ks, path, NULL);
	unlink(path);
	text = malloc(TEXT_SIZE);
	if (ret || !text)
		return 1;
	bytes = (struct hp_bytes){ .bytes = text, .address = TEXT, .size = TEXT_SIZE };
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	hp_kallsyms__close(ks);
	free(text);
	return ret;
}
