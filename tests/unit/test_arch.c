// SPDX-License-Identifier: GPL-2.0
/* arch: jumps at entries, where probes may stand behind them, and interrupted system calls. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "arch/arch.h"

#define BYTES(...) ((const uint8_t[]){ __VA_ARGS__ }), sizeof((const uint8_t[]){ __VA_ARGS__ })

#define ENDBR64 0xf3, 0x0f, 0x1e, 0xfa
#define NOP5	0x0f, 0x1f, 0x44, 0x00, 0x00

static void test_entry_has_room(void **state)
{
	struct hp_arch_entry e;

	assert_int_equal(hp_arch__plan_entry(BYTES(0x55, 0x48, 0x89, 0xe5, 0x5d, 0xc3), 6, &e), 0);
	assert_int_equal(e.skip, 0);
	assert_int_equal(e.length, 5);
	/* The landing pad stays, the jump goes behind it. */
	assert_int_equal(hp_arch__plan_entry(BYTES(ENDBR64, 0x31, 0xc0, 0xc3, 0x90, 0x90), 7, &e),
			 0);
	assert_int_equal(e.skip, 4);
	assert_int_equal(hp_arch__plan_entry(BYTES(ENDBR64, 0x31, 0xc0, 0xc3), 7, &e), -ENOSPC);
}

static void test_entry_uses_padding(void **state)
{
	struct hp_arch_entry e;

	/* xor, ret, then: nop, nop; int3, int3; nopw; and what is no padding. */
	assert_int_equal(hp_arch__plan_entry(BYTES(0x31, 0xc0, 0xc3, 0x90, 0x90), 3, &e), 0);
	assert_int_equal(hp_arch__plan_entry(BYTES(0x31, 0xc0, 0xc3, 0xcc, 0xcc), 3, &e), 0);
	assert_int_equal(hp_arch__plan_entry(BYTES(0x31, 0xc0, 0xc3, 0x66, 0x2e, 0x0f, 0x1f, 0x84,
						   0, 0, 0, 0, 0),
					     3, &e),
			 0);
	assert_int_equal(hp_arch__plan_entry(BYTES(0x31, 0xc0, 0xc3, 0x90, 0x55), 3, &e), -ENOSPC);
	assert_int_equal(hp_arch__plan_entry(BYTES(0x31, 0xc0, 0xc3, 0x55, 0x90), 3, &e), -ENOSPC);
	/* Nothing is known of what follows. */
	assert_int_equal(hp_arch__plan_entry(BYTES(0x31, 0xc0, 0xc3), 3, &e), -ENOSPC);
}

static void test_jump_round_trip(void **state)
{
	static const uint64_t from = 0x7f0000001000;
	static const int64_t distances[] = { 0, 5, -5, 0x1000, -0x1000, INT32_MAX, INT32_MIN };
	uint8_t code[5];
	uint64_t to;

	for (size_t i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
		uint64_t wanted = from + 5 + (uint64_t)distances[i];

		assert_int_equal(hp_arch__encode_jump(from, wanted, code), 0);
		assert_true(hp_arch__decode_jump(code, sizeof(code), from, &to));
		assert_int_equal(to, wanted);
	}
	assert_int_equal(hp_arch__encode_jump(from, from + 5 + (1ull << 31), code), -ERANGE);
	assert_int_equal(hp_arch__encode_jump(from, from + 5 - (1ull << 31) - 1, code), -ERANGE);
	assert_false(hp_arch__decode_jump(BYTES(0xe8, 0, 0, 0, 0), from, &to));
	assert_false(hp_arch__decode_jump(BYTES(0xe9, 0, 0, 0), from, &to));
	/* Within reach by our own word, the whole jump fits. */
	assert_int_equal(hp_arch__encode_jump(from, from + HP_ARCH_REACH, code), 0);
	assert_int_equal(hp_arch__encode_jump(from, from - HP_ARCH_REACH, code), 0);
}

/* The exits of @code behind a jump of five bytes: "OFFSET[:DEPTH] …", what is said of all of them, or the error. */
static const char *exits_of(const uint8_t *code, size_t len)
{
	const struct hp_arch_entry entry = { 0, 5 };
	static char text[128];
	struct hp_arch_exits exits;
	int used = 0, ret = hp_arch__exits(code, len, &entry, &exits);

	if (ret)
		return strerror(-ret);
	text[0] = '\0';
	for (size_t i = 0; i < exits.count; i++) {
		used += snprintf(text + used, sizeof(text) - used, "%" PRIu64, exits.at[i].offset);
		if (exits.at[i].depth_known)
			used += snprintf(text + used, sizeof(text) - used, ":%" PRIu64,
					 exits.at[i].depth);
		used += snprintf(text + used, sizeof(text) - used, " ");
	}
	snprintf(text + used, sizeof(text) - used, "%s%s", exits.complete ? "all" : "some",
		 exits.at_most ? " at-most" : "");
	return text;
}

