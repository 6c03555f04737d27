// SPDX-License-Identifier: GPL-2.0
/* arch/text on functions written in machine code. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/text.h"

#define BYTES(...) ((const uint8_t[]){ __VA_ARGS__ }), sizeof((const uint8_t[]){ __VA_ARGS__ })

#define NOP5	0x0f, 0x1f, 0x44, 0x00, 0x00
#define ENDBR64 0xf3, 0x0f, 0x1e, 0xfa

static void test_decode_branches(void **state)
{
	struct hp_insn insn;

	assert_int_equal(hp_text__decode(BYTES(0xe8, 0x10, 0, 0, 0), 0x1000, &insn), 0);
	assert_int_equal(insn.length, 5);
	assert_int_equal(insn.branch, HP_BRANCH_CALL);
	assert_true(insn.wide);
	assert_int_equal(insn.target, 0x1015);

	/* Backwards, across a negative displacement, at a kernel address. */
	assert_int_equal(
		hp_text__decode(BYTES(0xe9, 0xfb, 0xff, 0xff, 0xff), 0xffffffff81000000, &insn), 0);
	assert_int_equal(insn.branch, HP_BRANCH_JUMP);
	assert_int_equal(insn.target, 0xffffffff81000000);

	assert_int_equal(hp_text__decode(BYTES(0x0f, 0x84, 0, 1, 0, 0), 0, &insn), 0);
	assert_int_equal(insn.branch, HP_BRANCH_COND);
	assert_true(insn.wide);
	assert_int_equal(insn.target, 0x106);

	assert_int_equal(hp_text__decode(BYTES(0x74, 0xfe), 0x20, &insn), 0);
	assert_int_equal(insn.branch, HP_BRANCH_COND);
	assert_false(insn.wide);
	assert_int_equal(insn.target, 0x20);

	assert_int_equal(hp_text__decode(BYTES(0xeb, 0x02), 0, &insn), 0);
	assert_int_equal(insn.branch, HP_BRANCH_JUMP);
	assert_int_equal(insn.target, 4);

	/* jrcxz, loop, and xbegin (one of whose ways is a branch) */
	assert_int_equal(hp_text__decode(BYTES(0xe3, 0x02), 0, &insn), 0);
	assert_int_equal(insn.branch, HP_BRANCH_COND);
	assert_int_equal(hp_text__decode(BYTES(0xe2, 0x02), 0, &insn), 0);
	assert_int_equal(insn.branch, HP_BRANCH_COND);
	assert_int_equal(hp_text__decode(BYTES(0xc7, 0xf8, 1, 0, 0, 0), 0, &insn), 0);
	assert_int_equal(insn.branch, HP_BRANCH_COND);
	assert_int_equal(insn.target, 7);

	/* ret, an indirect call, an indirect jump: no direct branch */
	assert_int_equal(hp_text__decode(BYTES(0xc3), 0, &insn), 0);
	assert_int_equal(insn.branch, HP_BRANCH_NONE);
	assert_int_equal(hp_text__decode(BYTES(0xff, 0xd0), 0, &insn), 0);
	assert_int_equal(insn.branch, HP_BRANCH_NONE);
	assert_int_equal(hp_text__decode(BYTES(0xff, 0xe0), 0, &insn), 0);
	assert_int_equal(insn.branch, HP_BRANCH_NONE);
}

