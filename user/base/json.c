// SPDX-License-Identifier: GPL-2.0
/* Parts of JSON documents. */
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

json_t *hp_json_report(const char *verb, int version)
{
	char name[64];

	snprintf(name, sizeof(name), "hotproof.%s", verb);
	return json_pack("{s:s, s:i, s:s}", "schema", name, "version", version, "hotproof",
			 HP_VERSION);
}

json_t *hp_json_address(uint64_t address)
{
	return json_sprintf("0x%" PRIx64, address);
}

/* How many bytes at @s make one UTF-8 character that jansson takes, 0 for none. */
static size_t utf8_length(const char *s)
{
	size_t left = strnlen(s, 4);

	for (size_t len = 1; len <= left; len++) {
		json_t *probe = json_stringn(s, len);

		if (probe) {
			json_decref(probe);
			return len;
		}
	}
	return 0;
}

json_t *hp_json_text(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	_cleanup_free_ char *clean = NULL;
	json_t *string;
	char *to;

	if (!text)
		return json_null();
	string = json_string(text);
	if (string)
		return string;
	to = clean = malloc(strlen(text) * (sizeof(replacement) - 1) + 1);
	if (!clean)
		return NULL;
	while (*text) {
		size_t len = utf8_length(text);

		if (len)
			to = mempcpy(to, text, len);
		else
			to = mempcpy(to, replacement, sizeof(replacement) - 1);
		text += len ? len : 1;
	}
	*to = '\0';
	return json_string(clean);
}

json_t *hp_json_text_or_null(const char *text)
{
	return hp_json_text(text && text[0] ? text : NULL);
}

void hp_json_append(json_t **array, json_t *value)
{
	if (*array && value && !json_array_append(*array, value)) {
		json_decref(value);
		return;
	}
	json_decref(value);
	json_decref(*array);
	*array = NULL;
}

json_t *hp_json_envelope(const char *verb, int version, json_t *body)
{
	json_t *report = hp_json_report(verb, version);

	if (!report || !body || json_object_update(report, body)) {
		json_decref(report);
		report = NULL;
	}
	json_decref(body);
	return report;
}
