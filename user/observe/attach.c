// SPDX-License-Identifier: GPL-2.0
/* Copies of the observer's template programs, and attaching them to one point. */
#include "observe/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "base/log.h"
#include "host/bpf_program.h"
#include "hotproof/point_markers.h"
#include "observe/observer.h"

#define KPROBE_PMU "/sys/bus/event_source/devices/kprobe/"
#define UPROBE_PMU "/sys/bus/event_source/devices/uprobe/"

uint64_t hp_probe__misses(const struct hp_probe *probe)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (probe->prog_fd < 0 || bpf_obj_get_info_by_fd(probe->prog_fd, &info, &len))
		return 0;
	return info.recursion_misses;
}

/* Replace the 64-bit constant that @insn loads, if it is a marker. */
static void replace_marker(struct bpf_insn *insn, const struct hp_place *place, uint64_t address)
{
	uint64_t value = (uint64_t)(__u32)insn[1].imm << 32 | (__u32)insn[0].imm;

	switch (insn[0].src_reg ? 0 : value) {
	case HP_MARKER_SLOT:
		value = place->slot;
		break;
	case HP_MARKER_ADDRESS:
		value = address;
		break;
	case HP_MARKER_SHARD_MASK:
		value = place->shards - 1;
		break;
	case HP_MARKER_DEPTH:
		value = place->depth;
		break;
	default:
		return;
	}
	insn[0].imm = (__s32)value;
	insn[1].imm = (__s32)(value >> 32);
}

/* Let the constant address of @insn, if it is in map @from, be in map @to, @offset further on. */
static void replace_map(struct bpf_insn *insn, int from, int to, size_t offset)
{
	if (insn[0].src_reg == BPF_PSEUDO_MAP_VALUE && insn[0].imm == from) {
		insn[0].imm = to;
		insn[1].imm += (__s32)offset;
	}
}

/* Fill in what is constant for one point. */
static void specialise(struct bpf_insn *insns, const struct hp_template *from,
		       const struct hp_place *place, uint64_t address)
{
	size_t entry = place->slot / HP_SLOTS_PER_TARGET * sizeof(struct hp_pm_entry);

	for (size_t i = 0; i + 1 < from->count; i++) {
		if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		replace_marker(&insns[i], place, address);
		replace_map(&insns[i], from->patch_map_fd, place->patch_map_fd, entry);
		replace_map(&insns[i], from->shards_fd, place->shards_fd, 0);
		i++; /* ld_imm64 takes two slots */
	}
}

/* What a program is loaded for: a function of the kernel, of another program, or none (all 0). */
struct attach_to {
	uint32_t btf_id;
	int btf_fd;	/* of a module's BTF, */
	int program_fd; /* or of the other program */
};

static const struct attach_to nothing;

/* Load a copy of @from for one point. Returns a descriptor or a negative errno. */
static int load_copy(const struct hp_template *from, const struct hp_place *place, uint64_t address,
		     const struct attach_to *to, struct hp_error *err)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = from->attach_type,
		    .attach_btf_id = to->btf_id, .attach_btf_obj_fd = (__u32)to->btf_fd,
		    .attach_prog_fd = (__u32)to->program_fd);
	struct bpf_insn *insns;
	int fd;

	insns = malloc(from->count * sizeof(*insns));
	if (!insns)
		return -ENOMEM;
	memcpy(insns, from->insns, from->count * sizeof(*insns));
	specialise(insns, from, place, address);

	fd = bpf_prog_load(from->type, from->name, "GPL", insns, from->count, &opts);
	if (fd < 0) {
		fd = -errno;
		/* A refusal is rare: only then ask for the verifier's words. */
		if (err && err->reason == HP_E_NONE) {
			opts.log_buf = err->detail;
			opts.log_size = sizeof(err->detail);
			opts.log_level = 1;
			bpf_prog_load(from->type, from->name, "GPL", insns, from->count, &opts);
		}
	}
	free(insns);
	return fd;
}

static int find_in_kernel(struct hp_btf *btf, const struct hp_point *point, struct attach_to *to,
			  struct hp_error *err)
{
	int ret;

	if (!btf)
		return hp_fail_errno(err, HP_E_ATTACH, -ENOENT, "the kernel has no BTF");
	ret = hp_btf__find_function(btf, point->object, point->symbol, &to->btf_id, &to->btf_fd);
	return ret ? hp_fail_errno(err, HP_E_ATTACH, ret, "no BTF for %s of %s", point->symbol,
				   point->object)
		   : 0;
}

