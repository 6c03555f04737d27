/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Errors at the edge: inside, functions return negative errno; where a person has to act on a
 * failure, they also fill a struct hp_error with a stable reason code and a message.
 */
#ifndef HP_BASE_ERROR_H
#define HP_BASE_ERROR_H

#include "base/exit_status.h"

enum hp_reason {
	HP_E_NONE,
#define HP_REASON(code, status, err, hint) code,
#include "base/reasons.def"
#undef HP_REASON
	HP_REASON_COUNT,
};

struct hp_error {
	enum hp_reason reason;
	char message[512]; /* what happened, one line, no trailing newline */
	char detail[4096]; /* more lines for -v (a verifier log, say); may be empty */
};

/*
 * Fill @err (may be NULL) with @reason and a formatted message. A reason that is already there is
 * kept, so that the innermost cause wins. Returns the reason's negative errno.
 */
int hp_fail(struct hp_error *err, enum hp_reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, for a failed call: ": strerror(-ret)" is appended. Returns @ret, a negative errno. */
int hp_fail_errno(struct hp_error *err, enum hp_reason reason, int ret, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

const char *hp_reason_code(enum hp_reason reason);
const char *hp_reason_hint(enum hp_reason reason);
enum hp_exit hp_reason_exit(enum hp_reason reason);

#endif
