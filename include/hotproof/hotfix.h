/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For authors of hotfixes: what a source file says about its functions.
 *
 *	#include <hotproof/hotfix.h>
 *
 *	unsigned long fixed_crc(unsigned long crc, const unsigned char *buf, unsigned int len)
 *	{
 *		...
 *	}
 *	HOTPROOF_REPLACE("crc32", fixed_crc);
 *
 * A replacement is an ordinary function that is not static, of one target; in C++ it is extern "C". It takes and
 * returns what its target does: nobody can check that. When it calls its target by name, the call
 * comes to the replacement again: there is no way to the old code. Whatever the file uses without defining
 * it is a reverse attach: it is bound to the target object's own symbol of that name, a private one
 * too (or to what the target uses in place of an exported one), or to another library's. Where a private
 * name occurs twice, HOTPROOF_REVERSE says which.
 *
 * When the hotfix is reverted or replaced it is unmapped: the program may not keep the address of anything in
 * it, be it a string constant that was returned or a function that was registered.
 *
 * 'hotproof build' reads these lines from the object file; the linker drops them.
 */
#ifndef HOTPROOF_HOTFIX_H
#define HOTPROOF_HOTFIX_H

/* "e" is SHF_EXCLUDE: for tools that read object files, never part of what is linked from them. */
#define HOTPROOF_ATTACH_(kind, here, there)                                     \
	__asm__(".pushsection .hotproof.attach,\"e\",@progbits\n\t"             \
		".asciz \"" kind "\"\n\t.asciz \"" here "\"\n\t.asciz \"" there \
		"\"\n\t.popsection")

/*
 * Calls of @target go to @replacement. @target is a string: "name", "name@VERSION" for one version
 * of an exported function, or "file.c:name" for a private one whose name occurs twice. Where that is not
 * enough, "name,2" or "file.c:name,2" is the second of them by its address (nm -n).
 */
#define HOTPROOF_REPLACE(target, replacement)       \
	extern __typeof__(replacement) replacement; \
	HOTPROOF_ATTACH_("forward", #replacement, target)

/* The undefined symbol @name of this file stands for @symbol ("file.c:name") of the target object. */
#define HOTPROOF_REVERSE(name, symbol) HOTPROOF_ATTACH_("reverse", #name, symbol)

#endif
