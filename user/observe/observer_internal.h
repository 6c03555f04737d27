/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the observer share. Nobody else includes this. */
#ifndef HP_OBSERVE_OBSERVER_INTERNAL_H
#define HP_OBSERVE_OBSERVER_INTERNAL_H

#include "observe/attach.h"
#include "observe/observer.h"
#include "observe/shared.h"
#include "observe/template.h"

#include "bpf/observe.skel.h" /* uses the types of the above */

struct armed_point {
	struct hp_probe entry;
	struct hp_probe exit; /* when it is timed */
	uint64_t misses;      /* of probes that were disarmed since */
	struct hp_shared shards;
	bool timed;
	struct hp_probe *of_processes; /* the probes of each, when it is timed in user space */
	size_t of_process_count;
};

struct hp_observer {
	struct observe_bpf *skel;
	struct hp_templates templates;
	struct hp_probe scope_fork; /* follows the children of a workload */
	struct hp_btf *btf;	    /* NULL when the kernel has none */
	struct armed_point *points; /* by slot */
	size_t targets;		    /* one more than asked for: the last is for calibration */
	struct hp_shared patch_map;
	uint32_t shards; /* of a point */
	int cpus;
	bool time;
	bool count_more;		  /* callers or scope are wanted too */
	struct hp_hist *cost[HP_METHODS]; /* what a way of timing itself costs, once measured */
};

/* The target of the points at which the observer measures itself. */
#define HP_COST_TARGET(obs) ((obs)->targets - 1)

/* The counters of a point, made unless they are there. */
int hp_observer__make_shards(struct hp_observer *obs, uint32_t slot, const struct hp_point *point,
			     struct hp_error *err);
struct hp_place hp_observer__place(struct hp_observer *obs, uint32_t slot);

/* Take the probes of processes away. */
void hp_observer__disarm_processes(struct armed_point *point);

/* The same as below, for functions of processes. */
int hp_observer__measure_process_cost(struct hp_observer *obs, enum hp_method method,
				      struct hp_error *err);

/* Keep the times of the cost target that came since as those of @method. */
int hp_observer__keep_cost(struct hp_observer *obs, enum hp_method method, struct hp_error *err);

/* Measure what @method costs, unless that was done already. */
int hp_observer__measure_cost(struct hp_observer *obs, enum hp_method method, struct hp_error *err);

#endif
