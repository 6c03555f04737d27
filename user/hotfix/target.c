// SPDX-License-Identifier: GPL-2.0
/* The words for what reading a redirect back said. */
#include "hotfix/target.h"

const char *hp_redirect_name(enum hp_redirect redirect)
{
	static const char *const names[] = {
		[HP_REDIRECT_ABSENT] = "absent",   [HP_REDIRECT_IN_PLACE] = "in-place",
		[HP_REDIRECT_BROKEN] = "broken",   [HP_REDIRECT_SUPERSEDED] = "superseded",
		[HP_REDIRECT_UNKNOWN] = "unknown",
	};

	return names[redirect];
}
