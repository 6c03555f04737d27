/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The signature that is appended to a kernel module (struct module_signature, a PKCS#7 message in
 * front of it): who signed it, by its own account. Nothing is verified here, the kernel does that.
 */
#ifndef HP_HOTFIX_MODULE_SIGNATURE_H
#define HP_HOTFIX_MODULE_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

struct hp_module_signature {
	bool present;
	size_t size;	  /* bytes that it takes at the end of the file, all parts */
	char signer[128]; /* the common name of the certificate's issuer; "" when there is none */
	char key_id[129]; /* serial number or subject key identifier, in hexadecimal; or "" */
	char hash[16];	  /* "sha256", "other" for one that is not known here, or "" */
};

/*
 * Read what is appended to @image. Returns 0, with @sig->present false when there is no signature;
 * -EBADMSG when there is the mark of a signature but no signature in front of it. Fields of a
 * message that cannot be read stay "": what counts is what the kernel says to it.
 */
int hp_module_signature__read(struct hp_module_signature *sig, const unsigned char *image,
			      size_t size);

#endif