static void test_decode_references(void **state)
{
	struct hp_insn insn;

	/* lea 0x10(%rip),%rax */
	assert_int_equal(hp_text__decode(BYTES(0x48, 0x8d, 0x05, 0x10, 0, 0, 0), 0x1000, &insn), 0);
	assert_true(insn.has_reference);
	assert_false(insn.reference_load);
	assert_int_equal(insn.reference, 0x1017);
	assert_int_equal(insn.ref_offset, 3);

	/* mov 0x10(%rip),%rax */
	assert_int_equal(hp_text__decode(BYTES(0x48, 0x8b, 0x05, 0x10, 0, 0, 0), 0x1000, &insn), 0);
	assert_true(insn.has_reference);
	assert_true(insn.reference_load);

	/* mov $0xffffffff81000000,%rdi, as the kernel's code model passes an address */
	assert_int_equal(hp_text__decode(BYTES(0x48, 0xc7, 0xc7, 0, 0, 0, 0x81), 0, &insn), 0);
	assert_true(insn.has_reference);
	assert_int_equal(insn.reference, 0xffffffff81000000);
	assert_int_equal(insn.ref_offset, 3);

	/* movq $0xffffffff81000000,0x10(%rip): both, and the immediate is the one that counts */
	assert_int_equal(hp_text__decode(BYTES(0x48, 0xc7, 0x05, 0x10, 0, 0, 0, 0, 0, 0, 0x81), 0,
					 &insn),
			 0);
	assert_int_equal(insn.reference, 0xffffffff81000000);
	assert_int_equal(insn.ref_offset, 7);
	assert_false(insn.reference_load);

	/* movabs $0xffffffff81000000,%rax */
	assert_int_equal(hp_text__decode(BYTES(0x48, 0xb8, 0, 0, 0, 0x81, 0xff, 0xff, 0xff, 0xff),
					 0, &insn),
			 0);
	assert_int_equal(insn.reference, 0xffffffff81000000);
	assert_int_equal(insn.ref_offset, 2);

	/* mov $0x81000000,%eax clears the upper half: no kernel address */
	assert_int_equal(hp_text__decode(BYTES(0xb8, 0, 0, 0, 0x81), 0, &insn), 0);
	assert_false(insn.has_reference);

	/* mov $1,%al has no address in it */
	assert_int_equal(hp_text__decode(BYTES(0xb0, 1), 0, &insn), 0);
	assert_false(insn.has_reference);
}

static void test_decode_errors(void **state)
{
	struct hp_insn insn;

	assert_int_equal(hp_text__decode(BYTES(0xe8, 0, 0), 0, &insn), -ENODATA);
	assert_int_equal(hp_text__decode(BYTES(0x06, 0, 0), 0, &insn), -EILSEQ);
}

static void test_find_branch(void **state)
{
	/* push %rbp; mov $0xe8,%eax; call +0x100; ret. The immediate is no opcode. */
	const uint8_t code[] = { 0x55, 0xb8, 0xe8, 0, 0, 0, 0xe8, 0, 1, 0, 0, 0xc3 };
	uint64_t at;

	assert_int_equal(hp_text__find_branch(code, sizeof(code), 0x1000, 0x110b, &at), 0);
	assert_int_equal(at, 6);
	assert_int_equal(hp_text__find_branch(code, sizeof(code), 0x1000, 0x1007, &at), -ENOENT);
	assert_int_equal(hp_text__find_branch(BYTES(0x90, 0x06), 0, 0x1007, &at), -EILSEQ);
}

static void test_opcode_before(void **state)
{
	/* call, jne, mov disp(%rip),%rbx, call *disp(%rip): each without its displacement */
	const uint8_t call[] = { 0x50, 0xe8 }, jcc[] = { 0x0f, 0x85 };
	const uint8_t load[] = { 0x48, 0x8b, 0x1d }, indirect[] = { 0x90, 0xff, 0x15 };

	assert_int_equal(hp_text__branch_opcode(call + 2, 2), 1);
	assert_int_equal(hp_text__branch_opcode(jcc + 2, 2), 2);
	assert_int_equal(hp_text__branch_opcode(jcc + 2, 1), 0);
	assert_int_equal(hp_text__branch_opcode(load + 3, 3), 0);
	assert_int_equal(hp_text__opcode_before(call + 2, 2), 1);
	assert_int_equal(hp_text__opcode_before(load + 3, 3), 3);
	assert_int_equal(hp_text__opcode_before(indirect + 3, 3), 2);
	assert_int_equal(hp_text__opcode_before(indirect + 3, 1), 0);
}

