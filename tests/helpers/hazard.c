// SPDX-License-Identifier: GPL-2.0
/*
 * Walks into hazard 1 on purpose: attaches an fentry, then an fexit program to a function that is
 * livepatched already, as a tool that knows nothing of livepatches would. On Linux 6.1 both calls
 * succeed, ftrace shuts down, and the livepatch is silently undone.
 *
 *   hazard FUNCTION [COMMAND…]: attach both, say so, run COMMAND (or wait for end of file on the
 *   standard input), detach.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static int attach(const char *function, enum bpf_attach_type type)
{
	/* return 0 */
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);
	int id = libbpf_find_vmlinux_btf_id(function, type);
	int fd;

	if (id < 0)
		return id;
	opts.attach_btf_id = (unsigned int)id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "hazard", "GPL", insns, 2, &opts);
	return fd < 0 ? -errno : bpf_raw_tracepoint_open(NULL, fd);
}

int main(int argc, char **argv)
{
	int fentry, fexit;
	char byte;

	if (argc < 2) {
		fprintf(stderr, "usage: hazard FUNCTION [COMMAND...]\n");
		return 2;
	}
	fentry = attach(argv[1], BPF_TRACE_FENTRY);
	fexit = attach(argv[1], BPF_TRACE_FEXIT);
	printf("fentry %s, fexit %s\n", fentry < 0 ? strerror(-fentry) : "attached",
	       fexit < 0 ? strerror(-fexit) : "attached");
	fflush(stdout);
	if (argc > 2) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			execvp(argv[2], argv + 2);
			_exit(127);
		}
		if (waitpid(pid, &status, 0) != pid)
			return 1;
		return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return fentry < 0 || fexit < 0;
}
