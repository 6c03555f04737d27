/* SPDX-License-Identifier: GPL-2.0 */
/* Conditions on arguments: from text to what the program evaluates, by the types in BTF. */
#ifndef HP_ENGINES_GUARD_COND_H
#define HP_ENGINES_GUARD_COND_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "hotproof/guard.h"

struct btf;

/*
 * "ARGUMENT[.FIELD…] OP VALUE" for the function with type id @function in @btf. ARGUMENT is a name or
 * a number from 0; fields are found through pointers and unnamed structs; OP is one of == != < <= >
 * >= &; VALUE is a number, true, false, NULL, or the name of a value where the field is an enum.
 * Pointers are compared with NULL only. HP_E_GUARD_ARG says what cannot be expressed, and why.
 */
int hp_guard_cond__parse(struct hp_guard_cond *cond, const struct btf *btf, uint32_t function,
			 const char *text, struct hp_error *err);

/* "int (int family, int type)": what can be named. */
void hp_guard_cond__describe(const struct btf *btf, uint32_t function, char *out, size_t size);

#endif
