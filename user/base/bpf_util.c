// SPDX-License-Identifier: GPL-2.0
/* What every user of libbpf here needs besides libbpf. */
#include "base/bpf_util.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define TAIL_LINES 6

static bool is_statistics(const char *line)
{
	/* print_verification_stats() in kernel/bpf/verifier.c */
	return !strncmp(line, "processed ", 10) || !strncmp(line, "verification time ", 18) ||
	       !strncmp(line, "stack depth ", 12);
}

static const char *line_start(const char *log, const char *end)
{
	while (end > log && end[-1] != '\n')
		end--;
	return end;
}

void hp_bpf__log_tail(const char *log, char *out, size_t size)
{
	const char *end = log + strlen(log), *start;
	int lines;

	for (;;) {
		while (end > log && end[-1] == '\n')
			end--;
		start = line_start(log, end);
		if (start == end || !is_statistics(start))
			break;
		end = start;
	}
	for (lines = 1; lines < TAIL_LINES && start > log; lines++) {
		const char *before = line_start(log, start - 1);

		if ((size_t)(end - before) >= size)
			break;
		start = before;
	}
	snprintf(out, size, "%.*s", (int)(end - start), start);
}

int hp_bpf__fail_verifier(struct hp_error *err, enum hp_reason reason, const char *what,
			  const char *log)
{
	char tail[4096];
	const char *line;

	hp_bpf__log_tail(log, tail, sizeof(tail));
	line = strrchr(tail, '\n');
	if (hp_log_shows(HP_LOG_INFO))
		hp_info("the verifier's log:\n%s", log);
	else
		hp_warn("the verifier's last lines (all of them with -v):\n%s", tail);
	return hp_fail(err, reason, "the verifier refuses %s: %.200s", what,
		       line ? line + 1 : tail);
}
