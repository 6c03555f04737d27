// SPDX-License-Identifier: GPL-2.0
/* Search of machine code for direct branches to, and addresses taken of, a set of addresses. */
#include "observe/code_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE   (256 * 1024)
#define FUNCTION_MAX (1024 * 1024) /* more than any function has; a symbol's size may be wrong */
#define FILTER_BITS  16
#define SHORT_REACH  (128 + 2) /* how far a branch of two bytes gets from its start */

/* The four bytes of a displacement or immediate that may refer to a target. */
struct candidate {
	uint64_t at;
	uint8_t opcode; /* bytes of a direct branch's opcode in front of it, or 0 */
};

struct candidates {
	struct candidate *list;
	size_t count, cap;
};

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Functions are aligned, so the lowest bits tell little. */
static inline uint32_t filter_slot(uint32_t low)
{
	return (low >> 4 ^ low >> 20 ^ low << 12) & ((1u << FILTER_BITS) - 1);
}

int hp_address_set__init(struct hp_address_set *set, const uint64_t *addresses, size_t count)
{
	size_t i;

	memset(set, 0, sizeof(*set));
	set->address = malloc((count + 1) * sizeof(*set->address));
	set->filter = calloc(1, (1u << FILTER_BITS) / 8);
	if (!set->address || !set->filter) {
		hp_address_set__free(set);
		return -ENOMEM;
	}
	if (count)
		memcpy(set->address, addresses, count * sizeof(*addresses));
	qsort(set->address, count, sizeof(*set->address), compare_u64);
	for (i = 0; i < count; i++) {
		uint32_t slot = filter_slot((uint32_t)set->address[i]);

		if (!set->count || set->address[set->count - 1] != set->address[i])
			set->address[set->count++] = set->address[i];
		set->filter[slot / 8] |= (uint8_t)(1u << slot % 8);
	}
	if (set->count) {
		uint64_t span = set->address[set->count - 1] - set->address[0];

		/* All of the kernel's code lies within 2 GiB; otherwise only the bitmap filters. */
		set->low = span > UINT32_MAX ? 0 : (uint32_t)set->address[0];
		set->span = span > UINT32_MAX ? UINT32_MAX : (uint32_t)span;
	}
	return 0;
}

void hp_address_set__free(struct hp_address_set *set)
{
	free(set->address);
	free(set->filter);
	memset(set, 0, sizeof(*set));
}

/* Whether an address that ends in these 32 bits may be in the set. */
static inline bool may_hold(const struct hp_address_set *set, uint32_t value)
{
	uint32_t slot;

	if (value - set->low > set->span)
		return false;
	slot = filter_slot(value);
	return set->filter[slot / 8] >> slot % 8 & 1;
}

long hp_address_set__find(const struct hp_address_set *set, uint64_t address)
{
	size_t low = 0, high = set->count;

	if (!set->count || !may_hold(set, (uint32_t)address))
		return -1;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (set->address[mid] < address)
			low = mid + 1;
		else
			high = mid;
	}
	return low < set->count && set->address[low] == address ? (long)low : -1;
}

int hp_bytes__read(const void *ctx, uint64_t address, void *buf, size_t len)
{
	const struct hp_bytes *b = ctx;
	uint64_t at = address - b->address;

	if (at > b->size || len > b->size - at)
		return -EFAULT;
	memcpy(buf, b->bytes + at, len);
	return 0;
}

static int add_candidate(struct candidates *c, uint64_t at, size_t opcode)
{
	if (c->count == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 256;
		struct candidate *list = realloc(c->list, cap * sizeof(*list));

		if (!list)
			return -ENOMEM;
		c->list = list;
		c->cap = cap;
	}
	c->list[c->count++] = (struct candidate){ .at = at, .opcode = (uint8_t)opcode };
	return 0;
}

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/*
 * Look at every four bytes as a displacement that ends its instruction (branches and lea), and as
 * an absolute address (immediates, which are sign-extended in the kernel's code model).
 */
