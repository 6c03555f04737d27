/* SPDX-License-Identifier: GPL-2.0 */
/* A verification as JUnit XML, for CI systems that read nothing else. */
#ifndef HP_REPORT_JUNIT_H
#define HP_REPORT_JUNIT_H

#include <stdio.h>

#include "base/error.h"
#include "report/verify.h"

/*
 * A test suite for each livepatch, a test case for each target; a target that is not live is a
 * failure with its verdict and the reason. A workload that failed, and @failure (NULL or HP_E_NONE:
 * there was none), which kept the verification from its end, have cases of their own. Returns 0 or
 * -EIO.
 */
int hp_junit__print(const struct hp_verify_report *report, const struct hp_error *failure,
		    FILE *out);

/* The same to the file @path, whole or not at all. -EIO and others with @err filled. */
int hp_junit__write(const struct hp_verify_report *report, const struct hp_error *failure,
		    const char *path, struct hp_error *err);

/* @text as XML character data or as the value of an attribute in double quotes. */
void hp_junit__escape(FILE *out, const char *text);

#endif
