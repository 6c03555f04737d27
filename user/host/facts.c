// SPDX-License-Identifier: GPL-2.0
/* Reading what explains a refusal: our credentials, sysctls, security modules, boot parameters. */
#include "host/facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/pseudofs.h"

/* PROC_USER_INIT_INO in include/linux/proc_ns.h; part of the UAPI since 6.18 (nsfs.h). */
#define INIT_USER_NS "user:[4026531837]"

static int read_file(const char *root, const char *path, char *buf, size_t size)
{
	char full[4096];

	snprintf(full, sizeof(full), "%s%s", root, path);
	return hp_pseudofs__read(full, buf, size);
}

/* A number, or Y and N as module parameters print them. */
static int read_number(const char *root, const char *path)
{
	char buf[32], *end;
	long value;

	if (read_file(root, path, buf, sizeof(buf)))
		return HP_FACT_UNKNOWN;
	if (!strcmp(buf, "Y") || !strcmp(buf, "N"))
		return buf[0] == 'Y';
	value = strtol(buf, &end, 10);
	return end == buf || *end ? HP_FACT_UNKNOWN : (int)value;
}

static void read_status(struct hp_facts *facts, const char *root)
{
	char buf[8192];
	const char *line;

	if (read_file(root, "/proc/self/status", buf, sizeof(buf)))
		return;
	line = strstr(buf, "\nCapEff:");
	if (line)
		facts->capabilities = strtoull(line + 8, NULL, 16);
	line = strstr(buf, "\nSeccomp:");
	if (line)
		facts->seccomp = atoi(line + 9);
}

static void read_user_namespace(struct hp_facts *facts, const char *root)
{
	char path[4096], link[64];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/proc/self/ns/user", root);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return;
	link[n] = '\0';
	facts->user_namespace = strcmp(link, INIT_USER_NS) != 0;
}

/* On a real host securityfs can be read where it is not mounted as well. */
static int read_security(const char *root, const char *file, char *buf, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[256];

	if (*root) {
		snprintf(path, sizeof(path), "/sys/kernel/security/%s", file);
		return read_file(root, path, buf, size);
	}
	fd = hp_pseudofs__open("securityfs", "/sys/kernel/security", file);
	return fd < 0 ? fd : hp_pseudofs__read_fd(fd, buf, size);
}

/* "none [integrity] confidentiality" */
static enum hp_lockdown parse_lockdown(const char *text)
{
	const char *mode = strchr(text, '[');
	enum hp_lockdown i;
	size_t len;

	if (!mode)
		return HP_LOCKDOWN_UNKNOWN;
	mode++;
	len = strcspn(mode, "]");
	for (i = HP_LOCKDOWN_NONE; i <= HP_LOCKDOWN_CONFIDENTIALITY; i++)
		if (strlen(hp_lockdown_name(i)) == len && !memcmp(hp_lockdown_name(i), mode, len))
			return i;
	return HP_LOCKDOWN_UNKNOWN;
}

static void read_security_modules(struct hp_facts *facts, const char *root)
{
	char buf[128];

	if (read_security(root, "lsm", facts->lsm, sizeof(facts->lsm)))
		facts->lsm[0] = '\0';
	if (!read_security(root, "lockdown", buf, sizeof(buf)))
		facts->lockdown = parse_lockdown(buf);
	else if (facts->lsm[0] && !hp_facts__listed(facts->lsm, "lockdown"))
		facts->lockdown = HP_LOCKDOWN_NONE; /* not even built in, or not started */
}

/* After ftrace_kill() the sysctl answers ENODEV (ftrace_enable_sysctl() in kernel/trace/ftrace.c). */
static void read_ftrace(struct hp_facts *facts, const char *root)
{
	char buf[32];
	int ret = read_file(root, "/proc/sys/kernel/ftrace_enabled", buf, sizeof(buf));

	facts->ftrace_enabled = read_number(root, "/proc/sys/kernel/ftrace_enabled");
	facts->ftrace_down = ret == -ENODEV ? 1 : ret ? HP_FACT_UNKNOWN : 0;
}

void hp_facts__read(struct hp_facts *facts, const char *root)
{
	memset(facts, 0, sizeof(*facts));
	read_status(facts, root);
	read_user_namespace(facts, root);
	read_security_modules(facts, root);
	if (read_file(root, "/proc/cmdline", facts->cmdline, sizeof(facts->cmdline)))
		facts->cmdline[0] = '\0';
	facts->kptr_restrict = read_number(root, "/proc/sys/kernel/kptr_restrict");
	facts->perf_event_paranoid = read_number(root, "/proc/sys/kernel/perf_event_paranoid");
	facts->unprivileged_bpf_disabled =
		read_number(root, "/proc/sys/kernel/unprivileged_bpf_disabled");
	facts->bpf_jit_enable = read_number(root, "/proc/sys/net/core/bpf_jit_enable");
	read_ftrace(facts, root);
	facts->modules_disabled = read_number(root, "/proc/sys/kernel/modules_disabled");
	facts->sig_enforce = read_number(root, "/sys/module/module/parameters/sig_enforce");
	if (hp_kconfig__open(&facts->config, root))
		facts->config = NULL;
}

void hp_facts__release(struct hp_facts *facts)
{
	hp_kconfig__close(facts->config);
	facts->config = NULL;
}

bool hp_facts__listed(const char *list, const char *item)
{
	size_t len = strlen(item);

	for (; *list; list += strcspn(list, ","), list += *list == ',')
		if (strcspn(list, ",") == len && !memcmp(list, item, len))
			return true;
	return false;
}

bool hp_facts__boot_parameter(const struct hp_facts *facts, const char *name, const char *value)
{
	size_t len = strlen(name);
	const char *word = facts->cmdline;
	char values[256];

	while (*word) {
		size_t word_len = strcspn(word, " ");

		if (word_len >= len && !memcmp(word, name, len) &&
		    (word_len == len || word[len] == '=')) {
			size_t skip = word_len == len ? len : len + 1;

			snprintf(values, sizeof(values), "%.*s", (int)(word_len - skip),
				 word + skip);
			if (!value || hp_facts__listed(values, value))
				return true;
		}
		word += word_len;
		word += strspn(word, " ");
	}
	return false;
}

const char *hp_lockdown_name(enum hp_lockdown mode)
{
	static const char *const names[] = {
		[HP_LOCKDOWN_UNKNOWN] = "unknown",
		[HP_LOCKDOWN_NONE] = "none",
		[HP_LOCKDOWN_INTEGRITY] = "integrity",
		[HP_LOCKDOWN_CONFIDENTIALITY] = "confidentiality",
	};

	return names[mode];
}
