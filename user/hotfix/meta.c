// SPDX-License-Identifier: GPL-2.0
/* A hotfix's metadata: from C to JSON and back, every field checked. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "hotfix/elf_hotfix.h"

#include "base/json.h"

void hp_hotfix__hash(const void *data, size_t len, uint8_t hash[HP_HOTFIX_HASH_BYTES])
{
	crypto_hash_sha256(hash, data, len);
}

bool hp_hotfix_id__valid(const char *id)
{
	size_t len = strlen(id);

	if (!len || len >= HP_HOTFIX_ID_MAX || id[0] == '.')
		return false;
	for (; *id; id++)
		if (!isalnum((unsigned char)*id) && !strchr("._-", *id))
			return false;
	return true;
}

void hp_hotfix_meta__free(struct hp_hotfix_meta *meta)
{
	for (size_t i = 0; i < meta->cve_count; i++)
		free(meta->cves[i]);
	for (size_t i = 0; i < meta->forward_count; i++) {
		free(meta->forward[i].target);
		free(meta->forward[i].replacement);
	}
	for (size_t i = 0; i < meta->reverse_count; i++) {
		free(meta->reverse[i].symbol);
		free(meta->reverse[i].name);
	}
	for (size_t i = 0; i < meta->remark_count; i++) {
		free(meta->remarks[i].target);
		free(meta->remarks[i].text);
	}
	free(meta->remarks);
	free(meta->cves);
	free(meta->forward);
	free(meta->reverse);
	free(meta->id);
	free(meta->description);
	free(meta->target_path);
	memset(meta, 0, sizeof(*meta));
}

static json_t *hex(const uint8_t *bytes, size_t len)
{
	char text[2 * 64 + 1];

	if (len > 64)
		return NULL;
	return json_string(sodium_bin2hex(text, sizeof(text), bytes, len));
}

static const char *const remark_kinds[] = {
	[HP_REMARK_CALLS] = "calls",	   [HP_REMARK_COLD] = "cold",
	[HP_REMARK_CLONE] = "clone",	   [HP_REMARK_INLINED] = "inlined",
	[HP_REMARK_NOT_SEEN] = "not-seen",
};

bool hp_remark__is_warning(const struct hp_remark *remark)
{
	return remark->kind >= HP_REMARK_CLONE;
}

static json_t *remarks_json(const struct hp_hotfix_meta *meta)
{
	json_t *array = json_array();

	for (size_t i = 0; i < meta->remark_count; i++) {
		const struct hp_remark *r = &meta->remarks[i];

		hp_json_append(&array,
			       json_pack("{s:s,s:o,s:o,s:I,s:o,s:I}", "kind", remark_kinds[r->kind],
					 "target", hp_json_text(r->target), "text",
					 hp_json_text(r->text), "count", (json_int_t)r->count,
					 "address", hp_json_address(r->address), "size",
					 (json_int_t)r->size));
	}
	return array;
}

json_t *hp_hotfix_meta__json(const struct hp_hotfix_meta *meta)
{
	json_t *forward = json_array(), *reverse = json_array(), *cves = json_array();

	for (size_t i = 0; i < meta->cve_count; i++)
		hp_json_append(&cves, json_string(meta->cves[i]));
	for (size_t i = 0; i < meta->forward_count; i++) {
		const struct hp_forward *f = &meta->forward[i];

		hp_json_append(&forward,
			       json_pack("{s:s,s:s,s:o,s:I,s:o}", "target", f->target,
					 "replacement", f->replacement, "address",
					 hp_json_address(f->address), "size", (json_int_t)f->size,
					 "sha256", hex(f->sha256, sizeof(f->sha256))));
	}
	for (size_t i = 0; i < meta->reverse_count; i++) {
		const struct hp_reverse *r = &meta->reverse[i];
		json_t *item = json_pack("{s:s}", "symbol", r->symbol);

		if (r->in_target &&
		    json_object_update_new(item,
					   json_pack("{s:s,s:o}", "target", r->name, "address",
						     hp_json_address(r->address)))) {
			json_decref(item);
			item = NULL;
		}
		/* Only where it is so: what was written before has no such field. */
		if (r->indirect)
			json_object_set_new(item, "indirect", json_true());
		if (r->slot)
			json_object_set_new(item, "slot", hp_json_address(r->slot));
		hp_json_append(&reverse, item);
	}
	return json_pack("{s:i,s:s,s:I,s:s,s:o,s:{s:s,s:o},s:o,s:o,s:o}", "format",
			 HP_HOTFIX_FORMAT, "id", meta->id, "sequence", (json_int_t)meta->sequence,
			 "description", meta->description ?: "", "cves", cves, "target", "path",
			 meta->target_path, "build_id",
			 hex(meta->target_id.bytes, meta->target_id.len), "forward", forward,
			 "reverse", reverse, "remarks", remarks_json(meta));
}

