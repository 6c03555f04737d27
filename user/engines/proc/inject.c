// SPDX-License-Identifier: GPL-2.0
/*
 * System calls and function calls made by a stopped thread for us.
 *
 * The order of the steps is what makes a SIGKILL of hotproof at any of them harmless: as long as
 * the registers are the thread's own, nothing else of it is changed but memory below its red zone;
 * as soon as they are ours, a signal frame on its stack leads back, signal mask and all.
 */
#include "engines/proc/inject.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "engines/proc/memory.h"

#define SCRATCH_BYTES 2048
#define BELOW_FRAME   8192 /* for scratch, or for the frames of functions that are called */
#define CALL_TIMEOUT  (5 * HP_NSEC_PER_SEC)
/* Who is asleep for so long, and was to run a few instructions, is kept from it. */
#define ASLEEP_NS (50 * HP_NSEC_PER_MSEC)

#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif

struct hp_inject {
	pid_t pid, tid;
	struct hp_tracer *tracer;
	struct hp_thread *thread;
	struct hp_arch_call call;
	uint8_t *saved;	     /* what the stack was from BELOW_FRAME under the frame to its end */
	uint64_t saved_from; /* the part of it that was read begins here, ... */
	uint64_t written;    /* and what we wrote ourselves here */
	uint64_t sigmask;
	bool entered; /* our registers are in place, and signals are blocked */
	bool called;  /* functions ran, which use the stack and the FP registers */
	bool at_exit; /* it stands where a system call ends */
	bool stuck;   /* it runs, or is kept from it, and does not come to where it was sent */
	bool halted;  /* it was, and stands now where hp_stop__begin() leaves a thread */
	int held;     /* a stop signal that came meanwhile, or 0 */
};

static int grow_stack(pid_t pid, uint64_t address)
{
	_cleanup_close_ int mem = hp_memory__open(pid);

	return mem < 0 ? mem : hp_memory__write_code(mem, address, "", 1);
}

static uint64_t stack_end(const struct hp_inject *in)
{
	return in->call.frame_address + in->call.frame_len;
}

/* Where in in->saved the byte of @address is kept. */
static uint8_t *saved_of(const struct hp_inject *in, uint64_t address)
{
	return in->saved + (address - (in->call.frame_address - BELOW_FRAME));
}

/* Keep the stack down to @below bytes under the frame, as it is before it is written to. */
static int save_stack(struct hp_inject *in, size_t below)
{
	uint64_t from = in->call.frame_address - below;
	size_t len = in->saved_from - from;
	int ret;

	if (from >= in->saved_from)
		return 0;
	ret = hp_memory__read(in->pid, from, saved_of(in, from), len);
	/* A stack that has not grown so far yet grows for a tracer's access (__access_remote_vm()). */
	if (ret == -EFAULT && !grow_stack(in->pid, from))
		ret = hp_memory__read(in->pid, from, saved_of(in, from), len);
	if (!ret)
		in->saved_from = from;
	return ret;
}

static int write_frame(struct hp_inject *in, struct hp_error *err)
{
	int ret;

	in->saved = malloc(BELOW_FRAME + in->call.frame_len);
	if (!in->saved)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	in->saved_from = stack_end(in);
	in->written = in->call.frame_address;
	ret = save_stack(in, SCRATCH_BYTES);
	ret = ret
		      ?: hp_memory__write(in->pid, in->call.frame_address, in->call.frame,
					  in->call.frame_len);
	if (ret)
		return hp_fail_errno(err, HP_E_PROC_INJECT, ret,
				     "thread %d has no room on its stack", in->tid);
	return 0;
}

/* The main thread if it lives: its stack is the largest. */
static struct hp_thread *choose_thread(struct hp_stop *stop)
{
	struct hp_thread *first = NULL;

