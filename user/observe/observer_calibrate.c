// SPDX-License-Identifier: GPL-2.0
/* What the observer itself adds between a call's entry and its exit. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "observe/hist.h"
#include "observe/observer_internal.h"

#define RUNS 1000

/* The kernel's own function for such tests; BPF_PROG_TEST_RUN of any fentry program calls it. */
#define FUNCTION "bpf_fentry_test1"

static int run(struct hp_observer *obs, size_t target, struct hp_error *err)
{
	const struct hp_template *runner =
		hp_templates__find(&obs->templates, obs->skel->progs.calibrate_run);
	int fd = hp_probe__load(runner, obs->btf, FUNCTION, err), ret = 0;

	if (fd < 0)
		return fd;
	hp_observer__set_state(obs, target, HP_PM_BASELINE);
	for (unsigned int i = 0; i < RUNS && !ret; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts);

		ret = bpf_prog_test_run_opts(fd, &opts);
	}
	hp_observer__set_state(obs, target, HP_PM_OFF);
	close(fd);
	return ret ? hp_fail_errno(err, HP_E_OBSERVER, ret, "cannot run the calibration") : 0;
}

int hp_observer__keep_cost(struct hp_observer *obs, enum hp_method method, struct hp_error *err)
{
	struct hp_hist *hist = calloc(1, sizeof(*hist));
	int ret;

	if (!hist)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = hp_observer__read_hist(obs, HP_COST_TARGET(obs), HP_POINT_OLD_ENTRY, HP_PM_BASELINE,
				     hist);
	/* One histogram for all ways: what is not of this one was there before. */
	for (int other = 0; other < HP_METHODS && !ret; other++) {
		const struct hp_hist *before = obs->cost[other];

		if (!before)
			continue;
		hist->count -= before->count;
		hist->sum -= before->sum;
		for (size_t i = 0; i < HP_HIST_BUCKETS; i++)
			hist->bucket[i] -= before->bucket[i];
	}
	if (!ret && !hist->count)
		ret = -ENODATA;
	if (ret) {
		free(hist);
		return hp_fail_errno(err, HP_E_OBSERVER, ret, "cannot read the calibration");
	}
	if (obs->cost[method]) {
		hp_hist__merge(obs->cost[method], hist);
		free(hist);
	} else {
		obs->cost[method] = hist;
	}
	return 0;
}

int hp_observer__measure_cost(struct hp_observer *obs, enum hp_method method, struct hp_error *err)
{
	struct hp_point point = {
		.role = HP_POINT_OLD_ENTRY,
		.object = "vmlinux",
		.symbol = FUNCTION,
		.trampoline = method == HP_METHOD_FENTRY_FEXIT,
	};
	size_t target = HP_COST_TARGET(obs);
	struct hp_armed armed;
	int ret;

	/* What uprobes cost changes with the load: it is measured before the calls, and behind them. */
	if (hp_method_times_processes(method))
		return hp_observer__measure_process_cost(obs, method, err);
	if (obs->cost[method])
		return 0;
	ret = hp_observer__arm(obs, target, &point, true, &armed, err);
	if (ret)
		return ret;
	ret = run(obs, target, err);
	hp_observer__disarm(obs, target, point.role);
	if (ret)
		return ret;
	if (armed.method != method)
		return hp_fail(err, HP_E_OBSERVER, "calibrated with %s instead of %s",
			       hp_method_name(armed.method), hp_method_name(method));
	return hp_observer__keep_cost(obs, method, err);
}

int hp_observer__calibrate(struct hp_observer *obs, enum hp_method method, struct hp_hist *out,
			   struct hp_error *err)
{
	int ret = hp_observer__measure_cost(obs, method, err);

	if (!ret)
		*out = *obs->cost[method];
	return ret;
}