static bool parse_hex(uint8_t *out, size_t size, size_t *len, const char *text)
{
	const char *end;

	return !sodium_hex2bin(out, size, text, strlen(text), NULL, len, &end) && !*end && *len;
}

/* "0x…" and nothing else. */
static bool parse_address(uint64_t *out, const char *text)
{
	char *end;

	if (strncmp(text, "0x", 2) || !isxdigit((unsigned char)text[2]))
		return false;
	errno = 0;
	*out = strtoull(text, &end, 16);
	return !*end && !errno;
}

static int bad(struct hp_error *err, const char *what)
{
	return hp_fail(err, HP_E_HOTFIX, "the hotfix's metadata: %s", what);
}

static int parse_forward(struct hp_hotfix_meta *meta, json_t *array, struct hp_error *err)
{
	size_t i;
	json_t *item;

	if (!json_array_size(array) || json_array_size(array) > HP_HOTFIX_ATTACHES_MAX)
		return bad(err, "no forward attach, or too many");
	meta->forward = calloc(json_array_size(array), sizeof(*meta->forward));
	if (!meta->forward)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	json_array_foreach(array, i, item)
	{
		struct hp_forward *f = &meta->forward[meta->forward_count];
		const char *target, *replacement, *address, *sha256;
		json_error_t why;
		json_int_t size;
		size_t len;

		if (json_unpack_ex(item, &why, JSON_STRICT, "{s:s,s:s,s:s,s:I,s:s}", "target",
				   &target, "replacement", &replacement, "address", &address,
				   "size", &size, "sha256", &sha256))
			return bad(err, why.text);
		if (!parse_address(&f->address, address) || size <= 0 ||
		    size > HP_HOTFIX_FUNCTION_MAX)
			return bad(err, "a forward attach has no place");
		if (!parse_hex(f->sha256, sizeof(f->sha256), &len, sha256) ||
		    len != sizeof(f->sha256))
			return bad(err, "a forward attach has no SHA-256");
		f->size = (uint64_t)size;
		f->target = strdup(target);
		f->replacement = strdup(replacement);
		meta->forward_count++;
		if (!f->target || !f->replacement)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		for (size_t j = 0; j + 1 < meta->forward_count; j++) {
			const struct hp_forward *g = &meta->forward[j];

			if (f->address < g->address + g->size && g->address < f->address + f->size)
				return bad(err, "two targets overlap");
		}
	}
	return 0;
}

