/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that the proc engine knows about a processor: its jumps, its relocations, its registers, and
 * how a system call is made in a stopped thread. What single instructions say is text.h. Each file of this
 * folder is for one processor, and says so in its name.
 */
#ifndef HP_ARCH_ARCH_H
#define HP_ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/error.h"

/* jump.c: entries and jumps */

#define HP_ARCH_ENTRY_MAX 16		  /* the most bytes at an entry that matter to a jump */
#define HP_ARCH_REACH	  (0x7fff0000ull) /* how far from the target a replacement may lie */

/* Where at a function's entry the jump is written: [skip, skip + length) is overwritten. */
struct hp_arch_entry {
	uint8_t skip; /* a landing pad (endbr64) is kept */
	uint8_t length;
};

/*
 * Plan the jump at the entry of a function of @size bytes; @code holds @len bytes from there on,
 * at least what follows the function up to the next 16-byte boundary, where it can be had.
 * -ENOSPC when it has no room: the function is shorter, and what follows is no padding.
 */
int hp_arch__plan_entry(const uint8_t *code, size_t len, uint64_t size, struct hp_arch_entry *out);

/* A jump at address @from to @to, entry->length bytes. -ERANGE when it is too far. */
int hp_arch__encode_jump(uint64_t from, uint64_t to, uint8_t *code);

/* True if @code, which runs at @from, is such a jump; @to is where it goes. */
bool hp_arch__decode_jump(const uint8_t *code, size_t len, uint64_t from, uint64_t *to);

/* The same of a direct call: its length, or 0 when it is none. */
size_t hp_arch__decode_call(const uint8_t *code, size_t len, uint64_t from, uint64_t *to);

/* True if @code begins with a breakpoint. */
bool hp_arch__is_breakpoint(const uint8_t *code, size_t len);

#define HP_ARCH_EXITS_MAX 4

/* Where the calls that run an old body come out of the bytes that a jump overwrites: probes stand there. */
struct hp_arch_exits {
	struct {
		uint64_t offset;
		bool depth_known;
		uint64_t depth; /* bytes on the stack there, above the return address */
	} at[HP_ARCH_EXITS_MAX];
	size_t count;
	bool complete; /* each call comes by one of them; else some leave, or end, before */
	bool at_most;  /* the function also comes there otherwise: a call may be counted twice */
};

/*
 * The exits of the function @code, which is the whole of it. -EILSEQ when part of it is no code,
 * -E2BIG when there are too many.
 */
int hp_arch__exits(const uint8_t *code, size_t len, const struct hp_arch_entry *entry,
		   struct hp_arch_exits *out);

/*
 * How many bytes the function has on the stack, above its return address, at offset @at: *@depth.
 * -ENOENT when that is not known.
 */
int hp_arch__stack_depth(const uint8_t *code, size_t len, uint64_t at, uint64_t *depth);

/*
 * True if the function jumps back into what is overwritten, so that a thread in the old body could
 * run into the middle of the jump. Said too when part of the function is no code: nobody knows.
 */
bool hp_arch__jumps_into_entry(const uint8_t *code, size_t len, const struct hp_arch_entry *entry);

/* True if the function calls others, or may: it can be left in the middle for another stack. */
bool hp_arch__calls_others(const uint8_t *code, size_t len);

/* True if the instruction @code jumps, or calls, to where memory says (through a table). */
bool hp_arch__is_indirect_jump(const uint8_t *code, size_t len);
bool hp_arch__is_indirect_call(const uint8_t *code, size_t len);

/* probes */

/*
 * True if the kernel emulates the instruction @code when a uprobe stands there. Others it runs
 * elsewhere, with one trap more, for which a timing has to allow.
 */
bool hp_arch__probe_is_emulated(const uint8_t *code, size_t len);

/*
 * Where the function @code returns: the offsets of all its return instructions, at most @max.
 * Returns how many there are; -EXDEV when it may be left in another way (a jump to another
 * function), -EILSEQ when part of it is no code, -E2BIG when there are more.
 */
int hp_arch__returns(const uint8_t *code, size_t len, uint64_t *offsets, size_t max);

/*
 * Functions that do nothing, to measure on what a probe costs: one begins with an instruction that
 * is emulated, the other with one that is not. Each has one return, at the offset below.
 */
void hp_arch_empty_emulated(void);
void hp_arch_empty_stepped(void);

#define HP_ARCH_EMPTY_RETURN 2

/* relocations */

extern const uint16_t hp_arch_elf_machine; /* EM_* */

enum hp_arch_reloc {
	HP_RELOC_NONE,
	HP_RELOC_RELATIVE, /* bias + addend */
	HP_RELOC_SYMBOL,   /* symbol + addend, 64 bits */
	HP_RELOC_UNSUPPORTED,
};

