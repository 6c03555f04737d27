// SPDX-License-Identifier: GPL-2.0
/* x86-64: the registers of a stopped thread, and system calls made with them. */
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "arch/arch.h"

/* The kernel's own: never seen outside but by tracers (include/linux/errno.h). */
#define ERESTARTSYS	      512
#define ERESTARTNOINTR	      513
#define ERESTARTNOHAND	      514
#define ERESTART_RESTARTBLOCK 516

#define SYSCALL_BYTES 2	  /* syscall; int 0x80 as well */
#define RED_ZONE      128 /* psABI 3.2.2: below the stack pointer, and not to be touched */
#define XSTATE_MAX    (64 * 1024)

/* arch/x86/include/uapi/asm/sigcontext.h, ucontext.h */
#define FP_XSTATE_MAGIC1_     0x46505853u
#define FP_XSTATE_MAGIC2_     0x46505845u
#define FP_SW_OFFSET	      464
#define XSTATE_HEADER_OFFSET  512
#define XSTATE_MIN	      576
#define XFEATURE_XTILEDATA    18 /* AMX: only for those that asked for it */
#define UC_FP_XSTATE_	      1
#define UC_SIGCONTEXT_SS_     2
#define UC_STRICT_RESTORE_SS_ 4
#define SS_INVALID	      7

struct fp_sw {
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size, padding[7];
};

/* struct rt_sigframe of arch/x86/include/asm/sigframe.h, without the siginfo that nobody reads. */
struct sigframe {
	uint64_t restorer;
	uint64_t flags, link;
	uint64_t stack_pointer, stack_flags, stack_size;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
	uint64_t sigmask;
};

int hp_arch__get_regs(pid_t tid, struct hp_arch_regs *regs)
{
	struct iovec iov = { &regs->gp, sizeof(regs->gp) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov))
		return -errno;
	/* A 32-bit thread has fewer. */
	return iov.iov_len == sizeof(regs->gp) ? 0 : -EOPNOTSUPP;
}

int hp_arch__set_regs(pid_t tid, const struct hp_arch_regs *regs)
{
	struct iovec iov = { (void *)&regs->gp, sizeof(regs->gp) };

	return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov) ? -errno : 0;
}

uint64_t hp_arch__ip(const struct hp_arch_regs *regs)
{
	return regs->gp.rip;
}

uint64_t hp_arch__sp(const struct hp_arch_regs *regs)
{
	return regs->gp.rsp;
}

uint64_t hp_arch__thread_pointer(const struct hp_arch_regs *regs)
{
	return regs->gp.fs_base;
}

size_t hp_arch__words(const struct hp_arch_regs *regs, const uint64_t **words)
{
	*words = (const uint64_t *)(const void *)&regs->gp;
	return sizeof(regs->gp) / sizeof(**words);
}

/*
 * cs, gs, fs and ss of struct sigcontext_64 share a word, in which setup_sigcontext() leaves gs and
 * fs zero. These are the only selectors of 64-bit code (arch/x86/include/asm/segment.h).
 */
#define USER_CS 0x33ull
#define USER_DS 0x2bull

bool hp_arch__is_signal_frame(uint64_t word)
{
	return (word & 0xffff) == USER_CS && word >> 48 == USER_DS;
}

#ifndef NT_X86_SHSTK
#define NT_X86_SHSTK 0x204 /* Linux 6.6 */
#endif

bool hp_arch__has_shadow_stack(pid_t tid)
{
	uint64_t ssp = 0;
	struct iovec iov = { &ssp, sizeof(ssp) };

	return !ptrace(PTRACE_GETREGSET, tid, NT_X86_SHSTK, &iov);
}

static void again(struct hp_arch_regs *regs, uint64_t nr)
{
	regs->gp.rax = nr;
	regs->gp.rip -= SYSCALL_BYTES;
	regs->gp.orig_rax = (uint64_t)-1; /* in no system call any more */
}

bool hp_arch__restart_interrupted(struct hp_arch_regs *regs)
{
	if ((int64_t)regs->gp.rax != -EINTR)
		return false;
	switch ((int64_t)regs->gp.orig_rax) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
	case SYS_io_getevents:
	case SYS_io_pgetevents:
		again(regs, regs->gp.orig_rax);
		return true;
	}
	return false;
}

