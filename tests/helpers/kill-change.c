// SPDX-License-Identifier: GPL-2.0
/*
 * kill-change [--flock | --mkdir] [--changes | --pins] N COMMAND…: run COMMAND under ptrace and kill it at the N-th
 * system call that it makes from its first PTRACE_SEIZE (flock, mkdir) on, before the kernel does it.
 * --changes: of those that can change anything outside of its own memory and descriptors; --pins: of
 * those that make something in a BPF file system. Status 0
 * when it was killed, 3 when it ended before. Its standard output goes to /dev/null.
 *
 * --fail ERRNO, the last option: do not kill it, but let this call fail with that error. Then the
 * status is COMMAND's, 99 when it made no such call, and its output stays where it is.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* bpf(2) makes and changes objects by these; all others look at them. */
static bool bpf_changes(unsigned long long command)
{
	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_DELETE_ELEM:
	case BPF_MAP_FREEZE:
	case BPF_PROG_LOAD:
	case BPF_PROG_ATTACH:
	case BPF_OBJ_PIN:
	case BPF_RAW_TRACEPOINT_OPEN:
	case BPF_BTF_LOAD:
	case BPF_LINK_CREATE:
	case BPF_LINK_UPDATE:
	case BPF_LINK_DETACH:
		return true;
	default:
		return false;
	}
}

/*
 * Calls that are not here read, or concern the process itself. membarrier, clone, kill and wait4 change
 * nothing that lasts, but mark what was stored to mapped memory before them.
 */
static bool changes(const struct user_regs_struct *regs)
{
	switch ((long)regs->orig_rax) {
	case SYS_bpf:
		return bpf_changes(regs->rdi);
	case SYS_open:
		return regs->rsi & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
	case SYS_openat:
		return regs->rdx & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
	case SYS_write:
		return regs->rdi > STDERR_FILENO;
	case SYS_flock:
	case SYS_mkdir:
	case SYS_mkdirat:
	case SYS_rmdir:
	case SYS_unlink:
	case SYS_unlinkat:
	case SYS_rename:
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_link:
	case SYS_linkat:
	case SYS_symlink:
	case SYS_mount:
	case SYS_umount2:
	case SYS_ioctl:
	case SYS_membarrier:
	case SYS_clone:
	case SYS_vfork:
	case SYS_kill:
	case SYS_wait4:
	case SYS_exit_group:
		return true;
	default:
		return false;
	}
}

/* The system call that @pid is entering fails with @error; from there on it runs alone. */
static int fail_call(pid_t pid, struct user_regs_struct *regs, int error)
{
	int status;

	regs->orig_rax = (unsigned long long)-1; /* none */
	ptrace(PTRACE_SETREGS, pid, 0, regs);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 2;
	ptrace(PTRACE_GETREGS, pid, 0, regs);
	regs->rax = (unsigned long long)-error;
	ptrace(PTRACE_SETREGS, pid, 0, regs);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 2;
	return WEXITSTATUS(status);
}

static bool pins(const struct user_regs_struct *regs)
{
	return (long)regs->orig_rax == SYS_mkdir ||
	       ((long)regs->orig_rax == SYS_bpf && regs->rdi == BPF_OBJ_PIN);
}

static bool any(const struct user_regs_struct *regs)
{
	return true;
}

int main(int argc, char **argv)
{
	bool (*counts)(const struct user_regs_struct *regs) = any;
	bool counting = false, entering = false;
	long from = SYS_ptrace;
	int status, error = 0;
	long left;
	pid_t pid;

	if (argc > 1 && !strcmp(argv[1], "--flock"))
		from = SYS_flock;
	else if (argc > 1 && !strcmp(argv[1], "--mkdir"))
		from = SYS_mkdir;
	argc -= from != SYS_ptrace;
	argv += from != SYS_ptrace;
	if (argc > 1 && (!strcmp(argv[1], "--changes") || !strcmp(argv[1], "--pins"))) {
		counts = strcmp(argv[1], "--pins") ? changes : pins;
		argc--;
		argv++;
	}
	if (argc > 2 && !strcmp(argv[1], "--fail")) {
		error = atoi(argv[2]);
		argc -= 2;
		argv += 2;
	}
	if (argc < 3 || (left = atol(argv[1])) <= 0) {
		fprintf(stderr, "usage: kill-change N COMMAND…\n");
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		if (!error)
			dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 2;
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		struct user_regs_struct regs;
		int signal = 0;

		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			entering = !entering;
			ptrace(PTRACE_GETREGS, pid, 0, &regs);
			counting |= entering && (long)regs.orig_rax == from &&
				    (from != SYS_ptrace || regs.rdi == PTRACE_SEIZE);
			if (entering && counting && counts(&regs) && --left == 0) {
				if (error)
					return fail_call(pid, &regs, error);
				kill(pid, SIGKILL);
				waitpid(pid, &status, 0);
				return 0;
			}
		} else if (WSTOPSIG(status) != SIGTRAP) {
			signal = WSTOPSIG(status);
		}
		ptrace(PTRACE_SYSCALL, pid, 0, signal);
	}
	return error ? 99 : 3;
}