static void test_body_probe(void **state)
{
	uint64_t at = 99;

	assert_int_equal(hp_text__body_probe_offset(BYTES(NOP5, 0x55, 0xc3), &at), 0);
	assert_int_equal(at, 5);
	assert_int_equal(hp_text__body_probe_offset(BYTES(ENDBR64, NOP5, 0x55, 0xc3), &at), 0);
	assert_int_equal(at, 9);
	assert_int_equal(hp_text__body_probe_offset(BYTES(0xe8, 1, 2, 3, 0, 0x55, 0xc3), &at), 0);
	assert_int_equal(at, 5);
	assert_int_equal(hp_text__body_probe_offset(BYTES(ENDBR64, 0xe8, 1, 2, 3, 0, 0xc3), &at),
			 0);
	assert_int_equal(at, 9);
	/* A jump back to the entry passes ftrace's call again: that is a call, not a loop. */
	assert_int_equal(hp_text__body_probe_offset(BYTES(NOP5, 0x55, 0xeb, 0xf8), &at), 0);
}

static void test_body_probe_refused(void **state)
{
	uint64_t at;

	assert_int_equal(hp_text__body_probe_offset(BYTES(0x55, NOP5, 0xc3), &at), -EINVAL);
	assert_int_equal(hp_text__body_probe_offset(BYTES(ENDBR64, 0x55, 0xc3), &at), -EINVAL);
	/* a site with nothing behind it, half a site, nothing at all */
	assert_int_equal(hp_text__body_probe_offset(BYTES(NOP5), &at), -EINVAL);
	assert_int_equal(hp_text__body_probe_offset(BYTES(ENDBR64), &at), -EINVAL);
	assert_int_equal(hp_text__body_probe_offset(BYTES(0x0f, 0x1f, 0x44), &at), -EINVAL);
	assert_int_equal(hp_text__body_probe_offset(BYTES(0xc3), &at), -EINVAL);
	/* another nop of five bytes: cs nopw 0(%rax) without the last byte of ours */
	assert_int_equal(hp_text__body_probe_offset(BYTES(0x0f, 0x1f, 0x44, 0x00, 0x08, 0xc3), &at),
			 -EINVAL);
}

static void test_body_probe_loop(void **state)
{
	uint64_t at = 0;

	/* 5: dec %edi; 7: jne 5; 9: ret */
	assert_int_equal(hp_text__body_probe_offset(BYTES(NOP5, 0xff, 0xcf, 0x75, 0xfc, 0xc3), &at),
			 -ELOOP);
	assert_int_equal(at, 5);
	/* 9: dec %edi; 11: jmp rel32 to 9 */
	at = 0;
	assert_int_equal(hp_text__body_probe_offset(BYTES(ENDBR64, NOP5, 0xff, 0xcf, 0xe9, 0xf9,
							  0xff, 0xff, 0xff),
						    &at),
			 -ELOOP);
	assert_int_equal(at, 9);
	/* The same bytes as an immediate: mov $0xfcebcfff,%eax at 5 holds no jump. */
	assert_int_equal(hp_text__body_probe_offset(BYTES(NOP5, 0xb8, 0xff, 0xcf, 0xeb, 0xfc, 0xc3),
						    &at),
			 0);
	/* Not code further on, with what may be a jump back or not: nobody can say. */
	assert_int_equal(hp_text__body_probe_offset(BYTES(NOP5, 0x55, 0x06, 0x75, 0xfc, 0xc3), &at),
			 -EILSEQ);
	/* Not code further on, but nothing in it can be a jump back. */
	assert_int_equal(hp_text__body_probe_offset(BYTES(NOP5, 0x55, 0x06, 0xc3), &at), 0);
}

#define FIRST_BRANCH(out, ...) hp_text__first_branch(BYTES(NOP5, __VA_ARGS__), 5, out)