static int find_candidates(struct candidates *c, const uint8_t *buf, size_t len, uint64_t address,
			   size_t from, const struct hp_address_set *set)
{
	size_t i;

	for (i = from; i + 4 <= len; i++) {
		uint32_t value = load32(buf + i), next = (uint32_t)(address + i + 4);
		uint64_t dest;

		if (may_hold(set, value + next)) {
			dest = address + i + 4 + (uint64_t)(int64_t)(int32_t)value;
			if (hp_address_set__find(set, dest) >= 0 &&
			    add_candidate(c, address + i, hp_text__branch_opcode(buf + i, i)))
				return -ENOMEM;
		}
		if (may_hold(set, value) &&
		    hp_address_set__find(set, (uint64_t)(int64_t)(int32_t)value) >= 0 &&
		    add_candidate(c, address + i, false))
			return -ENOMEM;
	}
	return 0;
}

static bool inside(const struct hp_code *code, uint64_t address)
{
	return address - code->address < code->size;
}

/* The function around @address, cut to @code. -ENOENT when no symbol says where it begins. */
static int function_around(const struct hp_code *code, const struct hp_kallsyms *ks,
			   uint64_t address, struct hp_symbol *sym, uint64_t *start, uint64_t *end)
{
	uint64_t offset, rest;
	int ret;

	ret = hp_kallsyms__lookup(ks, address + code->slide, sym, &offset);
	if (ret)
		return ret;
	*start = address - offset;
	if (!inside(code, *start))
		return -ENOENT;
	rest = code->address + code->size - *start;
	*end = *start + (sym->size && sym->size < rest ? sym->size : rest);
	if (*end - *start > FUNCTION_MAX)
		*end = *start + FUNCTION_MAX;
	return address < *end ? 0 : -ENOENT;
}

/* Branches of two bytes have no candidates: decode what lies around each target in any case. */
static int add_neighbours(struct candidates *c, const struct hp_code *code,
			  const struct hp_address_set *set, const struct hp_kallsyms *ks)
{
	size_t i;

	for (i = 0; i < set->count; i++) {
		uint64_t at = set->address[i] - SHORT_REACH, last = set->address[i] + SHORT_REACH;

		while (at < last) {
			struct hp_symbol sym;
			uint64_t start, end;

			if (!inside(code, at) ||
			    function_around(code, ks, at, &sym, &start, &end)) {
				at++;
				continue;
			}
			if (add_candidate(c, at, false))
				return -ENOMEM;
			at = end;
		}
	}
	return 0;
}