#define EXITS(...) exits_of(BYTES(__VA_ARGS__))

static void test_exits(void **state)
{
	/* push; mov; push | sub; ret: the third instruction ends at byte 5 */
	assert_string_equal(EXITS(0x55, 0x48, 0x89, 0xe5, 0x53, 0x48, 0x83, 0xec, 0x08, 0xc3),
			    "5:16 all");
	/* An instruction over the edge: the next boundary is behind it. */
	assert_string_equal(EXITS(0x55, 0x48, 0x81, 0xec, 0, 1, 0, 0, 0xc3), "8:264 all");
	/* test %rdi,%rdi; je 8; push | pop; ret; ret: two ways out, of different depth */
	assert_string_equal(EXITS(0x48, 0x85, 0xff, 0x74, 0x03, 0x53, 0x5b, 0xc3, 0xc3),
			    "8:0 5:0 all");
	/* The same, and the function falls through to where the branch leads. */
	assert_string_equal(EXITS(0x48, 0x85, 0xff, 0x74, 0x02, 0x53, 0x5b, 0xc3),
			    "7 5 all at-most");
	/* test; je 6; xor, over the edge, ends there: one place for both ways */
	assert_string_equal(EXITS(0x85, 0xff, 0x74, 0x02, 0x31, 0xc0, 0xc3), "6:0 all");
	/* test; jne -1 (another function's) */
	assert_string_equal(EXITS(0x48, 0x85, 0xff, 0x75, 0x80, 0x53, 0x5b, 0xc3), "5:0 some");
	/* mov %edx,%edx; jmp: zlib's crc32 */
	assert_string_equal(EXITS(0x89, 0xd2, 0xe9, 0, 1, 0, 0), "some");
	/* ret before the edge */
	assert_string_equal(EXITS(0x31, 0xc0, 0xf3, 0xc3, 0x90, 0x90, 0x90), "some");
	/* lea; ret: shorter than the jump */
	assert_string_equal(EXITS(0x8d, 0x47, 0x01, 0xc3), "some");
	/* test; je 5; ret | ret: who does not branch leaves unseen */
	assert_string_equal(EXITS(0x85, 0xff, 0x74, 0x01, 0xc3, 0xc3), "5:0 some");
	/* A loop whose head is the very place. */
	assert_string_equal(EXITS(NOP5, 0xff, 0xcf, 0x75, 0xfc, 0xc3), "5 all at-most");
	/* One whose head is before it, within the overwritten bytes. */
	assert_string_equal(EXITS(0x31, 0xc0, 0xff, 0xc0, 0xff, 0xcf, 0x7f, 0xfa, 0xc3),
			    "6 all at-most");
	/* A loop within the entry comes out once. */
	assert_string_equal(EXITS(0x31, 0xc0, 0xff, 0xcf, 0x7f, 0xfc, 0xc3), "6:0 all");
	assert_string_equal(EXITS(0x55, 0x48, 0x89, 0xe5, 0x53, 0x06), strerror(EILSEQ));
}

static void test_stack_depth(void **state)
{
	uint64_t depth = 0;

	/* endbr64; push; mov; push; sub $0x18 */
	assert_int_equal(hp_arch__stack_depth(BYTES(0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5,
						    0x53, 0x48, 0x83, 0xec, 0x18),
					      9, &depth),
			 0);
	assert_int_equal(depth, 16);
	assert_int_equal(hp_arch__stack_depth(BYTES(0x55, 0x48, 0x83, 0xec, 0x18, 0xc3), 5, &depth),
			 0);
	assert_int_equal(depth, 8 + 0x18);
	assert_int_equal(hp_arch__stack_depth(BYTES(0x0f, 0x1f, 0x44, 0, 0, 0xc3), 5, &depth), 0);
	assert_int_equal(depth, 0);
	/* and $-16,%rsp: nobody knows. */
	assert_int_equal(hp_arch__stack_depth(BYTES(0x55, 0x48, 0x83, 0xe4, 0xf0, 0xc3), 5, &depth),
			 -ENOENT);
	/* A call, and an offset inside an instruction. */
	assert_int_equal(hp_arch__stack_depth(BYTES(0xe8, 0, 0, 0, 0, 0xc3), 5, &depth), -ENOENT);
	assert_int_equal(hp_arch__stack_depth(BYTES(0x48, 0x89, 0xe5, 0xc3), 2, &depth), -ENOENT);
}