/* arch_do_signal_or_restart(), arch/x86/kernel/signal.c */
void hp_arch__restart_syscall(struct hp_arch_regs *regs)
{
	if ((int64_t)regs->gp.orig_rax == -1)
		return;
	switch (-(int64_t)regs->gp.rax) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
		again(regs, regs->gp.orig_rax);
		break;
	case ERESTART_RESTARTBLOCK:
		again(regs, SYS_restart_syscall);
		break;
	}
	regs->gp.orig_rax = (uint64_t)-1;
}

static const uint8_t syscall_ret[] = { 0x0f, 0x05, 0xc3 };
/* mov $15, %rax; syscall: debuggers know glibc's __restore_rt by these bytes, so they do not change. */
static const uint8_t restore_rt[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };

static size_t find(const uint8_t *text, size_t len, const uint8_t *what, size_t size)
{
	const uint8_t *at = memmem(text, len, what, size);

	return at ? (size_t)(at - text) : SIZE_MAX;
}

void hp_arch__find_gadgets(const uint8_t *text, size_t len, size_t *syscall, size_t *restore)
{
	*syscall = find(text, len, syscall_ret, sizeof(syscall_ret));
	*restore = find(text, len, restore_rt, sizeof(restore_rt));
}

bool hp_arch__check_gadgets(const uint8_t *syscall, const uint8_t *restore)
{
	return !memcmp(syscall, syscall_ret, sizeof(syscall_ret)) &&
	       !memcmp(restore, restore_rt, sizeof(restore_rt));
}

/* Where each feature ends in the standard XSAVE layout, 0 for one that is not there (SDM 1, 13.4.3). */
static uint32_t xstate_ends[63];

static void read_xstate_ends(void)
{
	unsigned int eax, ebx, ecx, edx;
	uint64_t there;

	if (!__get_cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx))
		return;
	there = eax | (uint64_t)edx << 32;
	for (unsigned int i = 2; i < 63; i++) {
		if (!(there >> i & 1))
			continue;
		__cpuid_count(0xd, i, eax, ebx, ecx, edx);
		xstate_ends[i] = ebx + eax;
	}
}

void hp_arch_call__learn(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_xstate_ends);
}

/* Bytes of the standard XSAVE layout that the features in @mask take. */
static size_t xstate_size(uint64_t mask)
{
	size_t size = XSTATE_MIN;

	for (unsigned int i = 2; i < 63; i++)
		if ((mask >> i & 1) && xstate_ends[i] > size)
			size = xstate_ends[i];
	return size;
}

/* Turn what ptrace gives into what rt_sigreturn takes: __fpu_restore_sig(), kernel/fpu/signal.c. */
static size_t fill_fpstate(uint8_t *out, const uint8_t *xstate, size_t len)
{
	uint32_t magic2 = FP_XSTATE_MAGIC2_;
	struct fp_sw sw = { .magic1 = FP_XSTATE_MAGIC1_ };
	uint64_t xcr0, in_use;
	size_t size;

	/* ptrace leaves XCR0 in the bytes that software may use. */
	memcpy(&xcr0, xstate + FP_SW_OFFSET, sizeof(xcr0));
	memcpy(&in_use, xstate + XSTATE_HEADER_OFFSET, sizeof(in_use));
	if (!(in_use >> XFEATURE_XTILEDATA & 1))
		xcr0 &= ~(1ull << XFEATURE_XTILEDATA);
	size = xstate_size(xcr0);
	if (size > len)
		size = len;
	memcpy(out, xstate, size);
	sw.xfeatures = xcr0;
	sw.xstate_size = (uint32_t)size;
	sw.extended_size = (uint32_t)(size + sizeof(magic2));
	memcpy(out + FP_SW_OFFSET, &sw, sizeof(sw));
	memcpy(out + size, &magic2, sizeof(magic2));
	return size + sizeof(magic2);
}

static void fill_frame(struct sigframe *f, const struct hp_arch_regs *regs, uint64_t sigmask)
{
	const struct user_regs_struct *r = &regs->gp;

	*f = (struct sigframe){
		.flags = UC_FP_XSTATE_ | UC_SIGCONTEXT_SS_ | UC_STRICT_RESTORE_SS_,
		/* sigaltstack() refuses it, and rt_sigreturn does not mind: the stack stays. */
		.stack_flags = SS_INVALID,
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.di = r->rdi,
		.si = r->rsi,
		.bp = r->rbp,
		.bx = r->rbx,
		.dx = r->rdx,
		.ax = r->rax,
		.cx = r->rcx,
		.sp = r->rsp,
		.ip = r->rip,
		.eflags = r->eflags,
		.cs = (uint16_t)r->cs,
		.ss = (uint16_t)r->ss,
		.sigmask = sigmask,
	};
}