/* @program keeps the descriptor open until the copy is loaded. */
static int find_in_program(const struct hp_point *point, struct hp_bpf_program **program,
			   struct attach_to *to, struct hp_error *err)
{
	const struct hp_bpf_function *function;
	int ret = hp_bpf_program__open(program, point->program, err);

	if (ret)
		return ret;
	function = hp_bpf_program__function(*program, point->symbol);
	if (!function)
		return hp_fail_errno(err, HP_E_ATTACH, -ENOENT, "no BTF for %s of program %u",
				     point->symbol, point->program);
	to->btf_id = function->type_id;
	to->program_fd = (*program)->fd;
	return 0;
}

static int cannot_load(const struct hp_template *template, const char *symbol, int ret,
		       struct hp_error *err)
{
	return hp_fail_errno(err, HP_E_ATTACH, ret, "cannot load %s for %s", template->name,
			     symbol);
}

/* Attach @prog_fd, a copy of @template or a negative errno, where it was loaded for. */
static int attach_loaded(struct hp_probe *probe, int prog_fd, const struct hp_template *template,
			 const char *symbol, struct hp_error *err)
{
	int ret;

	if (prog_fd < 0)
		return cannot_load(template, symbol, prog_fd, err);
	probe->prog_fd = prog_fd;
	probe->link_fd = bpf_raw_tracepoint_open(NULL, prog_fd);
	if (probe->link_fd >= 0)
		return 0;
	ret = -errno;
	hp_probe__detach(probe);
	return hp_fail_errno(err, HP_E_ATTACH, ret, "cannot attach %s to %s", template->name,
			     symbol);
}

int hp_probe__attach_trampoline(struct hp_probe *probe, const struct hp_template *template,
				struct hp_btf *btf, const struct hp_point *point,
				const struct hp_place *place, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_bpf_program__close) struct hp_bpf_program *program = NULL;
	struct attach_to to = { 0 };
	int ret;

	*probe = HP_PROBE_NONE;
	if (point->program)
		ret = find_in_program(point, &program, &to, err);
	else
		ret = find_in_kernel(btf, point, &to, err);
	if (ret)
		return ret;
	ret = load_copy(template, place, point->address, &to, err);
	return attach_loaded(probe, ret, template, point->symbol, err);
}

/* For programs that are at no point. */
static const struct hp_place nowhere = { .patch_map_fd = -1, .shards_fd = -1, .shards = 1 };

int hp_probe__load(const struct hp_template *template, struct hp_btf *btf, const char *symbol,
		   struct hp_error *err)
{
	struct attach_to to = { 0 };
	int ret;

	ret = btf ? hp_btf__find_function(btf, "vmlinux", symbol, &to.btf_id, &to.btf_fd) : -ENOENT;
	ret = ret ?: load_copy(template, &nowhere, 0, &to, err);
	return ret < 0 ? cannot_load(template, symbol, ret, err) : ret;
}

int hp_probe__attach_tracepoint(struct hp_probe *probe, const struct hp_template *template,
				struct hp_btf *btf, const char *name, struct hp_error *err)
{
	const struct btf *vmlinux = btf ? hp_btf__vmlinux(btf) : NULL;
	char type[128];
	int id;

	/* The kernel describes a tracepoint by the type of its functions. */
	snprintf(type, sizeof(type), "btf_trace_%s", name);
	*probe = HP_PROBE_NONE;
	id = vmlinux ? btf__find_by_name_kind(vmlinux, type, BTF_KIND_TYPEDEF) : -ENOENT;
	if (id >= 0) {
		struct attach_to to = { .btf_id = (uint32_t)id };

		id = load_copy(template, &nowhere, 0, &to, err);
	}
	return attach_loaded(probe, id, template, name, err);
}

/* A number in a sysfs file; with @prefix ("config:"), the number behind it. Negative errno. */
static int read_number(const char *path, const char *prefix)
{
	_cleanup_file_ FILE *f = fopen(path, "re");
	char line[64];

	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f) || strncmp(line, prefix, strlen(prefix)))
		return -EINVAL;
	return atoi(line + strlen(prefix));
}

/*
 * A kprobe that only this process has, through the kprobe PMU (perf_event_open(2); kernel commit
 * e12f03d7031a): nothing shows up in tracefs and nothing stays when the descriptor is closed.
 */