	for (size_t i = 0; i < stop->count; i++) {
		if (!stop->threads[i].stopped)
			continue;
		if (stop->threads[i].tid == stop->pid)
			return &stop->threads[i];
		first = first ?: &stop->threads[i];
	}
	return first;
}

static int read_seccomp_mode(const struct hp_inject *in)
{
	_cleanup_file_ FILE *f = NULL;
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", in->pid, in->tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "Seccomp:", 8))
			return atoi(line + 8);
	return -1;
}

/*
 * A seccomp filter would have to allow our calls, and may kill the process for them. Who is
 * privileged may suspend it for as long as he traces (ptrace(2), Linux 4.3); that is asked for
 * whether there is one or not, which takes less time than to find out.
 */
static int suspend_seccomp(struct hp_inject *in, struct hp_error *err)
{
	int ret;

	/* Documentation/arch/x86/shstk.rst */
	if (hp_arch__has_shadow_stack(in->tid))
		return hp_fail(err, HP_E_PROC_INJECT, "thread %d has a shadow stack", in->tid);
	if (!ptrace(PTRACE_SETOPTIONS, in->tid, 0,
		    PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP))
		return 0;
	ret = -errno;
	if (read_seccomp_mode(in) == 0)
		return 0;
	return hp_fail_errno(err, HP_E_PROC_SECCOMP, ret,
			     "the seccomp filter of process %d cannot be suspended", in->pid);
}

static void free_inject(struct hp_inject *in)
{
	hp_arch_call__free(&in->call);
	free(in->saved);
	free(in);
}

int hp_inject__begin(struct hp_inject **out, struct hp_stop *stop,
		     const struct hp_arch_gadgets *gadgets, struct hp_error *err)
{
	struct hp_inject *in = calloc(1, sizeof(*in));
	uint8_t syscall[16], restore[16];
	int ret;

	if (!in)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	in->pid = stop->pid;
	in->tracer = stop->tracer;
	in->thread = choose_thread(stop);
	in->tid = in->thread->tid;
	ret = suspend_seccomp(in, err);
	if (ret)
		goto fail;
	ret = hp_memory__read(in->pid, gadgets->syscall, syscall, sizeof(syscall));
	ret = ret ?: hp_memory__read(in->pid, gadgets->restore, restore, sizeof(restore));
	if (ret || !hp_arch__check_gadgets(syscall, restore)) {
		ret = hp_fail(err, HP_E_PROC_INJECT, "the code of process %d changed", in->pid);
		goto fail;
	}
	if (ptrace(PTRACE_GETSIGMASK, in->tid, sizeof(in->sigmask), &in->sigmask))
		ret = -errno;
	ret = ret
		      ?: hp_arch_call__prepare(&in->call, in->tid, &in->thread->regs, in->sigmask,
					       gadgets);
	if (ret) {
		hp_fail_errno(err, HP_E_PROC_INJECT, ret, "the registers of thread %d", in->tid);
		goto fail;
	}
	ret = write_frame(in, err);
	if (ret)
		goto fail;
	hp_tracer__begin_calls(in->tracer, in->pid, in->tid);
	*out = in;
	return 0;
fail:
	free_inject(in);
	return ret;
}

/*
 * The thread's next stop. -ETIMEDOUT, and stuck, when there is none in time; and, on the way into the
 * kernel (@enters), soon when it sleeps: the freezer of cgroup v2 lets a thread stop for a tracer and
 * then keeps it from running (do_freezer_trap(), kernel/signal.c).
 */
static int wait_stop(struct hp_inject *in, uint64_t deadline, bool enters, int *status)
{
	uint64_t since = hp_now_ns();

	for (;;) {
		int ret = hp_tracer__wait(in->tid, deadline, enters, status);

		if (ret == -EBUSY || (ret == -EINTR && hp_now_ns() - since > ASLEEP_NS &&
				      hp_stop__is_asleep(in->pid, in->tid))) {
			in->stuck = true;
			return -ETIMEDOUT;
		}
		if (ret != -EINTR)
			return ret;
	}
}

