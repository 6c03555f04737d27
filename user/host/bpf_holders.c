// SPDX-License-Identifier: GPL-2.0
/* Which BPF programs are attached to functions of other BPF programs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "host/bpf_program.h"

/* The holder behind @link_id; false: it is none, or gone. */
static bool read_holder(uint32_t link_id, struct hp_bpf_holder *out)
{
	_cleanup_close_ int fd = bpf_link_get_fd_by_id(link_id), prog_fd = -1;
	struct bpf_link_info link = { 0 };
	struct bpf_prog_info prog = { 0 };
	__u32 len = sizeof(link);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &link, &len) ||
	    link.type != BPF_LINK_TYPE_TRACING || !link.tracing.target_obj_id)
		return false;
	prog_fd = bpf_prog_get_fd_by_id(link.prog_id);
	len = sizeof(prog);
	if (prog_fd < 0 || bpf_obj_get_info_by_fd(prog_fd, &prog, &len))
		return false;
	/*
	 * The number may be that of the kernel's own BTF too: such programs still have it, while those
	 * of another program lose theirs as they are attached (bpf_tracing_prog_attach()).
	 */
	if (prog.type != BPF_PROG_TYPE_EXT && prog.attach_btf_obj_id)
		return false;
	memset(out, 0, sizeof(*out));
	out->link_id = link_id;
	out->program_id = link.prog_id;
	memcpy(out->program_name, prog.name, sizeof(out->program_name));
	out->target_id = link.tracing.target_obj_id;
	out->target_type_id = link.tracing.target_btf_id;
	out->replaces = prog.type == BPF_PROG_TYPE_EXT;
	return true;
}

int hp_bpf_holders__list(struct hp_bpf_holder **out, size_t *count, struct hp_error *err)
{
	_cleanup_free_ struct hp_bpf_holder *all = NULL;
	uint32_t id = 0;
	size_t n = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		struct hp_bpf_holder *grown = realloc(all, (n + 1) * sizeof(*all));

		if (!grown)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		all = grown;
		if (read_holder(id, &all[n]))
			n++;
	}
	if (errno != ENOENT)
		return hp_fail_errno(err, HP_E_BPF_PRIVILEGE, -errno,
				     "the BPF links cannot be listed");
	*out = all;
	*count = n;
	all = NULL;
	return 0;
}
