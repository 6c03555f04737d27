// SPDX-License-Identifier: GPL-2.0
/* Conditions on arguments, resolved against the kernel's own types. */
#include "engines/guard/cond.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#define WORD_MAX  64
#define BITS(n)	  ((n)*8u)
#define MAX_DEPTH 8 /* of unnamed structs in each other */

enum op {
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_ANY_BIT, /* value & operand */
};

/* A condition while it is read. */
struct reader {
	const struct btf *btf;
	const char *text; /* all of it */
	const char *at;	  /* what is left */
	struct hp_guard_cond *cond;
	struct hp_error *err;
	const struct btf_type *type; /* where the path has come to */
	char path[HP_GUARD_TEXT_MAX];
	uint32_t offset; /* of that from the last pointer */
	bool in_memory;	 /* not the argument itself any more */
	enum op op;
	uint64_t operand;
	bool is_signed;
	uint32_t shift; /* of a bit field within its bytes, */
	uint32_t bits;	/* and its width; 0 for another field */
};

static const char *name_of(const struct btf *btf, const struct btf_type *type)
{
	const char *name = btf__name_by_offset(btf, type->name_off);

	return name && name[0] ? name : "(unnamed)";
}

/* Behind typedefs and qualifiers; NULL for void. */
static const struct btf_type *plain(const struct btf *btf, __u32 id)
{
	const struct btf_type *type;

	while (id) {
		type = btf__type_by_id(btf, id);
		if (!btf_is_mod(type) && !btf_is_typedef(type) && !btf_is_type_tag(type))
			return type;
		id = type->type;
	}
	return NULL;
}

static const char *kind_of(const struct btf_type *type)
{
	if (!type)
		return "void";
	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT:
		return "a struct";
	case BTF_KIND_UNION:
		return "a union";
	case BTF_KIND_ARRAY:
		return "an array";
	case BTF_KIND_PTR:
		return "a pointer";
	case BTF_KIND_FWD:
		return "a type that this kernel only declares";
	case BTF_KIND_FLOAT:
		return "a floating point number";
	case BTF_KIND_FUNC_PROTO:
		return "a function";
	default:
		return "a number";
	}
}

static void skip_space(struct reader *r)
{
	while (isspace((unsigned char)*r->at))
		r->at++;
}

/* A name or a number of the path; false when there is none. */
static bool read_word(struct reader *r, char *word)
{
	size_t length = 0;

	while (isalnum((unsigned char)r->at[length]) || r->at[length] == '_')
		length++;
	if (!length || length >= WORD_MAX)
		return false;
	memcpy(word, r->at, length);
	word[length] = '\0';
	r->at += length;
	return true;
}

static bool read_dot(struct reader *r)
{
	if (r->at[0] == '.')
		r->at++;
	else if (r->at[0] == '-' && r->at[1] == '>')
		r->at += 2;
	else
		return false;
	return true;
}

static void list_arguments(const struct btf *btf, const struct btf_type *proto, char *out,
			   size_t size)
{
	const struct btf_param *params = btf_params(proto);
	size_t len = 0;

	snprintf(out, size, "none");
	for (int i = 0; i < btf_vlen(proto) && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s", i ? ", " : "",
					btf__name_by_offset(btf, params[i].name_off));
}

/* The argument that the path begins with. */
static int read_argument(struct reader *r, const struct btf_type *function)
{
	const struct btf_type *proto = btf__type_by_id(r->btf, function->type);
	const struct btf_param *params = btf_params(proto);
	char word[WORD_MAX], known[256];
	int found = -1, count = btf_vlen(proto);

	if (!read_word(r, word))
		return hp_fail(r->err, HP_E_GUARD_ARG, "'%s' does not begin with an argument",
			       r->text);
	for (int i = 0; i < count; i++)
		if (!strcmp(btf__name_by_offset(r->btf, params[i].name_off), word))
			found = i;
	if (found < 0 && isdigit((unsigned char)word[0]) && strspn(word, "0123456789") < 3 &&
	    !word[strspn(word, "0123456789")] && atoi(word) < count)
		found = atoi(word);
	if (found < 0 || !params[found].type) {
		list_arguments(r->btf, proto, known, sizeof(known));
		return hp_fail(r->err, HP_E_GUARD_ARG, "%s has no argument '%s'; it has: %s",
			       name_of(r->btf, function), word, known);
	}
	/* What does not fit in a register takes two of the slots behind it. */
	for (int i = 0; i <= found; i++)
		if (btf__resolve_size(r->btf, params[i].type) > 8)
			return hp_fail(r->err, HP_E_GUARD_ARG,
				       "argument %d of %s is passed by value and too large", i,
				       name_of(r->btf, function));
	r->cond->arg = (__u8)found;
	r->type = plain(r->btf, params[found].type);
	snprintf(r->path, sizeof(r->path), "%s", word);
	return 0;
}