static void test_jumps_into_entry(void **state)
{
	const struct hp_arch_entry entry = { 0, 5 };

	assert_false(hp_arch__jumps_into_entry(BYTES(NOP5, 0x75, 0x01, 0x90, 0xc3), &entry));
	/* to byte 3, in the middle of the jump */
	assert_true(hp_arch__jumps_into_entry(BYTES(0x90, 0x90, 0x90, 0x90, 0x90, 0x75, 0xfc, 0xc3),
					      &entry));
	/* to byte 0: that is the jump itself */
	assert_false(hp_arch__jumps_into_entry(
		BYTES(0x90, 0x90, 0x90, 0x90, 0x90, 0x75, 0xf9, 0xc3), &entry));
	/* Nobody knows. */
	assert_true(hp_arch__jumps_into_entry(BYTES(NOP5, 0x06, 0xc3), &entry));
}

static void test_calls(void **state)
{
	uint64_t to = 0;

	assert_int_equal(
		hp_arch__decode_call(BYTES(0xe8, 0xfb, 0xff, 0xff, 0xff, 0xc3), 0x1000, &to), 5);
	assert_int_equal(to, 0x1000);
	assert_int_equal(hp_arch__decode_call(BYTES(0xe9, 0, 0, 0, 0), 0x1000, &to), 0);
	assert_int_equal(hp_arch__decode_call(BYTES(0xe8, 0, 0, 0), 0x1000, &to), 0);

	/* lock cmpxchg, jne to before it: a loop that nobody waits in. */
	assert_false(hp_arch__calls_others(BYTES(0xf0, 0x48, 0x0f, 0xb1, 0x0f, 0x75, 0xf9, 0xc3)));
	assert_true(hp_arch__calls_others(BYTES(0x53, 0xe8, 0, 0, 0, 0, 0x5b, 0xc3)));
	/* call *%rax, call *8(%rbx), call *%r12; jmp *%rax is none. */
	assert_true(hp_arch__calls_others(BYTES(0x53, 0xff, 0xd0, 0x5b, 0xc3)));
	assert_true(hp_arch__calls_others(BYTES(0xff, 0x53, 0x08, 0xc3)));
	assert_true(hp_arch__calls_others(BYTES(0x41, 0xff, 0xd4, 0xc3)));
	assert_false(hp_arch__calls_others(BYTES(0xff, 0xe0)));
	/* Nobody knows. */
	assert_true(hp_arch__calls_others(BYTES(0x06, 0xc3)));
}

static struct hp_arch_regs in_syscall(long nr, long result)
{
	struct hp_arch_regs regs = { 0 };

	regs.gp.rip = 0x1002;
	regs.gp.rax = (uint64_t)result;
	regs.gp.orig_rax = (uint64_t)nr;
	return regs;
}

static void test_restart(void **state)
{
	struct hp_arch_regs regs = in_syscall(SYS_epoll_wait, -EINTR);

	assert_true(hp_arch__restart_interrupted(&regs));
	assert_int_equal(regs.gp.rip, 0x1000);
	assert_int_equal(regs.gp.rax, SYS_epoll_wait);
	assert_int_equal(regs.gp.orig_rax, (uint64_t)-1);

	/* Came back with events; was interrupted in another call; is in none. */
	regs = in_syscall(SYS_epoll_wait, 3);
	assert_false(hp_arch__restart_interrupted(&regs));
	regs = in_syscall(SYS_read, -EINTR);
	assert_false(hp_arch__restart_interrupted(&regs));
	regs = in_syscall(-1, -EINTR);
	assert_false(hp_arch__restart_interrupted(&regs));

	/* ERESTARTSYS, ERESTARTNOHAND: again. ERESTART_RESTARTBLOCK: by restart_syscall. */
	regs = in_syscall(SYS_read, -512);
	hp_arch__restart_syscall(&regs);
	assert_int_equal(regs.gp.rip, 0x1000);
	assert_int_equal(regs.gp.rax, SYS_read);
	regs = in_syscall(SYS_nanosleep, -516);
	hp_arch__restart_syscall(&regs);
	assert_int_equal(regs.gp.rip, 0x1000);
	assert_int_equal(regs.gp.rax, SYS_restart_syscall);
	/* A result stays one; and outside of system calls rax means nothing. */
	regs = in_syscall(SYS_read, 7);
	hp_arch__restart_syscall(&regs);
	assert_int_equal(regs.gp.rip, 0x1002);
	regs = in_syscall(-1, -512);
	hp_arch__restart_syscall(&regs);
	assert_int_equal(regs.gp.rip, 0x1002);
}

