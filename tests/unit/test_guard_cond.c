// SPDX-License-Identifier: GPL-2.0
/* Conditions on arguments, resolved against types that are made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>
#include <cmocka.h>

#include "engines/guard/cond.h"

/* int f(int number, struct outer *outer, enum color color, struct outer value) */
struct types {
	struct btf *btf;
	int function;
};

static int must(int id)
{
	assert_true(id > 0);
	return id;
}

static void add_field(struct btf *btf, const char *name, int type, uint32_t bits, uint32_t width)
{
	assert_int_equal(btf__add_field(btf, name, type, bits, width), 0);
}

static int setup(void **state)
{
	struct types *t = calloc(1, sizeof(*t));
	struct btf *btf = t->btf = btf__new_empty();
	int s32, u8, u64, inner, inner_ptr, outer, outer_ptr, color, proto, flags;

	s32 = must(btf__add_int(btf, "int", 4, BTF_INT_SIGNED));
	u8 = must(btf__add_int(btf, "u8", 1, 0));
	u64 = must(btf__add_int(btf, "u64", 8, 0));
	flags = must(btf__add_int(btf, "unsigned int", 4, 0));

	color = must(btf__add_enum(btf, "color", 4));
	assert_int_equal(btf__add_enum_value(btf, "RED", 1), 0);
	assert_int_equal(btf__add_enum_value(btf, "GREEN", 2), 0);

	inner = must(btf__add_struct(btf, "inner", 16));
	add_field(btf, "small", u8, 24, 0);
	add_field(btf, "big", u64, 64, 0);
	inner_ptr = must(btf__add_ptr(btf, inner));

	/* An unnamed struct at byte 8 of outer, in which a bit field begins at bit 5. */
	must(btf__add_struct(btf, NULL, 8));
	add_field(btf, "low", flags, 0, 5);
	add_field(btf, "mode", flags, 5, 3);
	add_field(btf, "count", s32, 32, 0);
	outer = must(btf__add_struct(btf, "outer", 40));
	add_field(btf, "next", inner_ptr, 0, 0);
	add_field(btf, NULL, outer - 1, 64, 0);
	add_field(btf, "in", inner, 128, 0);
	add_field(btf, "color", color, 256, 0);
	outer_ptr = must(btf__add_ptr(btf, must(btf__add_const(btf, outer))));

	proto = must(btf__add_func_proto(btf, s32));
	assert_int_equal(btf__add_func_param(btf, "number", s32), 0);
	assert_int_equal(btf__add_func_param(btf, "outer", outer_ptr), 0);
	assert_int_equal(btf__add_func_param(btf, "color", color), 0);
	assert_int_equal(btf__add_func_param(btf, "value", outer), 0);
	t->function = must(btf__add_func(btf, "f", BTF_FUNC_GLOBAL, proto));
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct types *t = *state;

	btf__free(t->btf);
	free(t);
	return 0;
}

static struct hp_guard_cond parse(void **state, const char *text)
{
	const struct types *t = *state;
	struct hp_guard_cond cond;
	struct hp_error err = { 0 };

	if (hp_guard_cond__parse(&cond, t->btf, (uint32_t)t->function, text, &err))
		fail_msg("%s: %s", text, err.message);
	assert_string_equal(cond.text, text);
	return cond;
}

/* As the program asks it: hp_guard_holds() in hotproof/guard.bpf.h. */
static int holds(const struct hp_guard_cond *c, uint64_t value)
{
	return (((value - c->low) & c->mask) <= c->span) != c->outside;
}

static void refuses(void **state, const char *text, const char *why)
{
	const struct types *t = *state;
	struct hp_guard_cond cond;
	struct hp_error err = { 0 };

	if (!hp_guard_cond__parse(&cond, t->btf, (uint32_t)t->function, text, &err))
		fail_msg("%s is taken", text);
	assert_int_equal(err.reason, HP_E_GUARD_ARG);
	if (!strstr(err.message, why))
		fail_msg("%s: %s", text, err.message);
}

static void arguments_by_name_and_number(void **state)
{
	struct hp_guard_cond c = parse(state, "number == -1");

	assert_int_equal(c.arg, 0);
	assert_int_equal(c.steps, 0);
	assert_int_equal(c.size, 4);
	assert_true(holds(&c, UINT32_MAX) && holds(&c, 7ull << 32 | UINT32_MAX) && !holds(&c, 1));
	c = parse(state, "  0>=0x10  ");
	assert_int_equal(c.arg, 0);
	assert_true(holds(&c, 16) && !holds(&c, 15) && !holds(&c, UINT32_MAX));
	c = parse(state, "color != GREEN");
	assert_int_equal(c.arg, 2);
	assert_true(holds(&c, 1) && !holds(&c, 2));
	c = parse(state, "number & 0x80000000"); /* a mask is bits */
	assert_true(holds(&c, 0x80000000u) && !holds(&c, 0x7fffffff) && !holds(&c, 1ull << 32));
}

static void fields_through_pointers(void **state)
{
	struct hp_guard_cond c = parse(state, "outer.next.big < 7");

	assert_int_equal(c.arg, 1);
	assert_int_equal(c.steps, 2);
	assert_int_equal(c.offset[0], 0); /* outer->next, */
	assert_int_equal(c.offset[1], 8); /* and in it */
	assert_int_equal(c.size, 8);
	c = parse(state, "outer->in.small == 255");
	assert_int_equal(c.steps, 1);
	assert_int_equal(c.offset[0], 16 + 3);
	assert_int_equal(c.size, 1);
	c = parse(state, "1.count <= -5"); /* in the unnamed struct */
	assert_int_equal(c.offset[0], 8 + 4);
	assert_true(holds(&c, (uint32_t)-5) && holds(&c, 0x80000000u) && !holds(&c, (uint32_t)-4) &&
		    !holds(&c, 0));
	c = parse(state, "outer.color == RED");
	assert_int_equal(c.offset[0], 32);
	assert_true(holds(&c, 1) && !holds(&c, 2));
	c = parse(state, "outer.next != NULL");
	assert_int_equal(c.steps, 1);
	assert_int_equal(c.size, 8);
	c = parse(state, "outer == NULL");
	assert_int_equal(c.steps, 0);
	assert_true(holds(&c, 0) && !holds(&c, 1ull << 63));
}