/* Find member @name of @type or of the unnamed ones in it; its offset in bits is added to *bits. */
static const struct btf_member *find_member(const struct btf *btf, const struct btf_type *type,
					    const char *name, uint32_t *bits, uint32_t *width,
					    int depth)
{
	const struct btf_member *m = btf_members(type);

	for (int i = 0; i < btf_vlen(type); i++, m++) {
		const char *member = btf__name_by_offset(btf, m->name_off);
		const struct btf_type *inner = plain(btf, m->type);
		const struct btf_member *found;
		uint32_t before = *bits;

		*bits += btf_member_bit_offset(type, (__u32)i);
		if (!strcmp(member, name)) {
			*width = btf_member_bitfield_size(type, (__u32)i);
			return m;
		}
		if (!member[0] && inner && btf_is_composite(inner) && depth < MAX_DEPTH) {
			found = find_member(btf, inner, name, bits, width, depth + 1);
			if (found)
				return found;
		}
		*bits = before;
	}
	return NULL;
}

static int push_step(struct reader *r)
{
	if (r->cond->steps == HP_GUARD_STEPS)
		return hp_fail(r->err, HP_E_GUARD_ARG, "'%s' follows more than %d pointers",
			       r->text, HP_GUARD_STEPS - 1);
	r->cond->offset[r->cond->steps++] = r->offset;
	r->offset = 0;
	return 0;
}

/* A bit field is read with the aligned word of its type that holds it. */
static int place_bitfield(struct reader *r, uint32_t bits, uint32_t width)
{
	uint32_t size = r->type->size;
	uint32_t offset = bits / BITS(size) * size;

	if (bits - BITS(offset) + width > BITS(size)) {
		size = 8;
		offset = bits / BITS(size) * size;
	}
	if (bits - BITS(offset) + width > BITS(size))
		return hp_fail(r->err, HP_E_GUARD_ARG, "the bit field '%s' cannot be read at once",
			       r->path);
	r->offset = offset;
	r->cond->size = (__u8)size;
	r->shift = bits - BITS(offset);
	r->bits = width;
	return 0;
}

static int read_field(struct reader *r)
{
	const struct btf_member *member;
	uint32_t bits, width = 0;
	char word[WORD_MAX];
	size_t len;
	int ret;

	if (!read_word(r, word))
		return hp_fail(r->err, HP_E_GUARD_ARG, "'%s': a field's name is wanted at '%s'",
			       r->text, r->at);
	if (r->bits)
		return hp_fail(r->err, HP_E_GUARD_ARG, "'%s' is a bit field and has no fields",
			       r->path);
	if (r->type && btf_is_ptr(r->type)) {
		/* An argument is in its register already; what a step before found must be read. */
		ret = r->in_memory ? push_step(r) : 0;
		if (ret)
			return ret;
		r->type = plain(r->btf, r->type->type);
		r->in_memory = true;
	}
	if (!r->type || !btf_is_composite(r->type) || !r->in_memory)
		return hp_fail(r->err, HP_E_GUARD_ARG, "'%s' leads to %s, which has no field '%s'",
			       r->path, kind_of(r->type), word);
	bits = BITS(r->offset);
	member = find_member(r->btf, r->type, word, &bits, &width, 0);
	if (!member)
		return hp_fail(r->err, HP_E_GUARD_ARG, "'%s': struct %s has no field '%s'", r->path,
			       name_of(r->btf, r->type), word);
	len = strlen(r->path);
	snprintf(r->path + len, sizeof(r->path) - len, ".%s", word);
	r->type = plain(r->btf, member->type);
	if (width)
		return place_bitfield(r, bits, width);
	r->offset = bits / 8;
	return 0;
}

