// SPDX-License-Identifier: GPL-2.0
/* A hotfix's metadata: what is written is read back, and nothing that is damaged is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hotfix/elf_hotfix.h"

#define HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEAD \
	"{\"format\":1,\"id\":\"fix\",\"sequence\":2,\"description\":\"d\",\"cves\":[\"CVE-1\"],"
#define THERE "\"target\":{\"path\":\"/lib/x\",\"build_id\":\"0102\"},"
#define FORWARD(address, size)                                                               \
	"{\"target\":\"f\",\"replacement\":\"g\",\"address\":\"" address "\",\"size\":" size \
	",\"sha256\":\"" HASH "\"}"
#define REVERSE \
	"\"reverse\":[{\"symbol\":\"a\",\"target\":\"x.c:a\",\"address\":\"0x10\",\"slot\":\"0x18\"},{\"symbol\":\"b\"}]}"
#define GOOD HEAD THERE "\"forward\":[" FORWARD("0x1000", "32") "]," REVERSE

static int parse(struct hp_hotfix_meta *meta, const char *text)
{
	struct hp_error err = { 0 };
	int ret = hp_hotfix_meta__parse(meta, text, strlen(text), &err);

	assert_int_equal(ret != 0, err.reason != HP_E_NONE);
	if (ret)
		assert_int_equal(err.reason, HP_E_HOTFIX);
	return ret;
}

static void test_round_trip(void **state)
{
	struct hp_hotfix_meta meta, again;
	json_t *json;
	char *text;

	assert_int_equal(parse(&meta, GOOD), 0);
	assert_string_equal(meta.id, "fix");
	assert_int_equal(meta.sequence, 2);
	assert_string_equal(meta.cves[0], "CVE-1");
	assert_int_equal(meta.target_id.len, 2);
	assert_int_equal(meta.forward_count, 1);
	assert_int_equal(meta.forward[0].address, 0x1000);
	assert_int_equal(meta.reverse_count, 2);
	assert_true(meta.reverse[0].in_target);
	assert_string_equal(meta.reverse[0].name, "x.c:a");
	assert_false(meta.reverse[1].in_target);

	json = hp_hotfix_meta__json(&meta);
	text = json_dumps(json, JSON_COMPACT);
	assert_non_null(text);
	assert_int_equal(parse(&again, text), 0);
	assert_memory_equal(again.forward[0].sha256, meta.forward[0].sha256, HP_HOTFIX_HASH_BYTES);
	assert_int_equal(again.reverse[0].address, 0x10);
	assert_int_equal(again.reverse[0].slot, 0x18);
	free(text);
	json_decref(json);
	hp_hotfix_meta__free(&again);
	hp_hotfix_meta__free(&meta);
}

static void test_hash(void **state)
{
	struct hp_hotfix_meta meta;
	uint8_t hash[HP_HOTFIX_HASH_BYTES];

	/* FIPS 180-4's own example, "abc". */
	hp_hotfix__hash("abc", 3, hash);
	assert_int_equal(parse(&meta, GOOD), 0);
	assert_memory_equal(hash, meta.forward[0].sha256, sizeof(hash));
	hp_hotfix_meta__free(&meta);
}

static void test_bad_fields(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"format\":2}",
		/* no forward attach; one without room; without an address; beyond all bounds */
		HEAD THERE "\"forward\":[]," REVERSE,
		HEAD THERE "\"forward\":[" FORWARD("0x1000", "0") "]," REVERSE,
		HEAD THERE "\"forward\":[" FORWARD("1000", "32") "]," REVERSE,
		HEAD THERE "\"forward\":[" FORWARD("0x", "32") "]," REVERSE,
		HEAD THERE "\"forward\":[" FORWARD("0x1000", "99999999") "]," REVERSE,
		/* two that overlap */
		HEAD THERE
		"\"forward\":[" FORWARD("0x1000", "32") "," FORWARD("0x101f", "32") "]," REVERSE,
		/* no path, no build-id, an id that is a path, a field that nobody knows */
		HEAD "\"target\":{\"path\":\"lib\",\"build_id\":\"01\"},\"forward\":[" FORWARD(
			"0x1000", "32") "]," REVERSE,
		HEAD "\"target\":{\"path\":\"/lib\",\"build_id\":\"\"},\"forward\":[" FORWARD(
			"0x1000", "32") "]," REVERSE,
		HEAD "\"target\":{\"path\":\"/lib\",\"build_id\":\"0g\"},\"forward\":[" FORWARD(
			"0x1000", "32") "]," REVERSE,
		HEAD "\"more\":1," THERE "\"forward\":[" FORWARD("0x1000", "32") "]," REVERSE,
		/* a reverse attach to a place that is not given */
		HEAD THERE "\"forward\":[" FORWARD(
			"0x1000", "32") "],\"reverse\":[{\"symbol\":\"a\",\"target\":\"a\"}]}",
		/* a slot of what is not the target's */
		HEAD THERE "\"forward\":[" FORWARD(
			"0x1000", "32") "],\"reverse\":[{\"symbol\":\"a\",\"slot\":\"0x18\"}]}",
	};
	struct hp_hotfix_meta meta;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(parse(&meta, bad[i]), 0);
	assert_true(hp_hotfix_id__valid("CVE-2026-1.fix_2"));
	assert_false(hp_hotfix_id__valid("../x"));
	assert_false(hp_hotfix_id__valid(".hidden"));
	assert_false(hp_hotfix_id__valid(""));
	assert_false(hp_hotfix_id__valid("a b"));
}

/* Each byte of the note changed in three ways: read or refused, never anything else. */
static void test_mutations(void **state)
{
	static const char by[] = { 0, '"', 'z' };
	size_t len = strlen(GOOD);

	for (size_t i = 0; i < len; i++) {
		for (size_t j = 0; j < sizeof(by); j++) {
			struct hp_error err = { 0 };
			struct hp_hotfix_meta meta;
			char *text = strdup(GOOD);

			assert_non_null(text);
			text[i] = by[j];
			if (!hp_hotfix_meta__parse(&meta, text, len, &err))
				hp_hotfix_meta__free(&meta);
			else
				assert_int_not_equal(err.reason, HP_E_NONE);
			free(text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_bad_fields),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
