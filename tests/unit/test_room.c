// SPDX-License-Identifier: GPL-2.0
/* Lines of /proc/PID/maps, and holes between mappings. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "engines/proc/room.h"
#include "host/maps.h"

static void test_parse(void **state)
{
	struct hp_map map;

	assert_int_equal(hp_map__parse(&map,
				       "7f0000001000-7f0000002000 r-xp 00003000 fe:01 1234567 "
				       "                   /usr/lib/a b.so (deleted)"),
			 0);
	assert_int_equal(map.start, 0x7f0000001000);
	assert_int_equal(map.end, 0x7f0000002000);
	assert_int_equal(map.prot, PROT_READ | PROT_EXEC);
	assert_int_equal(map.offset, 0x3000);
	assert_int_equal(map.major, 0xfe);
	assert_int_equal(map.minor, 1);
	assert_int_equal(map.inode, 1234567);
	assert_string_equal(map.path, "/usr/lib/a b.so");
	assert_true(map.deleted);
	free(map.path);

	assert_int_equal(hp_map__parse(&map, "00400000-00401000 rw-p 00000000 00:00 0 "), 0);
	assert_string_equal(map.path, "");
	assert_false(map.deleted);
	free(map.path);
	assert_int_equal(hp_map__parse(&map, "not a mapping"), -EINVAL);
}

static struct hp_maps maps_of(struct hp_map *items, size_t count)
{
	return (struct hp_maps){ items, count };
}

#define REACH 0x7fff0000ull
#define LIB   0x7f1200000000ull

static void test_below_the_target(void **state)
{
	struct hp_map items[] = {
		{ .start = LIB - 0x100000, .end = LIB - 0x80000, .path = "" },
		{ .start = LIB, .end = LIB + 0x1000, .path = "" },
		{ .start = LIB + 0x9000, .end = LIB + 0xa000, .path = "" },
	};
	struct hp_maps maps = maps_of(items, 3);
	uint64_t address;

	assert_int_equal(hp_room__find(&maps, LIB, LIB + 100, 0x5000, REACH, &address), 0);
	assert_int_equal(address, LIB - 0x5000);
	/* Too large for that hole: the one below it. */
	assert_int_equal(hp_room__find(&maps, LIB, LIB + 100, 0x90000, REACH, &address), 0);
	assert_int_equal(address, LIB - 0x100000 - 0x90000);
}

static void test_within_reach(void **state)
{
	/* All is taken from far below up to the target. */
	struct hp_map items[] = {
		{ .start = LIB - 0x100000000, .end = LIB + 0x1000, .path = "" },
		{ .start = LIB + 0x3000, .end = LIB + 0x10000, .path = "" },
	};
	struct hp_maps maps = maps_of(items, 2);
	uint64_t address;

	assert_int_equal(hp_room__find(&maps, LIB, LIB + 100, 0x2000, REACH, &address), 0);
	assert_int_equal(address, LIB + 0x1000);
	assert_int_equal(hp_room__find(&maps, LIB, LIB + 100, 0x3000, REACH, &address), 0);
	assert_int_equal(address, LIB + 0x10000);
	/* And up to far above. */
	items[1].start = LIB + 0x1000;
	items[1].end = LIB + 0x100000000;
	assert_int_equal(hp_room__find(&maps, LIB, LIB + 100, 0x1000, REACH, &address), -ENOSPC);
	/* The last page that a jump still reaches, and one byte less. */
	items[1].end = LIB + 0x10000;
	assert_int_equal(hp_room__find(&maps, LIB, LIB + 100, 0x1000, 0x11000, &address), 0);
	assert_int_equal(hp_room__find(&maps, LIB, LIB + 100, 0x1000, 0x10fff, &address), -ENOSPC);
}

static void test_program(void **state)
{
	/* A program that is not position-independent, its heap, nothing below but page zero. */
	struct hp_map items[] = {
		{ .start = 0x10000, .end = 0x401000, .path = "/usr/bin/p" },
		{ .start = 0x1000000, .end = 0x1021000, .path = "[heap]" },
		{ .start = 0x7ffc00000000, .end = 0x7ffc00100000, .path = "[stack]" },
	};
	struct hp_maps maps = maps_of(items, 3);
	uint64_t address;

	/* Between program and heap: the heap grows the other way. */
	assert_int_equal(hp_room__find(&maps, 0x401000, 0x401100, 0x4000, REACH, &address), 0);
	assert_int_equal(address, 0x401000);
	/* Not right behind the heap. */
	assert_int_equal(hp_room__find(&maps, 0x400000, 0x401000, 0x2000000, REACH, &address), 0);
	assert_true(address >= 0x1021000 + (64 << 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_below_the_target),
		cmocka_unit_test(test_within_reach),
		cmocka_unit_test(test_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