static int compare_candidate(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static int collect(struct candidates *c, const struct hp_code *code,
		   const struct hp_address_set *set, const struct hp_kallsyms *ks)
{
	_cleanup_free_ uint8_t *buf = malloc(CHUNK_SIZE);
	const size_t overlap = 8; /* the opcode and three bytes of a displacement */
	uint64_t at;
	int ret = 0;

	if (!buf)
		return -ENOMEM;
	for (at = 0; at < code->size && !ret; at += CHUNK_SIZE - overlap) {
		uint64_t left = code->size - at;
		size_t len = left < CHUNK_SIZE ? (size_t)left : CHUNK_SIZE;

		ret = code->read(code->ctx, code->address + at, buf, len);
		/* What starts in the last bytes but three of a chunk was found with it. */
		if (!ret)
			ret = find_candidates(c, buf, len, code->address + at, at ? overlap - 3 : 0,
					      set);
		if (left <= CHUNK_SIZE)
			break;
	}
	if (!ret)
		ret = add_neighbours(c, code, set, ks);
	if (!ret)
		qsort(c->list, c->count, sizeof(*c->list), compare_candidate);
	return ret;
}

/* Report what @insn refers to, if that is in the set. */
static int report(const struct hp_insn *insn, uint64_t address, const struct hp_address_set *set,
		  const struct hp_symbol *function, bool confirmed, hp_reference_fn fn, void *arg)
{
	struct hp_reference ref = {
		.address = address,
		.next = address + insn->length,
		.branch = insn->branch,
		.confirmed = confirmed,
		.function = *function,
	};
	long target;

	if (insn->branch != HP_BRANCH_NONE)
		target = hp_address_set__find(set, insn->target);
	else if (insn->has_reference && !insn->reference_load)
		target = hp_address_set__find(set, insn->reference);
	else
		return 0;
	if (target < 0)
		return 0;
	ref.target = (size_t)target;
	return fn(arg, &ref);
}

static int scan_function(const struct hp_code *code, const struct hp_address_set *set,
			 const struct hp_symbol *sym, uint64_t start, uint64_t end,
			 hp_reference_fn fn, void *arg)
{
	size_t len = (size_t)(end - start), at = 0;
	_cleanup_free_ uint8_t *buf = malloc(len);
	bool confirmed = true;
	int ret;

	if (!buf)
		return -ENOMEM;
	ret = code->read(code->ctx, start, buf, len);
	while (!ret && at < len) {
		struct hp_insn insn;

		if (hp_text__decode(buf + at, len - at, start + at, &insn)) {
			/* No code: from here on nobody knows where instructions begin. */
			confirmed = false;
			at++;
			continue;
		}
		ret = report(&insn, start + at, set, sym, confirmed, fn, arg);
		at += insn.length;
	}
	return ret;
}

/* Code without a symbol: take a branch at its word when its opcode is there, and say so. */
static int scan_unknown(const struct hp_code *code, const struct hp_address_set *set,
			const struct candidate *candidate, hp_reference_fn fn, void *arg)
{
	static const struct hp_symbol nobody;
	uint64_t start = candidate->at - candidate->opcode;
	size_t len = candidate->opcode + 4u;
	struct hp_insn insn;
	uint8_t buf[6];
	int ret;

	if (!candidate->opcode || !inside(code, start) || !inside(code, candidate->at + 3))
		return 0;
	ret = code->read(code->ctx, start, buf, len);
	if (ret)
		return ret;
	if (hp_text__decode(buf, len, start, &insn))
		return 0;
	return report(&insn, start, set, &nobody, false, fn, arg);
}

int hp_code__scan(const struct hp_code *code, const struct hp_address_set *set,
		  const struct hp_kallsyms *ks, hp_reference_fn fn, void *arg)
{
	struct candidates c = { 0 };
	uint64_t done = 0; /* everything below has been decoded */
	size_t i;
	int ret;

	if (!set->count || !code->size)
		return 0;
	ret = collect(&c, code, set, ks);
	for (i = 0; i < c.count && !ret; i++) {
		struct hp_symbol sym;
		uint64_t start, end;

		if (c.list[i].at < done)
			continue;
		if (function_around(code, ks, c.list[i].at, &sym, &start, &end)) {
			ret = scan_unknown(code, set, &c.list[i], fn, arg);
			continue;
		}
		ret = scan_function(code, set, &sym, start, end, fn, arg);
		done = end;
	}
	free(c.list);
	return ret;
}

int hp_data__scan(const struct hp_code *data, const struct hp_address_set *set,
		  int (*fn)(void *arg, size_t target, uint64_t address), void *arg)
{
	_cleanup_free_ uint64_t *buf = malloc(CHUNK_SIZE);
	uint64_t skip = -data->address & 7, at;
	int ret = 0;

	if (!buf)
		return -ENOMEM;
	for (at = skip; at + 8 <= data->size && !ret; at += CHUNK_SIZE) {
		uint64_t left = (data->size - at) & ~7ull;
		size_t len = left < CHUNK_SIZE ? (size_t)left : CHUNK_SIZE, i;

		ret = data->read(data->ctx, data->address + at, buf, len);
		for (i = 0; i < len / 8 && !ret; i++) {
			long target;

			if (!may_hold(set, (uint32_t)buf[i]))
				continue;
			target = hp_address_set__find(set, buf[i]);
			if (target >= 0)
				ret = fn(arg, (size_t)target, data->address + at + i * 8);
		}
	}
	return ret;
}

int hp_code__ending_at(const struct hp_code *code, const struct hp_kallsyms *ks, uint64_t end,
		       struct hp_insn *insn)
{
	_cleanup_free_ uint8_t *buf = NULL;
	uint64_t start, stop, at;
	struct hp_symbol sym;
	int ret;

	/* A call to a function that never returns may be the last instruction of its function. */
	ret = function_around(code, ks, end - 1, &sym, &start, &stop);
	if (ret)
		return ret;
	buf = malloc((size_t)(end - start));
	if (!buf)
		return -ENOMEM;
	ret = code->read(code->ctx, start, buf, (size_t)(end - start));
	if (ret)
		return ret;
	for (at = start; at < end; at += insn->length) {
		if (hp_text__decode(buf + (at - start), (size_t)(end - at), at, insn))
			return -ENOENT;
		if (at + insn->length == end)
			return 0;
	}
	return -ENOENT;
}
