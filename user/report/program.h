/* SPDX-License-Identifier: GPL-2.0 */
/* A hotfix for a BPF program, and the functions of a loaded one: shown as text and JSON. */
#ifndef HP_REPORT_PROGRAM_H
#define HP_REPORT_PROGRAM_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "base/error.h"
#include "hotfix/bpf_object.h"

/* A function of the program, and why it cannot be replaced (HP_E_NONE: it can). */
struct hp_program_row {
	const struct hp_bpf_function *function;
	struct hp_error refusal;
};

struct hp_program_report {
	const struct hp_bpf_object *object;   /* NULL: no file was named */
	const struct hp_bpf_program *program; /* NULL: no program was named */
	struct hp_program_row *rows;	      /* of the program's functions; owned */
	struct hp_error refusal;	      /* of the hotfix for the program, or HP_E_NONE */
};

/* `inspect --json`, docs/schema/program.schema.json; NULL: out of memory. */
json_t *hp_program_report__json(const struct hp_program_report *report);

/* 0 or a negative errno. */
int hp_program_report__print(const struct hp_program_report *report, FILE *out, bool color);

#endif
