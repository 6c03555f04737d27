// SPDX-License-Identifier: GPL-2.0
/* The appended signature of a module: struct module_signature and the few DER fields of interest. */
#include "hotfix/module_signature.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MARK "~Module signature appended~\n"

/* struct module_signature of include/linux/module_signature.h: big-endian length, id_type 2. */
#define TRAILER_SIZE   12
#define ID_TYPE_OFFSET 2
#define LENGTH_OFFSET  8
#define ID_TYPE_PKCS7  2

enum der_tag {
	DER_INTEGER = 0x02,
	DER_OID = 0x06,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT_0 = 0xa0,	   /* [0], constructed */
	DER_CONTEXT_0_PRIM = 0x80, /* [0], primitive */
	DER_CONTEXT_1 = 0xa1,
};

/* A stretch of DER; reading an element takes it off the front. */
struct der {
	const unsigned char *p;
	size_t len;
};

static const struct {
	unsigned char oid[9];
	unsigned char len;
	const char *name;
} hashes[] = {
	{ { 0x2b, 0x0e, 0x03, 0x02, 0x1a }, 5, "sha1" },
	{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 }, 9, "sha256" },
	{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02 }, 9, "sha384" },
	{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03 }, 9, "sha512" },
	{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04 }, 9, "sha224" },
	{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x08 }, 9, "sha3-256" },
	{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x09 }, 9, "sha3-384" },
	{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x0a }, 9, "sha3-512" },
};

static const unsigned char oid_common_name[] = { 0x55, 0x04, 0x03 };

/* Take the next element off @der. False at its end and for everything that DER does not allow. */
static bool der_next(struct der *der, unsigned char *tag, struct der *value)
{
	size_t len, header = 2;

	if (der->len < 2)
		return false;
	*tag = der->p[0];
	len = der->p[1];
	if (len & 0x80) {
		size_t bytes = len & 0x7f;

		if (!bytes || bytes > sizeof(uint32_t) || der->len < 2 + bytes)
			return false;
		len = 0;
		for (size_t i = 0; i < bytes; i++)
			len = len << 8 | der->p[2 + i];
		header += bytes;
	}
	if (len > der->len - header)
		return false;
	*value = (struct der){ der->p + header, len };
	der->p += header + len;
	der->len -= header + len;
	return true;
}

/* The next element, which has to have the tag @want. */
static bool der_take(struct der *der, unsigned char want, struct der *value)
{
	unsigned char tag;

	return der_next(der, &tag, value) && tag == want;
}

/* Is the next element a @want? It is not taken. */
static bool der_peek(const struct der *der, unsigned char want)
{
	return der->len && der->p[0] == want;
}

static void copy_text(char *out, size_t size, struct der text)
{
	size_t n = text.len < size - 1 ? text.len : size - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = isprint(text.p[i]) ? (char)text.p[i] : '?';
	out[n] = '\0';
}

static void copy_hex(char *out, size_t size, struct der bytes)
{
	for (size_t i = 0; i < bytes.len && 2 * i + 2 < size; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes.p[i]);
}

/* Name ::= SEQUENCE OF SET OF SEQUENCE { type OID, value }: the last common name in it. */
static void read_name(struct hp_module_signature *sig, struct der name)
{
	struct der set, pair, oid, value;
	unsigned char tag;

	while (der_take(&name, DER_SET, &set))
		while (der_take(&set, DER_SEQUENCE, &pair))
			if (der_take(&pair, DER_OID, &oid) && oid.len == sizeof(oid_common_name) &&
			    !memcmp(oid.p, oid_common_name, oid.len) &&
			    der_next(&pair, &tag, &value))
				copy_text(sig->signer, sizeof(sig->signer), value);
}

static void read_hash(struct hp_module_signature *sig, struct der algorithm)
{
	struct der oid;

	if (!der_take(&algorithm, DER_OID, &oid))
		return;
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		if (oid.len == hashes[i].len && !memcmp(oid.p, hashes[i].oid, oid.len)) {
			snprintf(sig->hash, sizeof(sig->hash), "%s", hashes[i].name);
			return;
		}
	snprintf(sig->hash, sizeof(sig->hash), "other");
}

/*
 * ContentInfo { type, [0] SignedData { version, algorithms, content, [0] certificates?, [1] crls?,
 * signerInfos SET OF { version, issuer and serial | [0] key identifier, hash, … } } }
 * (RFC 5652, sections 3 and 5). The first signer counts.
 */
static void read_message(struct hp_module_signature *sig, struct der der)
{
	struct der info, content, data, signers, signer, id, issuer, serial, skip;

	if (!der_take(&der, DER_SEQUENCE, &info) || !der_take(&info, DER_OID, &skip) ||
	    !der_take(&info, DER_CONTEXT_0, &content) || !der_take(&content, DER_SEQUENCE, &data) ||
	    !der_take(&data, DER_INTEGER, &skip) || !der_take(&data, DER_SET, &skip) ||
	    !der_take(&data, DER_SEQUENCE, &skip))
		return;
	if (der_peek(&data, DER_CONTEXT_0) && !der_take(&data, DER_CONTEXT_0, &skip))
		return;
	if (der_peek(&data, DER_CONTEXT_1) && !der_take(&data, DER_CONTEXT_1, &skip))
		return;
	if (!der_take(&data, DER_SET, &signers) || !der_take(&signers, DER_SEQUENCE, &signer) ||
	    !der_take(&signer, DER_INTEGER, &skip))
		return;
	if (der_peek(&signer, DER_CONTEXT_0_PRIM)) {
		if (!der_take(&signer, DER_CONTEXT_0_PRIM, &id))
			return;
		copy_hex(sig->key_id, sizeof(sig->key_id), id);
	} else {
		if (!der_take(&signer, DER_SEQUENCE, &id) ||
		    !der_take(&id, DER_SEQUENCE, &issuer) || !der_take(&id, DER_INTEGER, &serial))
			return;
		read_name(sig, issuer);
		copy_hex(sig->key_id, sizeof(sig->key_id), serial);
	}
	if (der_take(&signer, DER_SEQUENCE, &id))
		read_hash(sig, id);
}

int hp_module_signature__read(struct hp_module_signature *sig, const unsigned char *image,
			      size_t size)
{
	const size_t mark = strlen(MARK);
	const unsigned char *trailer;
	uint32_t len = 0;

	*sig = (struct hp_module_signature){ 0 };
	if (size < mark || memcmp(image + size - mark, MARK, mark) != 0)
		return 0;
	if (size < mark + TRAILER_SIZE)
		return -EBADMSG;
	trailer = image + size - mark - TRAILER_SIZE;
	for (size_t i = 0; i < sizeof(len); i++)
		len = len << 8 | trailer[LENGTH_OFFSET + i];
	if (len > size - mark - TRAILER_SIZE)
		return -EBADMSG;
	sig->present = true;
	sig->size = mark + TRAILER_SIZE + len;
	if (trailer[ID_TYPE_OFFSET] == ID_TYPE_PKCS7)
		read_message(sig, (struct der){ trailer - len, len });
	return 0;
}