/* What ptrace gives, in memory of its size. */
static int read_xstate(struct hp_arch_call *call, pid_t tid)
{
	uint8_t all[XSTATE_MAX]; /* not cleared: most processors have much less */
	struct iovec iov = { all, sizeof(all) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &iov) || iov.iov_len < XSTATE_MIN)
		return errno ? -errno : -EIO;
	call->xstate_len = iov.iov_len;
	call->xstate = malloc(iov.iov_len);
	call->frame = calloc(1, sizeof(struct sigframe) + iov.iov_len + 128);
	if (!call->xstate || !call->frame)
		return -ENOMEM;
	memcpy(call->xstate, all, iov.iov_len);
	return 0;
}

int hp_arch_call__prepare(struct hp_arch_call *call, pid_t tid, const struct hp_arch_regs *regs,
			  uint64_t sigmask, const struct hp_arch_gadgets *gadgets)
{
	struct hp_arch_regs resumed;
	struct sigframe *frame;
	uint64_t fpstate;
	int ret;

	hp_arch_call__learn();
	memset(call, 0, sizeof(*call));
	call->gadgets = *gadgets;
	call->original = *regs;
	ret = read_xstate(call, tid);
	if (ret) {
		hp_arch_call__free(call);
		return ret;
	}

	/* From the top: red zone, FP state (aligned to 64), frame; the frame as after a call. */
	fpstate = (call->original.gp.rsp - RED_ZONE - call->xstate_len - 64) & ~63ull;
	call->frame_address = ((fpstate - sizeof(*frame)) & ~15ull) - 8;
	frame = (struct sigframe *)call->frame;
	resumed = call->original;
	hp_arch__restart_syscall(&resumed);
	fill_frame(frame, &resumed, sigmask);
	frame->restorer = gadgets->restore;
	frame->fpstate = fpstate;
	call->frame_len = (size_t)(fpstate - call->frame_address);
	call->frame_len +=
		fill_fpstate(call->frame + call->frame_len, call->xstate, call->xstate_len);
	return 0;
}

void hp_arch_call__free(struct hp_arch_call *call)
{
	free(call->xstate);
	free(call->frame);
	memset(call, 0, sizeof(*call));
}

void hp_arch_call__syscall(const struct hp_arch_call *call, long nr, const uint64_t args[6],
			   struct hp_arch_regs *regs)
{
	*regs = call->original;
	regs->gp.orig_rax = (uint64_t)-1; /* nothing to restart */
	regs->gp.rip = call->gadgets.syscall;
	regs->gp.rsp = call->frame_address;
	regs->gp.rax = (uint64_t)nr;
	regs->gp.rdi = args[0];
	regs->gp.rsi = args[1];
	regs->gp.rdx = args[2];
	regs->gp.r10 = args[3];
	regs->gp.r8 = args[4];
	regs->gp.r9 = args[5];
}

void hp_arch_call__function(const struct hp_arch_call *call, uint64_t address,
			    struct hp_arch_regs *regs, uint64_t words[2])
{
	/* The gadget's own return goes through one more return to where the frame begins. */
	words[0] = call->gadgets.syscall;
	words[1] = call->gadgets.syscall + SYSCALL_BYTES;
	*regs = call->original;
	regs->gp.orig_rax = (uint64_t)-1;
	regs->gp.rip = address;
	/* The frame's address is 8 off a multiple of 16; at an entry the stack pointer must be so. */
	regs->gp.rsp = call->frame_address - 16;
	regs->gp.eflags &= ~0x400ull; /* the direction flag is clear at an entry (psABI 3.2.1) */
}

uint64_t hp_arch__entered_nr(const struct hp_arch_regs *regs)
{
	return regs->gp.orig_rax;
}

void hp_arch__skip_syscall(struct hp_arch_regs *regs)
{
	regs->gp.orig_rax = (uint64_t)-1;
}

int64_t hp_arch__syscall_result(const struct hp_arch_regs *regs)
{
	return (int64_t)regs->gp.rax;
}

int hp_arch_call__restore_xstate(const struct hp_arch_call *call, pid_t tid)
{
	struct iovec iov = { call->xstate, call->xstate_len };

	return ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &iov) ? -errno : 0;
}