static void bit_fields(void **state)
{
	struct hp_guard_cond c = parse(state, "outer.mode == 7");

	assert_int_equal(c.offset[0], 8);
	assert_int_equal(c.size, 4);
	assert_int_equal(c.mask, 7 << 5);
	assert_true(holds(&c, 0xff) && holds(&c, 7 << 5) && !holds(&c, 0x1f) && !holds(&c, 0xdf));
	refuses(state, "outer.mode == 8", "8 does not fit in 'outer.mode'");
	refuses(state, "outer.mode.x == 8", "bit field");
}

static bool compare(int64_t a, const char *op, int64_t b)
{
	bool less = a < b, same = a == b;

	return op[0] == '!'   ? !same
	       : op[0] == '=' ? same
			      : (op[0] == '<' ? less : !less && !same) || (op[1] == '=' && same);
}

/* Each operator on each pair of @values, next to C's own; the value has @mask's bits in its word. */
static void compares(void **state, const char *what, const int64_t *values, size_t count,
		     uint64_t mask)
{
	static const char *const ops[] = { "==", "!=", "<", "<=", ">", ">=" };

	for (size_t i = 0; i < count * count * 6; i++) {
		int64_t a = values[i / 6 % count], b = values[i / 6 / count];
		struct hp_guard_cond c;
		char text[64];

		snprintf(text, sizeof(text), "%s %s %lld", what, ops[i % 6], (long long)b);
		c = parse(state, text);
		/* What is beside the value does not count. */
		if (holds(&c, ((uint64_t)a & mask) | (0xabcdefabcdull << 24 & ~mask)) !=
		    compare(a, ops[i % 6], b))
			fail_msg("%s, of %lld", text, (long long)a);
	}
}

static void operators(void **state)
{
	static const int64_t numbers[] = { INT32_MIN, INT32_MIN + 1, -5, -1, 0, 1, 2, INT32_MAX };
	static const int64_t bytes[] = { 0, 1, 2, 127, 128, 254, 255 };
	static const int64_t big[] = { 0, 1, INT64_MAX - 1, INT64_MAX };

	compares(state, "number", numbers, sizeof(numbers) / sizeof(numbers[0]), UINT32_MAX);
	compares(state, "outer.in.small", bytes, sizeof(bytes) / sizeof(bytes[0]), UINT8_MAX);
	compares(state, "outer.next.big", big, sizeof(big) / sizeof(big[0]), UINT64_MAX);
}

static void what_cannot_be_expressed(void **state)
{
	refuses(state, "", "does not begin with an argument");
	refuses(state, "4 == 1", "it has: number, outer, color, value");
	refuses(state, "99999999999999999999 == 1", "has no argument");
	refuses(state, "value.next == 0", "passed by value");
	refuses(state, "outer.in == 1", "a struct");
	refuses(state, "outer.none == 1", "no field 'none'");
	refuses(state, "number.x == 1", "leads to a number");
	refuses(state, "number", "one of == ");
	refuses(state, "number ==", "ends without a value");
	refuses(state, "number == x", "no value");
	refuses(state, "number == 1x", "not a number");
	refuses(state, "number == 2147483648", "does not fit");
	refuses(state, "number == -2147483649", "does not fit");
	refuses(state, "outer.in.small == -1", "does not fit");
	refuses(state, "outer.in.small == 256", "does not fit");
	refuses(state, "outer == 1", "pointer");
	refuses(state, "outer > NULL", "pointer");
	parse(state, "number == 2147483647");
	parse(state, "number == -2147483648");
}

static void long_text_is_refused(void **state)
{
	char text[HP_GUARD_TEXT_MAX + 1];

	memset(text, 'a', sizeof(text));
	text[HP_GUARD_TEXT_MAX] = '\0';
	refuses(state, text, "at most");
}

/* In for a percentage is in for every larger one; and all of them are all. */
static void shares_of_processes_grow(void **state)
{
	for (uint32_t tgid = 1; tgid < 5000; tgid++) {
		int before = 0;

		for (uint32_t percent = 0; percent <= HP_GUARD_PERCENT; percent += 100) {
			int now = hp_guard_in_percent(tgid, percent);

			assert_true(now >= before);
			before = now;
		}
		assert_int_equal(hp_guard_in_percent(tgid, 0), 0);
		assert_int_equal(before, 1);
	}
}

/* Process numbers come in a row: a tenth of them must be about a tenth. */
static void shares_are_fair(void **state)
{
	int in = 0;

	for (uint32_t tgid = 1; tgid <= 32768; tgid++)
		in += hp_guard_in_percent(tgid, 1000);
	assert_in_range(in, 3000, 3550);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_by_name_and_number),
		cmocka_unit_test(fields_through_pointers),
		cmocka_unit_test(bit_fields),
		cmocka_unit_test(operators),
		cmocka_unit_test(what_cannot_be_expressed),
		cmocka_unit_test(long_text_is_refused),
		cmocka_unit_test(shares_of_processes_grow),
		cmocka_unit_test(shares_are_fair),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
