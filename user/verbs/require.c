// SPDX-License-Identifier: GPL-2.0
/* What a verb needs of the host before it attaches anything. */
#include "verbs/require.h"

#include "host/features.h"

int hp_require_ftrace(struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_features__close) struct hp_features *features = NULL;
	int ret = hp_features__open(&features, err);
	enum hp_reason cause;

	if (ret)
		return ret;
	/* Where the setting cannot be read, attaching shows what is missing. */
	cause = hp_features__get(features, HP_FEATURE_FTRACE)->cause;
	if (cause != HP_E_SYSCTL && cause != HP_E_FTRACE_DOWN)
		return 0;
	if (cause == HP_E_SYSCTL)
		return hp_fail(err, HP_E_KLP_FTRACE_OFF,
			       "ftrace is switched off (kernel.ftrace_enabled is 0): "
			       "no call could be counted");
	return hp_features__require(features, HP_FEATURE_FTRACE, err);
}