/* The path has come to its end: a value that can be compared? */
static int settle_type(struct reader *r)
{
	struct hp_guard_cond *cond = r->cond;
	const struct btf_type *t = r->type;

	if (t && btf_is_ptr(t))
		cond->size = 8;
	else if (t && (btf_is_int(t) || btf_is_any_enum(t)))
		cond->size = r->bits ? cond->size : (__u8)t->size;
	else
		return hp_fail(r->err, HP_E_GUARD_ARG,
			       "'%s' is %s: only numbers, enums and "
			       "pointers can be compared%s",
			       r->path, kind_of(t),
			       t && btf_is_composite(t) ? "; name a field of it" : "");
	if (cond->size != 1 && cond->size != 2 && cond->size != 4 && cond->size != 8)
		return hp_fail(r->err, HP_E_GUARD_ARG, "'%s' has %u bytes: too many", r->path,
			       t->size);
	if (btf_is_int(t))
		r->is_signed = (btf_int_encoding(t) & BTF_INT_SIGNED) != 0;
	else if (btf_is_any_enum(t))
		r->is_signed = btf_kflag(t);
	return r->in_memory ? push_step(r) : 0;
}

static int read_op(struct reader *r)
{
	/* The longer ones first. */
	static const struct {
		const char *text;
		enum op op;
	} ops[] = { { "==", OP_EQ }, { "!=", OP_NE }, { "<=", OP_LE },	  { ">=", OP_GE },
		    { "<", OP_LT },  { ">", OP_GT },  { "&", OP_ANY_BIT } };

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		size_t length = strlen(ops[i].text);

		if (strncmp(r->at, ops[i].text, length))
			continue;
		r->at += length;
		r->op = ops[i].op;
		return 0;
	}
	return hp_fail(r->err, HP_E_GUARD_ARG,
		       "'%s': one of == != < <= > >= & is wanted behind '%s'", r->text, r->path);
}

/* A value of an enum by its name. */
static bool read_enumerator(const struct reader *r, const char *word, int64_t *value)
{
	const struct btf_type *t = r->type;

	if (!btf_is_any_enum(t))
		return false;
	for (int i = 0; i < btf_vlen(t); i++) {
		bool wide = btf_is_enum64(t);
		__u32 name = wide ? btf_enum64(t)[i].name_off : btf_enum(t)[i].name_off;

		if (strcmp(btf__name_by_offset(r->btf, name), word))
			continue;
		if (wide)
			*value = (int64_t)btf_enum64_value(&btf_enum64(t)[i]);
		else
			*value = btf_kflag(t) ? btf_enum(t)[i].val
					      : (int64_t)(__u32)btf_enum(t)[i].val;
		return true;
	}
	return false;
}

static uint32_t width_of(const struct reader *r)
{
	return r->bits ? r->bits : BITS(r->cond->size);
}

/* Can the field hold @value? @negative: it was written with a minus. */
static bool fits(const struct reader *r, uint64_t value, bool negative)
{
	uint32_t bits = width_of(r);
	uint64_t most = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;

	if (negative)
		return r->is_signed && (int64_t)value >= -(int64_t)(most / 2) - 1;
	/* A mask is written as bits, also of a signed number. */
	return value <= (r->is_signed && r->op != OP_ANY_BIT ? most / 2 : most);
}

static int read_value(struct reader *r)
{
	char word[HP_GUARD_TEXT_MAX];
	bool negative, pointer = btf_is_ptr(r->type);
	int64_t enumerator;
	size_t length;
	char *end;

	snprintf(word, sizeof(word), "%s", r->at);
	for (length = strlen(word); length && isspace((unsigned char)word[length - 1]); length--)
		word[length - 1] = '\0';
	if (!word[0])
		return hp_fail(r->err, HP_E_GUARD_ARG, "'%s' ends without a value", r->text);
	negative = word[0] == '-';
	if (!strcmp(word, "NULL") || !strcmp(word, "false")) {
		r->operand = 0;
	} else if (!strcmp(word, "true")) {
		r->operand = 1;
	} else if (read_enumerator(r, word, &enumerator)) {
		r->operand = (__u64)enumerator;
		return 0;
	} else if (!isdigit((unsigned char)word[negative])) {
		return hp_fail(r->err, HP_E_GUARD_ARG, "'%s' is no value that '%s' can have", word,
			       r->path);
	} else {
		errno = 0;
		r->operand = negative ? (__u64)strtoll(word, &end, 0) : strtoull(word, &end, 0);
		if (errno || *end)
			return hp_fail(r->err, HP_E_GUARD_ARG, "'%s' is not a number", word);
	}
	if (pointer && (r->operand || (r->op != OP_EQ && r->op != OP_NE)))
		return hp_fail(r->err, HP_E_GUARD_ARG,
			       "'%s' is a pointer: it can be == NULL or != NULL", r->path);
	if (!fits(r, r->operand, negative))
		return hp_fail(r->err, HP_E_GUARD_ARG,
			       "%s does not fit in '%s', %s number of %u %s", word, r->path,
			       r->is_signed ? "a signed" : "an unsigned",
			       r->bits ? r->bits : r->cond->size, r->bits ? "bits" : "bytes");
	return 0;
}

