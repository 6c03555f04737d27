// SPDX-License-Identifier: GPL-2.0
/* Stacks judged by their words: what is certain, and what is not. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"
#include "engines/proc/scan.h"

static void test_words(void **state)
{
	const struct hp_range ranges[] = { { 0x1000, 0x1100, "a" }, { 0x3000, 0x3010, "b" } };
	const struct hp_scan scan = { .hidden = { 0x5000, 0x6000, NULL } };
	/* The first byte's address is a pointer to the function, and of no return. */
	const struct {
		uint64_t word;
		bool outside;
	} cases[] = {
		{ 0, true },	   { 0xfff, true },   { 0x1000, true },
		{ 0x1001, false }, { 0x1100, false }, /* behind a call that is the last instruction */
		{ 0x1101, true },  { 0x2000, true },  { 0x3000, true },
		{ 0x3010, false }, { 0x3011, true },  { UINT64_MAX, true },
		{ 0x4fff, true },  { 0x5000, false }, { 0x6000, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t words[] = { 1, 2, cases[i].word, 3 };

		assert_int_equal(hp_scan__words_are_outside(&scan, words, 4, ranges, 2),
				 cases[i].outside);
		/* The last one too, and no word further. */
		assert_int_equal(hp_scan__words_are_outside(&scan, words, 3, ranges, 2),
				 cases[i].outside);
		assert_true(hp_scan__words_are_outside(&scan, words, 2, ranges, 2));
	}
}

/* Where return addresses may be hidden: in the page of uprobes, or where that would come to be. */
static void test_hidden(void **state)
{
	struct hp_map items[] = {
		{ .start = 0x1000, .end = 0x2000, .path = "/some/file" },
		{ .start = 0x7ff000000000, .end = 0x7ff000001000, .path = "[stack]" },
		{ .start = 0xffffffffff600000, .end = 0xffffffffff601000, .path = "[vsyscall]" },
		{ .start = 0x7fffffffe000, .end = 0x7ffffffff000, .path = "[uprobes]" },
	};
	struct hp_maps maps = { .items = items, .count = 3 };
	struct hp_scan scan;

	hp_scan__prepare(&scan, 1, &maps);
	assert_int_equal(scan.main_stack_end, 0x7ff000001000);
	assert_int_equal(scan.hidden.start, 0x7ff000001000);
	assert_int_equal(scan.hidden.end, 1ull << 47);
	maps.count = 4;
	hp_scan__prepare(&scan, 1, &maps);
	assert_int_equal(scan.hidden.start, 0x7fffffffe000);
	assert_int_equal(scan.hidden.end, 0x7ffffffff000);
}

/* In every thread of the process: the function that is asked for, or another one, and asleep. */
static int told[2];

static __attribute__((noipa)) void sleep_for_ever(void)
{
	if (write(told[1], "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* What is asked for. It has something to do behind the call, so that it stays on the stack. */
static __attribute__((noipa)) int waits(void (*fn)(void))
{
	fn();
	return 1;
}
static __attribute__((noipa)) int waits_too(void (*fn)(void))
{
	fn();
	return 2;
}

static void in_wait(void)
{
	waits(sleep_for_ever);
}

static void elsewhere(void)
{
	waits_too(sleep_for_ever);
}

static void on_signal(int signal)
{
	sleep_for_ever();
}

static void raise_it(void)
{
	raise(SIGUSR1);
}

/* The handler has a stack of its own: below it on that stack nothing tells of waits(). */
static void in_handler(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	waits(raise_it);
}

/* The handler's stack lies in the frame of one that called waits(): higher than what it interrupted. */
static void in_handler_above(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	char room[65536];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	waits(raise_it);
}

static void on_own_stack(void)
{
	ucontext_t context, back;

	getcontext(&context);
	context.uc_stack.ss_size = 65536;
	context.uc_stack.ss_sp =
		mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	context.uc_link = &back;
	makecontext(&context, elsewhere, 0);
	swapcontext(&back, &context);
}

static void *in_thread(void *arg)
{
	((void (*)(void))arg)();
	return NULL;
}

struct look {
	pid_t pid;
	size_t threads, outside;
};

static void look(struct hp_tracer *tracer, void *arg)
{
	const struct hp_range range = { (uint64_t)(uintptr_t)waits,
					(uint64_t)(uintptr_t)waits_too - 1, "waits" };
	struct look *l = arg;
	struct hp_error err = { 0 };
	struct hp_stop *stop;
	struct hp_scan scan;
	struct hp_maps maps;

	if (hp_maps__read(&maps, l->pid))
		return;
	hp_scan__prepare(&scan, l->pid, &maps);
	hp_maps__free(&maps);
	if (hp_stop__begin(&stop, tracer, l->pid, hp_now_ns() + 20 * HP_NSEC_PER_SEC, &err))
		return;
	l->threads = stop->count;
	for (size_t i = 0; i < stop->count; i++)
		l->outside += hp_scan__is_outside(&scan, &stop->threads[i], &range, 1);
	hp_stop__end(stop);
}

/* How many threads are certainly outside, of a process whose main thread and another one run these. */
static size_t outside(void (*main_thread)(void), void (*thread)(void))
{
	struct look l = { 0 };
	struct hp_error err = { 0 };
	pthread_t id;
	char c;

	/* The addresses are in order, or the test asks for nothing. */
	assert_true((uintptr_t)waits < (uintptr_t)waits_too);
	assert_int_equal(pipe(told), 0);
	l.pid = fork();
	assert_true(l.pid >= 0);
	if (l.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pthread_create(&id, NULL, in_thread, thread);
		main_thread();
		_exit(1);
	}
	assert_int_equal(read(told[0], &c, 1), 1);
	assert_int_equal(read(told[0], &c, 1), 1);
	assert_int_equal(hp_tracer__run(look, &l, &err), 0);
	kill(l.pid, SIGKILL);
	waitpid(l.pid, NULL, 0);
	close(told[0]);
	close(told[1]);
	assert_int_equal(l.threads, 2);
	return l.outside;
}

static void test_stacks(void **state)
{
	assert_int_equal(outside(elsewhere, elsewhere), 2);
	assert_int_equal(outside(in_wait, elsewhere), 1);
	assert_int_equal(outside(elsewhere, in_wait), 1);
	assert_int_equal(outside(in_wait, in_wait), 0);
}

static void test_other_stacks(void **state)
{
	assert_int_equal(outside(in_handler, in_handler), 0);
	assert_int_equal(outside(in_handler_above, in_handler_above), 0);
	assert_int_equal(outside(on_own_stack, on_own_stack), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_other_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
