// SPDX-License-Identifier: GPL-2.0
/*
 * What the livepatch core knows, read and never changed: its list, and the state of the tasks.
 * One object for both, because libbpf parses the kernel's whole BTF for each object that it loads,
 * and that is most of the time that loading takes.
 */
#include "klp.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include <hotproof/klp_records.h>

#include "klp_list.h"
#include "klp_tasks.h"

char LICENSE[] SEC("license") = "GPL";