/* What relocation type @type asks for. */
enum hp_arch_reloc hp_arch__reloc(uint32_t type);

/* True if relocation type @type is of a pointer that calls, and whoever wants the address, go through. */
bool hp_arch__is_slot(uint32_t type);

/* registers and system calls of a thread that is stopped by ptrace */

struct hp_arch_regs {
	struct user_regs_struct gp;
};

int hp_arch__get_regs(pid_t tid, struct hp_arch_regs *regs);
int hp_arch__set_regs(pid_t tid, const struct hp_arch_regs *regs);
uint64_t hp_arch__ip(const struct hp_arch_regs *regs);
uint64_t hp_arch__sp(const struct hp_arch_regs *regs);

/* The address of the thread control block, which lies on top of a thread's own stack. */
uint64_t hp_arch__thread_pointer(const struct hp_arch_regs *regs);

/* All general registers as words, any of which may hold a return address; returns how many. */
size_t hp_arch__words(const struct hp_arch_regs *regs, const uint64_t **words);

/* True for a word that the kernel writes into each signal frame; others may look like it. */
bool hp_arch__is_signal_frame(uint64_t word);

/*
 * The thread was interrupted in a system call that says EINTR where others are started again by
 * the kernel (epoll_wait and its like; signal(7), "Interruption of system calls … by stop
 * signals"): make @regs start it again. False, and nothing changed, when it is none of those.
 */
bool hp_arch__restart_interrupted(struct hp_arch_regs *regs);

/* True if the thread keeps its return addresses on a shadow stack too: none of ours is there. */
bool hp_arch__has_shadow_stack(pid_t tid);

/* What the kernel would make of @regs when it leaves an interrupted system call (ERESTART…). */
void hp_arch__restart_syscall(struct hp_arch_regs *regs);

/* The code in a process that calls are made with: found in its libraries, nothing is written. */
struct hp_arch_gadgets {
	uint64_t syscall; /* "make a system call, return" */
	uint64_t restore; /* "rt_sigreturn", as the C library has for signal handlers */
};

/* Offsets of the two in @text, SIZE_MAX for one that is not there. */
void hp_arch__find_gadgets(const uint8_t *text, size_t len, size_t *syscall, size_t *restore);
/* True if the bytes are still there; @code holds 16 bytes of each. */
bool hp_arch__check_gadgets(const uint8_t *syscall, const uint8_t *restore);

/*
 * Registers that calls are made with. When the tracer dies in the middle of a call, the thread
 * goes on by itself: from the gadget to the frame on its stack, a signal frame that holds
 * everything, and so back to where it was interrupted.
 */
struct hp_arch_call {
	struct hp_arch_regs original; /* as interrupted */
	void *xstate;		      /* FP, SSE, AVX …, as ptrace gives them; owned */
	size_t xstate_len;
	uint64_t
		frame_address; /* on the thread's stack, below its red zone; what is written there: */
	uint8_t *frame;	       /* owned */
	size_t frame_len;
	struct hp_arch_gadgets gadgets;
};

/*
 * Find out about this processor what planning a frame takes, while nothing waits for it yet: under a
 * hypervisor, each question to the processor (cpuid) takes as long as a system call or longer.
 */
void hp_arch_call__learn(void);

/*
 * Plan the frame of thread @tid, whose registers are @regs and which blocks @sigmask; the rest of its
 * state is read. Nothing is written yet.
 */
int hp_arch_call__prepare(struct hp_arch_call *call, pid_t tid, const struct hp_arch_regs *regs,
			  uint64_t sigmask, const struct hp_arch_gadgets *gadgets);
void hp_arch_call__free(struct hp_arch_call *call);

/* Registers that make system call @nr, when the frame is in place. */
void hp_arch_call__syscall(const struct hp_arch_call *call, long nr, const uint64_t args[6],
			   struct hp_arch_regs *regs);

/*
 * Registers that call the function at @address without arguments. It returns, through @words that
 * the caller writes at regs' stack pointer, to the system call gadget: the result is seen where
 * that call is entered (hp_arch__entered_nr()), and hp_arch__skip_syscall() makes nothing of it.
 */
void hp_arch_call__function(const struct hp_arch_call *call, uint64_t address,
			    struct hp_arch_regs *regs, uint64_t words[2]);
uint64_t hp_arch__entered_nr(const struct hp_arch_regs *regs);
void hp_arch__skip_syscall(struct hp_arch_regs *regs);
int64_t hp_arch__syscall_result(const struct hp_arch_regs *regs);

/* Put the FP state back. */
int hp_arch_call__restore_xstate(const struct hp_arch_call *call, pid_t tid);

#endif
