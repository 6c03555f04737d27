// SPDX-License-Identifier: GPL-2.0
/*
 * kill-at [--flock | --mkdir | --victim=PID] N COMMAND…: run COMMAND under ptrace and kill it at the N-th system call
 * that it makes from its first PTRACE_SEIZE (flock, mkdir) on, before the kernel does it. Status 0
 * when it was killed, 3 when it ended before. The calls of all its threads count. Its standard
 * output goes to /dev/null.
 *
 * With --victim it is process PID that is killed, and COMMAND goes on: its output is kept, and its
 * exit status is ours.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	bool counting = false;
	long from = SYS_ptrace;
	pid_t victim = 0;
	long left;
	int status;
	pid_t pid, tid;

	if (argc > 1 && !strcmp(argv[1], "--flock"))
		from = SYS_flock;
	else if (argc > 1 && !strcmp(argv[1], "--mkdir"))
		from = SYS_mkdir;
	else if (argc > 1 && !strncmp(argv[1], "--victim=", 9))
		victim = atoi(argv[1] + 9);
	argc -= from != SYS_ptrace || victim;
	argv += from != SYS_ptrace || victim;
	if (argc < 3 || (left = atol(argv[1])) <= 0) {
		fprintf(stderr, "usage: kill-at N COMMAND…\n");
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		if (!victim)
			dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 2;
	ptrace(PTRACE_SETOPTIONS, pid, 0,
	       PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		struct __ptrace_syscall_info info = { 0 };
		int signal = 0;

		if (!WIFSTOPPED(status)) {
			if (tid == pid)
				return victim && WIFEXITED(status) ? WEXITSTATUS(status) : 3;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info);
			if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
				counting |=
					(long)info.entry.nr == from &&
					(from != SYS_ptrace || info.entry.args[0] == PTRACE_SEIZE);
				if (counting && --left == 0 && victim) {
					kill(victim, SIGKILL);
				} else if (counting && left == 0) {
					kill(pid, SIGKILL);
					while ((tid = waitpid(-1, &status, __WALL)) > 0)
						if (tid == pid && !WIFSTOPPED(status))
							return 0;
					return 0;
				}
			}
		} else if (WSTOPSIG(status) == SIGSTOP && tid != pid) {
			/* A new thread begins with it. */
			signal = 0;
		} else if (WSTOPSIG(status) != SIGTRAP) {
			signal = WSTOPSIG(status);
		}
		ptrace(PTRACE_SYSCALL, tid, 0, signal);
	}
	return 3;
}
