// SPDX-License-Identifier: GPL-2.0
/* Loading the BPF programs that read the livepatch core. */
#include "engines/klp/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "bpf/klp_list.lskel.h"
#include "engines/klp/tasks.h"
#include "host/facts.h"

#define FUNCTION_MAX (1u << 20) /* bytes; the largest of the kernel has a tenth */

int hp_klp_reader__run(int prog_fd)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	return bpf_prog_test_run_opts(prog_fd, &opts);
}

/* "symbol+0xoffset/0xsize [module]", sprint_symbol() of kernel/kallsyms.c. */
static void parse_symbol(const char *text, struct hp_klp_symbol *out)
{
	const char *plus = strrchr(text, '+'), *slash = strrchr(text, '/');
	const char *open = strchr(text, '[');

	if (!plus || !slash)
		return; /* no symbol there: "0xffff…" */
	snprintf(out->name, sizeof(out->name), "%.*s", (int)(plus - text), text);
	out->offset = strtoull(plus + 1, NULL, 16);
	out->size = strtoull(slash + 1, NULL, 16);
	if (open)
		snprintf(out->object, sizeof(out->object), "%.*s", (int)strcspn(open + 1, " ]"),
			 open + 1);
	else
		strcpy(out->object, "vmlinux");
}

static int run_lookup(struct hp_klp_reader *reader, struct hp_klp_symbol *out)
{
	const struct hp_klp_lookup *lookup = &reader->list->bss->hp_lookup;
	int ret = hp_klp_reader__run(reader->list->progs.hp_klp_symbol.prog_fd);

	if (ret || lookup->error)
		return ret ?: (int)lookup->error;
	memset(out, 0, sizeof(*out));
	out->address = lookup->address;
	memcpy(out->bytes, lookup->bytes, sizeof(out->bytes));
	memcpy(&out->word, out->bytes, sizeof(out->word));
	parse_symbol(lookup->symbol, out);
	return 0;
}

int hp_klp_reader__at(struct hp_klp_reader *reader, uint64_t address, struct hp_klp_symbol *out)
{
	struct hp_klp_lookup *lookup = &reader->list->bss->hp_lookup;

	memset(lookup, 0, sizeof(*lookup));
	lookup->address = address;
	return run_lookup(reader, out);
}

int hp_klp_reader__find(struct hp_klp_reader *reader, const char *object, const char *name,
			struct hp_klp_symbol *out)
{
	struct hp_klp_lookup *lookup = &reader->list->bss->hp_lookup;
	bool vmlinux = !strcmp(object, "vmlinux");
	int ret;

	memset(lookup, 0, sizeof(*lookup));
	snprintf(lookup->name, sizeof(lookup->name), "%s%s%s", vmlinux ? "" : object,
		 vmlinux ? "" : ":", name);
	ret = run_lookup(reader, out);
	/* The kernel looks in the modules too when it has no such symbol itself. */
	if (!ret && strcmp(out->object, object))
		return -ENOENT;
	return ret;
}

static int read_memory(struct hp_klp_reader *reader, uint64_t address, uint8_t *buf, size_t len)
{
	struct hp_klp_window *window = &reader->list->bss->hp_window;
	size_t done, piece;
	int ret;

	for (done = 0; done < len; done += piece) {
		piece = len - done < sizeof(window->bytes) ? len - done : sizeof(window->bytes);
		window->address = address + done;
		window->len = (uint32_t)piece;
		ret = hp_klp_reader__run(reader->list->progs.hp_klp_read.prog_fd);
		if (ret || window->error)
			return ret ?: window->error;
		memcpy(buf + done, window->bytes, piece);
	}
	return 0;
}

void hp_klp_reader__body(struct hp_klp_reader *reader, uint64_t address, uint64_t size,
			 struct hp_klp_body *out)
{
	_cleanup_free_ uint8_t *code = NULL;
	uint64_t offset;
	int ret;

	*out = (struct hp_klp_body){ .loops = true };
	if (!size || size > FUNCTION_MAX)
		return;
	code = malloc(size);
	if (!code || read_memory(reader, address, code, size))
		return;
	ret = hp_text__body_probe_offset(code, size, &offset);
	out->loops = ret == -ELOOP || ret == -EILSEQ;
	if (!ret)
		hp_text__first_branch(code, size, offset, &out->branch);
}

int hp_klp_reader__find_list(struct hp_klp_reader *reader, struct hp_error *err)
{
	struct hp_klp_symbol symbol;
	int ret;

	if (reader->klp_patches)
		return 0;
	ret = hp_klp_reader__find(reader, "vmlinux", "klp_patches", &symbol);

	if (ret == -EPERM)
		return hp_fail(err, HP_E_KLP_HIDDEN,
			       "the kernel hides the address of its livepatch list");
	if (ret == -ENOENT)
		return hp_fail(err, HP_E_KLP_UNSUPPORTED,
			       "the kernel has no symbol klp_patches (CONFIG_LIVEPATCH, "
			       "CONFIG_KALLSYMS_ALL)");
	if (ret)
		return hp_fail_errno(err, HP_E_KLP_READER, ret,
				     "cannot look up the kernel's livepatch list");
	reader->klp_patches = symbol.address;
	return 0;
}

static void explain_load(int ret, struct hp_error *err)
{
	struct hp_facts host;

	hp_facts__read(&host, "");
	/* LOCKDOWN_BPF_READ_KERNEL takes bpf_probe_read_kernel() away: an unknown helper, -EINVAL. */
	if (host.lockdown == HP_LOCKDOWN_CONFIDENTIALITY)
		hp_fail(err, HP_E_KLP_LOCKDOWN,
			"lockdown=confidentiality lets no BPF program read the livepatch list");
	else if (ret == -EPERM || ret == -EACCES)
		hp_fail_errno(err, HP_E_KLP_PRIVILEGE, ret,
			      "the kernel refuses the BPF programs that read its livepatch list");
	else
		hp_fail_errno(err, HP_E_KLP_READER, ret,
			      "the BPF programs that read the livepatch list do not load");
	hp_facts__release(&host);
}

int hp_klp_reader__open(struct hp_klp_reader **out, struct hp_error *err)
{
	struct hp_klp_reader *reader = calloc(1, sizeof(*reader));
	int ret;

	*out = NULL;
	if (!reader)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	reader->list = klp_list_bpf__open();
	if (!reader->list) {
		free(reader);
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	ret = klp_list_bpf__load(reader->list);
	if (ret)
		explain_load(ret, err);
	if (ret) {
		hp_klp_reader__close(reader);
		return ret;
	}
	*out = reader;
	return 0;
}

void hp_klp_reader__close(struct hp_klp_reader *reader)
{
	if (!reader)
		return;
	hp_klp_tasks__close(reader->tasks);
	klp_list_bpf__destroy(reader->list);
	free(reader);
}
