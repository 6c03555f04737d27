// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest program that proves a hook: it counts its calls. It is written as instructions,
 * because the very same five are loaded as every type of program, and because each step is then
 * ours: which call was refused, and with what errno, is never guessed.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/bpf_util.h"
#include "host/try.h"

#define LOG_SIZE (64 << 10)

int hp_try__errno(void)
{
	return errno ? -errno : -EIO;
}

int hp_counter__load(struct hp_counter *counter, int type, struct bpf_prog_load_opts *opts,
		     struct hp_finding *found)
{
	_cleanup_free_ char *log = malloc(LOG_SIZE);

	*counter = HP_COUNTER_NONE;
	if (!log)
		return -ENOMEM;
	log[0] = '\0';
	found->step = HP_STEP_CREATE;
	counter->map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hp_calls", 4, 8, 1, NULL);
	if (counter->map_fd < 0)
		return hp_try__errno();

	const struct bpf_insn insns[] = {
		/* r1 = &map[0], in two slots */
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_VALUE,
		  .imm = counter->map_fd },
		{ 0 },
		/* r2 = 1 */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1 },
		/* lock *(u64 *)r1 += r2: BPF_XADD in older headers, the same bits */
		{ .code = BPF_STX | BPF_DW | BPF_ATOMIC,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_REG_2,
		  .imm = BPF_ADD },
		/* return 0 */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	found->step = HP_STEP_LOAD;
	opts->log_buf = log;
	opts->log_size = LOG_SIZE;
	counter->prog_fd = bpf_prog_load((enum bpf_prog_type)type, "hp_count", "GPL", insns,
					 sizeof(insns) / sizeof(insns[0]), opts);
	if (counter->prog_fd < 0) {
		int ret = hp_try__errno();

		hp_bpf__log_tail(log, found->log, sizeof(found->log));
		return ret;
	}
	return 0;
}

void hp_counter__unload(struct hp_counter *counter)
{
	if (counter->prog_fd >= 0)
		close(counter->prog_fd);
	if (counter->map_fd >= 0)
		close(counter->map_fd);
	*counter = HP_COUNTER_NONE;
}

int hp_counter__judge(const struct hp_counter *counter, uint64_t idle, const char *what,
		      struct hp_finding *found)
{
	uint64_t calls = 0;
	int zero = 0;

	found->step = HP_STEP_RUN;
	if (bpf_map_lookup_elem(counter->map_fd, &zero, &calls))
		return hp_try__errno();
	if (calls <= idle)
		return HP_TRY_SILENT;
	snprintf(found->value, sizeof(found->value), "%s counted: %" PRIu64, what, calls - idle);
	return 0;
}