static int parse_reverse(struct hp_hotfix_meta *meta, json_t *array, struct hp_error *err)
{
	size_t i;
	json_t *item;

	meta->reverse = calloc(json_array_size(array) + 1, sizeof(*meta->reverse));
	if (!meta->reverse)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	json_array_foreach(array, i, item)
	{
		struct hp_reverse *r = &meta->reverse[meta->reverse_count];
		const char *symbol, *target = NULL, *address = NULL, *slot = NULL;
		json_error_t why;
		int indirect = 0;

		if (json_unpack_ex(item, &why, JSON_STRICT, "{s:s,s?s,s?s,s?b,s?s}", "symbol",
				   &symbol, "target", &target, "address", &address, "indirect",
				   &indirect, "slot", &slot))
			return bad(err, why.text);
		r->in_target = target != NULL;
		r->indirect = indirect;
		if (r->in_target && (!address || !parse_address(&r->address, address)))
			return bad(err, "a reverse attach has no place");
		if (slot && (!r->in_target || !parse_address(&r->slot, slot)))
			return bad(err, "a reverse attach has a slot that is none");
		r->symbol = strdup(symbol);
		r->name = target ? strdup(target) : NULL;
		meta->reverse_count++;
		if (!r->symbol || (target && !r->name))
			return hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	return 0;
}

static int parse_remarks(struct hp_hotfix_meta *meta, json_t *array, struct hp_error *err)
{
	size_t i;
	json_t *item;

	meta->remarks = calloc(json_array_size(array) + 1, sizeof(*meta->remarks));
	if (!meta->remarks)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	json_array_foreach(array, i, item)
	{
		struct hp_remark *r = &meta->remarks[meta->remark_count];
		const char *kind, *target, *text, *address;
		json_int_t count, size;
		json_error_t why;

		if (json_unpack_ex(item, &why, JSON_STRICT, "{s:s,s:s,s:s,s:I,s:s,s:I}", "kind",
				   &kind, "target", &target, "text", &text, "count", &count,
				   "address", &address, "size", &size))
			return bad(err, why.text);
		while (r->kind < HP_REMARK_KINDS && strcmp(kind, remark_kinds[r->kind]))
			r->kind++;
		if (r->kind == HP_REMARK_KINDS || count < 0 || size < 0 ||
		    !parse_address(&r->address, address))
			return bad(err, "a remark");
		r->count = (uint64_t)count;
		r->size = (uint64_t)size;
		r->target = strdup(target);
		r->text = strdup(text);
		meta->remark_count++;
		if (!r->target || !r->text)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	return 0;
}

static int parse_cves(struct hp_hotfix_meta *meta, json_t *array, struct hp_error *err)
{
	size_t i;
	json_t *item;

	meta->cves = calloc(json_array_size(array) + 1, sizeof(*meta->cves));
	if (!meta->cves)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	json_array_foreach(array, i, item)
	{
		if (!json_is_string(item))
			return bad(err, "a CVE is not a string");
		meta->cves[meta->cve_count] = strdup(json_string_value(item));
		if (!meta->cves[meta->cve_count])
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		meta->cve_count++;
	}
	return 0;
}

static int parse_object(struct hp_hotfix_meta *meta, json_t *root, struct hp_error *err)
{
	const char *id, *description, *path, *build_id;
	json_t *cves, *forward, *reverse, *remarks = NULL;
	json_int_t sequence;
	json_error_t why;
	int format, ret;

	if (json_unpack_ex(root, &why, 0, "{s:i}", "format", &format))
		return bad(err, why.text);
	if (format != HP_HOTFIX_FORMAT)
		return hp_fail(err, HP_E_HOTFIX,
			       "the hotfix has format %d, and this hotproof reads %d", format,
			       HP_HOTFIX_FORMAT);
	if (json_unpack_ex(root, &why, JSON_STRICT,
			   "{s:i,s:s,s:I,s:s,s:o,s:{s:s,s:s !},s:o,s:o,s?o}", "format", &format,
			   "id", &id, "sequence", &sequence, "description", &description, "cves",
			   &cves, "target", "path", &path, "build_id", &build_id, "forward",
			   &forward, "reverse", &reverse, "remarks", &remarks))
		return bad(err, why.text);
	if (remarks && !json_is_array(remarks))
		return bad(err, "a list is not a list");
	if (!json_is_array(cves) || !json_is_array(forward) || !json_is_array(reverse))
		return bad(err, "a list is not a list");
	if (!hp_hotfix_id__valid(id))
		return bad(err, "the id is not made of letters, digits, '.', '_' and '-'");
	if (sequence < 0)
		return bad(err, "the sequence number is negative");
	if (path[0] != '/')
		return bad(err, "the target's path is not absolute");
	if (!parse_hex(meta->target_id.bytes, sizeof(meta->target_id.bytes), &meta->target_id.len,
		       build_id))
		return bad(err, "the target has no build-id");
	meta->sequence = (uint64_t)sequence;
	meta->id = strdup(id);
	meta->description = strdup(description);
	meta->target_path = strdup(path);
	if (!meta->id || !meta->description || !meta->target_path)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = parse_cves(meta, cves, err);
	ret = ret ?: parse_forward(meta, forward, err);
	ret = ret ?: parse_reverse(meta, reverse, err);
	return ret || !remarks ? ret : parse_remarks(meta, remarks, err);
}

int hp_hotfix_meta__parse(struct hp_hotfix_meta *meta, const char *text, size_t len,
			  struct hp_error *err)
{
	json_error_t why;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	int ret;

	memset(meta, 0, sizeof(*meta));
	if (!root)
		return bad(err, why.text);
	ret = parse_object(meta, root, err);
	json_decref(root);
	if (ret)
		hp_hotfix_meta__free(meta);
	return ret;
}
