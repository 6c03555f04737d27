// SPDX-License-Identifier: GPL-2.0
/*
 * kill-loader [--flock | --mkdir | --child | --both] N COMMAND…: run COMMAND under ptrace and kill it at
 * the N-th system call that it makes from its first PTRACE_SEIZE (flock, mkdir) on, before the kernel
 * does it. With --child the calls of the process that it forks count, and that one is killed; with
 * --both it and COMMAND are. Status 0 when it was killed (--child: then COMMAND goes on, and its
 * status is on standard error), 3 when it ended before. Its standard output goes to /dev/null.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANY (-1L)

static pid_t command, child;
static bool both, of_child;

/* Stop at @call only: each stop at a system call costs more than most of them do. */
static void stop_at(long call)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* A stop of one of whom all calls are stops: is it one that counts? */
static bool is_counted(pid_t pid, long from)
{
	static bool entering[2], counting[2];
	struct user_regs_struct regs;
	int who = pid != command;

	entering[who] = !entering[who];
	if (!entering[who])
		return false;
	ptrace(PTRACE_GETREGS, pid, 0, &regs);
	counting[who] |= from == ANY || ((long)regs.orig_rax == from &&
					 (from != SYS_ptrace || regs.rdi == PTRACE_SEIZE));
	return counting[who];
}

/* Kill, and wait until what goes on has ended. */
static void end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	if (both)
		kill(command, SIGKILL);
	/* Its parent hears of it when its tracer has. */
	if (pid != command)
		waitpid(pid, &status, __WALL);
	while (waitpid(command, &status, 0) == command && WIFSTOPPED(status))
		ptrace(PTRACE_DETACH, command, 0, 0);
	if (of_child && !both)
		fprintf(stderr, "%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *option;
		long from;
		bool child, both;
	} modes[] = {
		{ "--flock", SYS_flock, false, false },
		{ "--mkdir", SYS_mkdir, false, false },
		{ "--child", ANY, true, false },
		{ "--both", ANY, true, true },
	};
	long from = SYS_ptrace, options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	bool all = false; /* calls of the command are stops */
	long left;
	int status;
	pid_t pid;

	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[1], modes[i].option))
			continue;
		from = modes[i].from;
		of_child = modes[i].child;
		both = modes[i].both;
		argc--;
		argv++;
		break;
	}
	if (argc < 3 || (left = atol(argv[1])) <= 0) {
		fprintf(stderr, "usage: kill-loader [--flock|--mkdir|--child|--both] N COMMAND…\n");
		return 2;
	}
	command = fork();
	if (command == 0) {
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		if (from == SYS_flock || from == SYS_mkdir)
			stop_at(from);
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (waitpid(command, &status, 0) != command || !WIFSTOPPED(status))
		return 2;
	if (of_child)
		options |= PTRACE_O_TRACEFORK;
	else if (from == SYS_ptrace)
		all = true;
	else
		options |= PTRACE_O_TRACESECCOMP;
	ptrace(PTRACE_SETOPTIONS, command, 0, options);
	ptrace(all ? PTRACE_SYSCALL : PTRACE_CONT, command, 0, 0);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int signal = 0;
		bool counted = false;

		if (!WIFSTOPPED(status)) {
			if (pid == command)
				return 3;
			child = 0;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			counted = is_counted(pid, from);
		} else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
			/* In the midst of the first one; from here on, all are stops, these twice. */
			counted = !all && is_counted(pid, from);
			all = true;
		} else if (pid != command && pid != child) {
			child = pid; /* its first stop */
		} else if (WSTOPSIG(status) != SIGTRAP) {
			signal = WSTOPSIG(status);
		}
		if (counted && --left == 0) {
			end(pid);
			return 0;
		}
		ptrace(all || pid == child ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0, signal);
	}
	return 3;
}