/* Run the thread to its next system call stop. Signals that cannot be blocked are put off. */
static int run_to_syscall(struct hp_inject *in, bool enters)
{
	uint64_t deadline = hp_now_ns() + CALL_TIMEOUT;
	int signal = 0;

	for (;;) {
		int status = 0, ret;

		if (ptrace(PTRACE_SYSCALL, in->tid, 0, signal))
			return -errno;
		ret = wait_stop(in, deadline, enters, &status);
		if (ret)
			return ret;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			return 0;
		if (hp_stop__is_event(status))
			continue;
		/* A fault of the call itself goes nowhere; the caller sees no system call. */
		if (WSTOPSIG(status) == SIGSEGV || WSTOPSIG(status) == SIGBUS ||
		    WSTOPSIG(status) == SIGILL || WSTOPSIG(status) == SIGFPE ||
		    WSTOPSIG(status) == SIGTRAP)
			return -EFAULT;
		in->held = WSTOPSIG(status);
	}
}

/* Set @regs and run to where the kernel is entered. */
static int enter(struct hp_inject *in, const struct hp_arch_regs *regs)
{
	uint64_t all = ~0ull;
	int ret = in->stuck ? -ETIMEDOUT : hp_arch__set_regs(in->tid, regs);

	in->at_exit = false;
	if (ret)
		return ret;
	/* Not before our registers are in place: from then on the frame unblocks them. */
	if (!in->entered && ptrace(PTRACE_SETSIGMASK, in->tid, sizeof(all), &all))
		return -errno;
	in->entered = true;
	return run_to_syscall(in, true);
}

int hp_inject__syscall(struct hp_inject *in, int64_t *result, long nr, uint64_t a, uint64_t b,
		       uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	const uint64_t args[6] = { a, b, c, d, e, f };
	struct hp_arch_regs regs;
	int ret;

	hp_arch_call__syscall(&in->call, nr, args, &regs);
	ret = enter(in, &regs);
	ret = ret ?: run_to_syscall(in, false);
	ret = ret ?: hp_arch__get_regs(in->tid, &regs);
	in->at_exit = !ret;
	if (!ret)
		*result = hp_arch__syscall_result(&regs);
	return ret;
}

int hp_inject__call(struct hp_inject *in, uint64_t *result, uint64_t address)
{
	struct hp_arch_regs regs;
	uint64_t words[2];
	int ret;

	ret = save_stack(in, BELOW_FRAME);
	if (ret)
		return ret;
	in->called = true;
	hp_arch_call__function(&in->call, address, &regs, words);
	ret = hp_memory__write(in->pid, hp_arch__sp(&regs), words, sizeof(words));
	ret = ret ?: enter(in, &regs);
	ret = ret ?: hp_arch__get_regs(in->tid, &regs);
	if (ret)
		return ret;
	*result = hp_arch__entered_nr(&regs);
	hp_arch__skip_syscall(&regs);
	ret = hp_arch__set_regs(in->tid, &regs);
	ret = ret ?: run_to_syscall(in, false);
	in->at_exit = !ret;
	return ret;
}

int hp_inject__scratch(struct hp_inject *in, const void *data, size_t len, uint64_t *address)
{
	if (len > SCRATCH_BYTES)
		return -ENAMETOOLONG;
	*address = (in->call.frame_address - len) & ~7ull;
	if (*address < in->written)
		in->written = *address;
	return hp_memory__write(in->pid, *address, data, len);
}

/*
 * Where functions of the process began to write is not known. Only what they changed is put back:
 * pages of the stack that nobody has used yet shall not be taken for this.
 */
