// SPDX-License-Identifier: GPL-2.0
/* Reason codes and the errors that carry them. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *code;
	const char *hint;
	enum hp_exit status;
	int err;
} reasons[HP_REASON_COUNT] = {
	[HP_E_NONE] = { "HP_E_NONE", "", HP_EXIT_OK, 0 },
#define HP_REASON(code, status, err, hint) [code] = { #code, hint, status, err },
#include "base/reasons.def"
#undef HP_REASON
};

int hp_fail(struct hp_error *err, enum hp_reason reason, const char *fmt, ...)
{
	if (err && err->reason == HP_E_NONE) {
		va_list ap;

		err->reason = reason;
		va_start(ap, fmt);
		vsnprintf(err->message, sizeof(err->message), fmt, ap);
		va_end(ap);
	}
	return -reasons[reason].err;
}

int hp_fail_errno(struct hp_error *err, enum hp_reason reason, int ret, const char *fmt, ...)
{
	if (err && err->reason == HP_E_NONE) {
		va_list ap;
		size_t len;

		/* Whatever was to be opened, it is not to blame. */
		err->reason = ret == -EMFILE || ret == -ENFILE ? HP_E_NOFILE : reason;
		va_start(ap, fmt);
		vsnprintf(err->message, sizeof(err->message), fmt, ap);
		va_end(ap);
		len = strlen(err->message);
		snprintf(err->message + len, sizeof(err->message) - len, ": %s", strerror(-ret));
	}
	return ret;
}

const char *hp_reason_code(enum hp_reason reason)
{
	return reasons[reason].code;
}

const char *hp_reason_hint(enum hp_reason reason)
{
	return reasons[reason].hint;
}

enum hp_exit hp_reason_exit(enum hp_reason reason)
{
	return reasons[reason].status;
}
