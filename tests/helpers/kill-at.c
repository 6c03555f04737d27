// SPDX-License-Identifier: GPL-2.0
/*
 * kill-at [OPTION…] N COMMAND…: run COMMAND under ptrace and kill it at the N-th of its system calls, before
 * the kernel does it.
 *
 *   --from CALL     count from the first flock or mkdir on, or from the first PTRACE_SEIZE (seize, the default)
 *   --only WHAT     count changes: calls that can change anything outside of its own memory and descriptors;
 *                   or pins: those that make something in a BPF file system
 *   --child         count the calls of the process that it forks, all of them, and kill that one: COMMAND goes
 *                   on, and its status is on standard error
 *   --both          the same, and kill COMMAND too
 *   --victim PID    kill this process: COMMAND goes on
 *   --fail ERRNO    kill nothing, but let the call fail with this error
 *   --all           with --fail: and all behind it that count
 *
 * The calls of all its threads count. Status 0 when it was killed, 3 when it ended before; with --victim and
 * --fail that of COMMAND (99: it made no call that could fail), whose standard output is /dev/null otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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

typedef struct __ptrace_syscall_info call_info;

static pid_t command, child, victim;
static bool of_child, both, all;
static int error;
static long from = SYS_ptrace;
static bool (*counts)(const call_info *call);

/* bpf(2) makes and changes objects by these; all others look at them. */
static bool bpf_changes(unsigned long long what)
{
	switch (what) {
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
static bool changes(const call_info *call)
{
	const int writes = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;

	switch ((long)call->entry.nr) {
	case SYS_bpf:
		return bpf_changes(call->entry.args[0]);
	case SYS_open:
		return call->entry.args[1] & writes;
	case SYS_openat:
		return call->entry.args[2] & writes;
	case SYS_write:
		return call->entry.args[0] > STDERR_FILENO;
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

static bool pins(const call_info *call)
{
	return (long)call->entry.nr == SYS_mkdir ||
	       ((long)call->entry.nr == SYS_bpf && call->entry.args[0] == BPF_OBJ_PIN);
}

/* @pid, which stopped at @call, enters one that counts. */
static bool is_counted(pid_t pid, const call_info *call)
{
	static bool begun;

	if (call->op != PTRACE_SYSCALL_INFO_ENTRY || of_child != (pid == child))
		return false;
	begun |= of_child || ((long)call->entry.nr == from &&
			      (from != SYS_ptrace || call->entry.args[0] == PTRACE_SEIZE));
	return begun && (!counts || counts(call));
}

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Kill who is to be killed at this call, and wait for its end, and for that of what goes on. */
static int end(void)
{
	pid_t pid;
	int status;

	kill(of_child ? child : command, SIGKILL);
	if (both)
		kill(command, SIGKILL);
	/* Its parent hears of it when its tracer has. */
	if (of_child)
		waitpid(child, &status, __WALL);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status))
			ptrace(PTRACE_DETACH, pid, 0, 0);
		else if (pid == command)
			break;
	}
	if (of_child && !both)
		fprintf(stderr, "%d\n", status_of(status));
	return 0;
}

/* The system call that @pid is entering fails. */
static void fail_call(pid_t pid)
{
	struct user_regs_struct regs;
	int status;

	ptrace(PTRACE_GETREGS, pid, 0, &regs);
	regs.orig_rax = (unsigned long long)-1; /* none */
	ptrace(PTRACE_SETREGS, pid, 0, &regs);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		exit(2);
	ptrace(PTRACE_GETREGS, pid, 0, &regs);
	regs.rax = (unsigned long long)-error;
	ptrace(PTRACE_SETREGS, pid, 0, &regs);
}

/* Follow the command until the call is the @left-th, or it ends. Returns our status. */
static int follow(long left)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		call_info call = { 0 };
		unsigned long message;
		int signal = 0;

		if (!WIFSTOPPED(status)) {
			if (pid != command)
				continue;
			if (error)
				return left <= 0 ? status_of(status) : 99;
			return victim ? status_of(status) : 3;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(call), &call);
			if (is_counted(pid, &call) && (--left == 0 || (all && left < 0))) {
				if (!error && !victim)
					return end();
				if (error)
					fail_call(pid);
				else
					kill(victim, SIGKILL);
			}
		} else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_FORK << 8)) {
			ptrace(PTRACE_GETEVENTMSG, pid, 0, &message);
			child = (pid_t)message;
		} else if (WSTOPSIG(status) != SIGTRAP &&
			   !(WSTOPSIG(status) == SIGSTOP && pid != command)) {
			signal = WSTOPSIG(status); /* not the stop with which a new one begins */
		}
		ptrace(PTRACE_SYSCALL, pid, 0, signal);
	}
	return 3;
}

static int usage(void)
{
	fprintf(stderr, "usage: kill-at [--from seize|flock|mkdir] [--only changes|pins] "
			"[--child] [--both|--victim PID|--fail ERRNO [--all]] N COMMAND…\n");
	return 2;
}

static int take_option(int option)
{
	switch (option) {
	case 'f':
		from = !strcmp(optarg, "flock")	  ? SYS_flock
		       : !strcmp(optarg, "mkdir") ? SYS_mkdir
		       : !strcmp(optarg, "seize") ? SYS_ptrace
						  : -1;
		return from < 0;
	case 'o':
		counts = !strcmp(optarg, "changes") ? changes
			 : !strcmp(optarg, "pins")  ? pins
						    : NULL;
		return !counts;
	case 'b':
		both = true;
		of_child = true;
		return 0;
	case 'c':
		of_child = true;
		return 0;
	case 'v':
		victim = atoi(optarg);
		return victim <= 0;
	case 'e':
		error = atoi(optarg);
		return error <= 0;
	case 'a':
		all = true;
		return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "from", required_argument, NULL, 'f' },
		{ "only", required_argument, NULL, 'o' },
		{ "child", no_argument, NULL, 'c' },
		{ "both", no_argument, NULL, 'b' },
		{ "victim", required_argument, NULL, 'v' },
		{ "fail", required_argument, NULL, 'e' },
		{ "all", no_argument, NULL, 'a' },
		{ 0 },
	};
	long number, traced = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE;
	int option, status;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
		if (take_option(option))
			return usage();
	if (argc - optind < 2 || (number = atol(argv[optind])) <= 0 ||
	    (victim && (of_child || error)) || (both && error) || (all && !error))
		return usage();
	argv += optind + 1;
	command = fork();
	if (command == 0) {
		if (!victim && !error)
			dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (waitpid(command, &status, 0) != command || !WIFSTOPPED(status))
		return 2;
	ptrace(PTRACE_SETOPTIONS, command, 0, of_child ? traced | PTRACE_O_TRACEFORK : traced);
	ptrace(PTRACE_SYSCALL, command, 0, 0);
	return follow(number);
}
