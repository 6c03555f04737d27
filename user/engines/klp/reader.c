// SPDX-License-Identifier: GPL-2.0
/* Loading the BPF programs that read the livepatch core. */
#include "engines/klp/reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "bpf/klp.skel.h"

int hp_klp_reader__run(const struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	return bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
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
	const struct hp_klp_lookup *lookup = &reader->skel->bss->hp_lookup;
	int ret = hp_klp_reader__run(reader->skel->progs.hp_klp_symbol);

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
	struct hp_klp_lookup *lookup = &reader->skel->bss->hp_lookup;

	memset(lookup, 0, sizeof(*lookup));
	lookup->address = address;
	return run_lookup(reader, out);
}

int hp_klp_reader__find(struct hp_klp_reader *reader, const char *object, const char *name,
			struct hp_klp_symbol *out)
{
	struct hp_klp_lookup *lookup = &reader->skel->bss->hp_lookup;
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

/* An object that failed to load cannot be loaded again: each try opens its own. */
static int load(struct hp_klp_reader *reader, bool tasks)
{
	int cpus = libbpf_num_possible_cpus();
	int ret;

	reader->skel = klp_bpf__open();
	if (!reader->skel)
		return -errno;
	if (cpus > 0)
		reader->skel->rodata->possible_cpus = (unsigned int)cpus;
	bpf_program__set_autoload(reader->skel->progs.hp_klp_tasks, tasks);
	ret = klp_bpf__load(reader->skel);
	if (!ret && tasks) {
		reader->tasks = bpf_program__attach_iter(reader->skel->progs.hp_klp_tasks, NULL);
		if (!reader->tasks)
			ret = -errno;
	}
	if (ret) {
		klp_bpf__destroy(reader->skel);
		reader->skel = NULL;
	}
	return ret;
}

static int find_list(struct hp_klp_reader *reader, struct hp_error *err)
{
	struct hp_klp_symbol symbol;
	int ret = hp_klp_reader__find(reader, "vmlinux", "klp_patches", &symbol);

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

int hp_klp_reader__open(struct hp_klp_reader **out, struct hp_error *err)
{
	struct hp_klp_reader *reader = calloc(1, sizeof(*reader));
	int ret;

	*out = NULL;
	if (!reader)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = load(reader, true);
	if (ret) {
		int first = ret;

		/* Some lockdowns and LSMs take iterators and leave syscall programs. */
		ret = load(reader, false);
		if (!ret)
			hp_info("no task iterator here (%s): reading /proc instead",
				strerror(-first));
	}
	if (ret == -EPERM || ret == -EACCES)
		hp_fail_errno(err, HP_E_KLP_PRIVILEGE, ret,
			      "the kernel refuses the BPF programs that read its livepatch list");
	else if (ret)
		hp_fail_errno(err, HP_E_KLP_READER, ret,
			      "the BPF programs that read the livepatch list do not load");
	ret = ret ?: find_list(reader, err);
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
	bpf_link__destroy(reader->tasks);
	klp_bpf__destroy(reader->skel);
	free(reader);
}