static int open_kprobe(const struct hp_point *point, bool ret)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	int type = read_number(KPROBE_PMU "type", "");
	int bit = read_number(KPROBE_PMU "format/retprobe", "config:");
	int fd;

	if (type < 0)
		return type;
	if (bit < 0)
		return bit;
	attr.type = (__u32)type;
	if (ret)
		attr.config |= 1ull << bit;
	if (point->address) {
		attr.kprobe_addr = point->address + point->offset;
	} else {
		attr.kprobe_func = (uintptr_t)point->symbol;
		attr.probe_offset = point->offset;
	}
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Run the program of @probe at the perf event @fd, which becomes the probe's, or say why not. */
static int enable(struct hp_probe *probe, int fd, const struct hp_point *point, const char *kind,
		  struct hp_error *err)
{
	if (fd < 0) {
		hp_probe__detach(probe);
		if (fd == -HP_ENOTSUPP) {
			hp_fail(err, HP_E_ATTACH,
				"the kernel takes no %s on the instruction at %s+0x%" PRIx64, kind,
				point->symbol, point->offset);
			return fd;
		}
		return hp_fail_errno(err, HP_E_ATTACH, fd, "cannot place a %s at %s+0x%" PRIx64,
				     kind, point->symbol, point->offset);
	}
	probe->link_fd = fd;
	probe->perf = true;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, probe->prog_fd) ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0)) {
		fd = -errno;
		hp_probe__detach(probe);
		return hp_fail_errno(err, HP_E_ATTACH, fd, "cannot enable the %s at %s", kind,
				     point->symbol);
	}
	return 0;
}

int hp_probe__attach_kprobe(struct hp_probe *probe, const struct hp_template *template,
			    const struct hp_point *point, const struct hp_place *place, bool ret,
			    struct hp_error *err)
{
	int fd;

	*probe = HP_PROBE_NONE;
	fd = load_copy(template, place, point->address, &nothing, err);
	if (fd < 0)
		return cannot_load(template, point->symbol, fd, err);
	probe->prog_fd = fd;
	return enable(probe, open_kprobe(point, ret), point, "kprobe", err);
}

/* The same for the uprobe PMU (kernel commit 33ea4b24277b): one process, or all with -1; any CPU. */
static int open_uprobe(const char *path, uint64_t file_offset, pid_t pid, bool ret)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	int type = read_number(UPROBE_PMU "type", "");
	int bit = ret ? read_number(UPROBE_PMU "format/retprobe", "config:") : 0;
	int fd;

	if (type < 0)
		return type;
	if (bit < 0)
		return bit;
	attr.type = (__u32)type;
	if (ret)
		attr.config |= 1ull << bit;
	attr.uprobe_path = (uintptr_t)path;
	attr.probe_offset = file_offset;
	fd = (int)syscall(SYS_perf_event_open, &attr, pid, pid < 0 ? 0 : -1, -1,
			  PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int hp_probe__load_uprobe(const struct hp_template *template, const struct hp_point *point,
			  const struct hp_place *place, struct hp_error *err)
{
	int fd = load_copy(template, place, 0, &nothing, err);

	return fd < 0 ? cannot_load(template, point->symbol, fd, err) : fd;
}

int hp_probe__attach_uprobe(struct hp_probe *probe, const struct hp_template *template,
			    const struct hp_point *point, const struct hp_place *place,
			    struct hp_error *err)
{
	int fd = hp_probe__load_uprobe(template, point, place, err);

	*probe = HP_PROBE_NONE;
	if (fd < 0)
		return fd;
	probe->prog_fd = fd;
	return enable(probe, open_uprobe(point->path, point->file_offset, -1, false), point,
		      "uprobe", err);
}

int hp_probe__attach_uprobe_of(struct hp_probe *probe, int prog_fd, const struct hp_point *point,
			       uint64_t file_offset, pid_t pid, bool ret, struct hp_error *err)
{
	int result;

	*probe = HP_PROBE_NONE;
	probe->prog_fd = fcntl(prog_fd, F_DUPFD_CLOEXEC, 0);
	if (probe->prog_fd < 0)
		return hp_fail_errno(err, HP_E_ATTACH, -errno, "cannot place a uprobe at %s",
				     point->symbol);
	result = enable(probe, open_uprobe(point->path, file_offset, pid, ret), point,
			ret ? "uretprobe" : "uprobe", err);
	/* The event keeps the program; there may be many of them. */
	if (!result) {
		close(probe->prog_fd);
		probe->prog_fd = -1;
	}
	return result;
}