static void test_gadgets(void **state)
{
	static const uint8_t text[] = { 0x90, 0x0f, 0x05, 0xc3, 0x48, 0xc7, 0xc0, 0x0f,
					0,    0,    0,	  0x0f, 0x05, 0x90, 0x90, 0x90,
					0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90 };
	size_t syscall, restore;

	hp_arch__find_gadgets(text, sizeof(text), &syscall, &restore);
	assert_int_equal(syscall, 1);
	assert_int_equal(restore, 4);
	assert_true(hp_arch__check_gadgets(text + syscall, text + restore));
	assert_false(hp_arch__check_gadgets(text + syscall, text + restore + 1));
	hp_arch__find_gadgets(text, 3, &syscall, &restore);
	assert_int_equal(syscall, SIZE_MAX);
	assert_int_equal(restore, SIZE_MAX);
}

/* Where a function returns; -EXDEV when it may be left in another way. */
static void returns(void **state)
{
	uint64_t at[2];

	/* test; je +3; xor; ret; mov; repz ret */
	assert_int_equal(hp_arch__returns(BYTES(0x85, 0xff, 0x74, 0x03, 0x31, 0xc0, 0xc3, 0x89,
						0xf8, 0xf3, 0xc3),
					  at, 2),
			 2);
	assert_int_equal(at[0], 6);
	assert_int_equal(at[1], 9);
	assert_int_equal(hp_arch__returns(BYTES(0xc3, 0xc3, 0xc3), at, 2), -E2BIG);
	/* a jump behind the function's end; through a register; through memory; none at all */
	assert_int_equal(hp_arch__returns(BYTES(0xeb, 0x10, 0xc3), at, 2), -EXDEV);
	assert_int_equal(hp_arch__returns(BYTES(0x74, 0x10, 0xc3), at, 2), -EXDEV);
	assert_int_equal(hp_arch__returns(BYTES(0x3e, 0xff, 0xe0, 0xc3), at, 2), -EXDEV);
	assert_int_equal(hp_arch__returns(BYTES(0xff, 0x25, 0, 0, 0, 0, 0xc3), at, 2), -EXDEV);
	assert_int_equal(hp_arch__returns(BYTES(0x0f, 0x0b), at, 2), -EXDEV);
	/* calls are none of those, even behind the end */
	assert_int_equal(hp_arch__returns(BYTES(0xe8, 0, 1, 0, 0, 0xc3), at, 2), 1);
	assert_int_equal(hp_arch__returns(BYTES(0x06, 0xc3), at, 2), -EILSEQ);
}

static void emulated(void **state)
{
	assert_true(hp_arch__probe_is_emulated(BYTES(0x55)));	    /* push %rbp */
	assert_true(hp_arch__probe_is_emulated(BYTES(0x41, 0x57))); /* push %r15 */
	assert_true(hp_arch__probe_is_emulated(BYTES(0x90)));
	assert_false(hp_arch__probe_is_emulated(BYTES(0x41, 0x89, 0xf8))); /* mov */
	assert_false(hp_arch__probe_is_emulated(BYTES(ENDBR64)));
	assert_false(hp_arch__probe_is_emulated(BYTES(0x48, 0x83, 0xec, 0x08))); /* sub, %rsp */
	/* Those to measure on are what they say, and return where it is said. */
	assert_true(hp_arch__probe_is_emulated((void *)hp_arch_empty_emulated, 1));
	assert_false(hp_arch__probe_is_emulated((void *)hp_arch_empty_stepped, 1));
	assert_int_equal(((uint8_t *)hp_arch_empty_emulated)[HP_ARCH_EMPTY_RETURN], 0xc3);
	assert_int_equal(((uint8_t *)hp_arch_empty_stepped)[HP_ARCH_EMPTY_RETURN], 0xc3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry_has_room),
		cmocka_unit_test(test_entry_uses_padding),
		cmocka_unit_test(test_jump_round_trip),
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_stack_depth),
		cmocka_unit_test(test_jumps_into_entry),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_gadgets),
		cmocka_unit_test(returns),
		cmocka_unit_test(emulated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