static void test_first_branch(void **state)
{
	struct hp_text_place at = { 0 };

	/* mov 0x70(%rdi),%edi; call: the wrapper of a system call */
	assert_int_equal(FIRST_BRANCH(&at, 0x8b, 0x7f, 0x70, 0xe8, 1, 2, 0, 0, 0xc3), 0);
	assert_int_equal(at.offset, 8);
	assert_int_equal(at.depth, 0);
	/* push %rbp; mov %rsp,%rbp; push %r12; sub $0x98,%rsp; mov %gs:0x28,%rax; test; jne */
	assert_int_equal(FIRST_BRANCH(&at, 0x55, 0x48, 0x89, 0xe5, 0x41, 0x54, 0x48, 0x81, 0xec,
				      0x98, 0, 0, 0, 0x65, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0,
				      0x85, 0xff, 0x0f, 0x85, 0, 1, 0, 0, 0xc3),
			 0);
	assert_int_equal(at.offset, 29);
	assert_int_equal(at.depth, 8 + 8 + 0x98);
	/* right where it begins: jmp */
	assert_int_equal(FIRST_BRANCH(&at, 0xeb, 0x10), 0);
	assert_int_equal(at.offset, 5);
	/* push %rbx; lea 1(%rdi),%eax; pop %rbx; ret */
	assert_int_equal(FIRST_BRANCH(&at, 0x53, 0x8d, 0x47, 0x01, 0x5b, 0xc3), 0);
	assert_int_equal(at.offset, 10);
	assert_int_equal(at.depth, 0);
}

static void test_first_branch_unknown(void **state)
{
	struct hp_text_place at = { .offset = 99 };

	/* A nop may become a jump, which would go by: of five bytes, of two; nopl for stac. */
	assert_int_equal(FIRST_BRANCH(&at, 0x0f, 0x1f, 0x44, 0, 0, 0xeb, 0x10), -ENOENT);
	assert_int_equal(FIRST_BRANCH(&at, 0x66, 0x90, 0xeb, 0x10), -ENOENT);
	assert_int_equal(FIRST_BRANCH(&at, 0x0f, 0x1f, 0x00, 0xeb, 0x10), -ENOENT);
	assert_int_equal(FIRST_BRANCH(&at, 0x0f, 0x01, 0xcb, 0xeb, 0x10), -ENOENT);
	/* Nobody knows where these lead: int3, ud2, jmp *%rax, call *%rax, syscall */
	assert_int_equal(FIRST_BRANCH(&at, 0xcc, 0xeb, 0x10), -ENOENT);
	assert_int_equal(FIRST_BRANCH(&at, 0x0f, 0x0b, 0xeb, 0x10), -ENOENT);
	assert_int_equal(FIRST_BRANCH(&at, 0xff, 0xe0, 0xeb, 0x10), -ENOENT);
	assert_int_equal(FIRST_BRANCH(&at, 0xff, 0xd0, 0xeb, 0x10), -ENOENT);
	assert_int_equal(FIRST_BRANCH(&at, 0x0f, 0x05, 0xeb, 0x10), -ENOENT);
	/* The stack is moved by what is not known: and $-16,%rsp; mov %rax,%rsp; leave; add %rax,%rsp */
	assert_int_equal(FIRST_BRANCH(&at, 0x48, 0x83, 0xe4, 0xf0, 0xeb, 0x10), -ENOENT);
	assert_int_equal(FIRST_BRANCH(&at, 0x48, 0x89, 0xc4, 0xeb, 0x10), -ENOENT);
	assert_int_equal(FIRST_BRANCH(&at, 0xc9, 0xeb, 0x10), -ENOENT);
	assert_int_equal(FIRST_BRANCH(&at, 0x48, 0x01, 0xc4, 0xeb, 0x10), -ENOENT);
	/* 5: push; 6: dec %edi; 8: jne 6, so that calls come by at 8 more than once */
	assert_int_equal(FIRST_BRANCH(&at, 0x55, 0xff, 0xcf, 0x75, 0xfc, 0xc3), -ENOENT);
	/* no code, and no end */
	assert_int_equal(FIRST_BRANCH(&at, 0x55, 0x06, 0xeb, 0x10), -ENOENT);
	assert_int_equal(FIRST_BRANCH(&at, 0x55), -ENOENT);
	assert_int_equal(at.offset, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode_branches),
		cmocka_unit_test(test_decode_references),
		cmocka_unit_test(test_decode_errors),
		cmocka_unit_test(test_find_branch),
		cmocka_unit_test(test_opcode_before),
		cmocka_unit_test(test_body_probe),
		cmocka_unit_test(test_body_probe_refused),
		cmocka_unit_test(test_body_probe_loop),
		cmocka_unit_test(test_first_branch),
		cmocka_unit_test(test_first_branch_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