static uint64_t first_changed(const struct hp_inject *in)
{
	size_t len = stack_end(in) - in->saved_from, from = 0;
	_cleanup_free_ uint8_t *now = malloc(len);

	if (!in->called)
		return in->written;
	if (!now || hp_memory__read(in->pid, in->saved_from, now, len))
		return in->saved_from;
	while (from < len && now[from] == saved_of(in, in->saved_from)[from])
		from++;
	return in->saved_from + from;
}

static int restore_stack(const struct hp_inject *in)
{
	uint64_t from = first_changed(in);

	return hp_memory__write(in->pid, from, saved_of(in, from), stack_end(in) - from);
}

/* Another stop of the kind that hp_stop__begin() left, which was asked for. */
static int run_to_event(struct hp_inject *in)
{
	int status = 0, ret;

	if (ptrace(PTRACE_CONT, in->tid, 0, 0))
		return -errno;
	ret = hp_tracer__wait(in->tid, hp_now_ns() + CALL_TIMEOUT, false, &status);
	if (!ret && !hp_stop__is_event(status))
		ret = -EPROTO;
	return ret;
}

/* Stop a thread that is stuck. If it is about to make our system call, it makes none. */
static int halt(struct hp_inject *in)
{
	uint64_t deadline = hp_now_ns() + CALL_TIMEOUT;
	struct hp_arch_regs regs;
	int status = 0, ret;

	ret = ptrace(PTRACE_INTERRUPT, in->tid, 0, 0) ? -errno : 0;
	while (!ret && !in->halted) {
		ret = hp_tracer__wait(in->tid, deadline, false, &status);
		in->halted = !ret && hp_stop__is_event(status);
		if (ret || in->halted)
			break;
		ret = hp_arch__get_regs(in->tid, &regs);
		if (!ret) {
			hp_arch__skip_syscall(&regs);
			ret = hp_arch__set_regs(in->tid, &regs);
		}
		if (!ret && ptrace(PTRACE_CONT, in->tid, 0, 0))
			ret = -errno;
	}
	return ret;
}

/*
 * Back to where the kernel itself decides about the interrupted system call when the thread is let
 * go. That is so where hp_stop__begin() left it, and as well where a system call ends: being
 * detached, it looks for signals once more before it goes on (__ptrace_unlink(), then
 * arch_do_signal_or_restart() with our registers for those of a call that just ended).
 */
static int leave(struct hp_inject *in)
{
	int ret = in->stuck ? halt(in) : 0;

	/* Its frame leads it back, whenever it runs. */
	if (ret)
		return ret;
	ret = in->called ? hp_arch_call__restore_xstate(&in->call, in->tid) : 0;
	if (ptrace(PTRACE_SETSIGMASK, in->tid, sizeof(in->sigmask), &in->sigmask))
		ret = ret ?: -errno;
	/* First, so that not one instruction is run between this stop and the next. */
	if (!in->at_exit && !in->halted && ptrace(PTRACE_INTERRUPT, in->tid, 0, 0))
		ret = ret ?: -errno;
	ret = ret ?: hp_arch__set_regs(in->tid, &in->call.original);
	ret = ret ?: restore_stack(in);
	if (!ret && !in->at_exit && !in->halted)
		ret = run_to_event(in);
	return ret;
}

int hp_inject__end(struct hp_inject *in, struct hp_error *err)
{
	int ret;

	if (in->entered)
		ret = leave(in);
	else
		ret = restore_stack(in);
	hp_tracer__end_calls(in->tracer);
	ptrace(PTRACE_SETOPTIONS, in->tid, 0, PTRACE_O_TRACESYSGOOD);
	if (ret == -ESRCH)
		in->thread->stopped = false;
	else if (in->held)
		kill(in->pid, in->held);
	if (ret == -ESRCH)
		hp_fail(err, HP_E_PROC_GONE, "process %d has ended", in->pid);
	else if (ret)
		hp_fail_errno(err, HP_E_PROC_INJECT, ret, "thread %d cannot be put back", in->tid);
	free_inject(in);
	return ret;
}