/* The question as the program asks it: see struct hp_guard_cond. */
static void settle_range(struct reader *r)
{
	struct hp_guard_cond *cond = r->cond;
	uint32_t bits = width_of(r);
	uint64_t ones = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
	uint64_t least = r->is_signed ? 1ull << (bits - 1) : 0, most = (least - 1) & ones;
	uint64_t value = r->operand & ones;

	cond->mask = ones << r->shift;
	cond->outside = r->op == OP_NE || r->op == OP_LT || r->op == OP_GT || r->op == OP_ANY_BIT;
	switch (r->op) {
	case OP_EQ:
	case OP_NE:
		cond->low = value << r->shift;
		break;
	case OP_GE:
	case OP_LT:
		cond->low = value << r->shift;
		cond->span = ((most - value) & ones) << r->shift;
		break;
	case OP_LE:
	case OP_GT:
		cond->low = least << r->shift;
		cond->span = ((value - least) & ones) << r->shift;
		break;
	case OP_ANY_BIT:
		cond->mask = value << r->shift;
		break;
	}
}

int hp_guard_cond__parse(struct hp_guard_cond *cond, const struct btf *btf, uint32_t function,
			 const char *text, struct hp_error *err)
{
	struct reader r = { .btf = btf, .text = text, .at = text, .cond = cond, .err = err };
	int ret;

	memset(cond, 0, sizeof(*cond));
	if (strlen(text) >= sizeof(cond->text))
		return hp_fail(err, HP_E_GUARD_ARG, "a condition has at most %zu characters",
			       sizeof(cond->text) - 1);
	strcpy(cond->text, text);
	skip_space(&r);
	ret = read_argument(&r, btf__type_by_id(btf, function));
	while (!ret && read_dot(&r))
		ret = read_field(&r);
	ret = ret ?: settle_type(&r);
	skip_space(&r);
	ret = ret ?: read_op(&r);
	skip_space(&r);
	ret = ret ?: read_value(&r);
	if (!ret)
		settle_range(&r);
	return ret;
}

static void describe_type(const struct btf *btf, __u32 id, char *out, size_t size)
{
	const struct btf_type *type;
	int pointers = 0;

	for (; id; id = type->type) {
		type = btf__type_by_id(btf, id);
		pointers += btf_is_ptr(type);
		if (!btf_is_mod(type) && !btf_is_ptr(type) && !btf_is_type_tag(type))
			break;
	}
	if (!id)
		snprintf(out, size, "void");
	else
		snprintf(out, size, "%s%s",
			 btf_is_struct(type) || btf_is_fwd(type) ? "struct "
			 : btf_is_union(type)			 ? "union "
			 : btf_is_any_enum(type)		 ? "enum "
								 : "",
			 name_of(btf, type));
	for (size_t len = strlen(out); pointers && len + 2 < size; len = strlen(out), pointers--)
		strcat(out, strchr(out, '*') ? "*" : " *");
}

void hp_guard_cond__describe(const struct btf *btf, uint32_t function, char *out, size_t size)
{
	const struct btf_type *proto = btf__type_by_id(btf, btf__type_by_id(btf, function)->type);
	const struct btf_param *params = btf_params(proto);
	char type[WORD_MAX];
	size_t len;

	describe_type(btf, proto->type, type, sizeof(type));
	len = (size_t)snprintf(out, size, "%s (", type);
	for (int i = 0; i < btf_vlen(proto) && len < size; i++) {
		const char *name = btf__name_by_offset(btf, params[i].name_off);

		describe_type(btf, params[i].type, type, sizeof(type));
		len += (size_t)snprintf(out + len, size - len, "%s%s%s%s", i ? ", " : "", type,
					type[strlen(type) - 1] == '*' ? "" : " ", name);
	}
	if (len < size)
		snprintf(out + len, size - len, ")");
}
