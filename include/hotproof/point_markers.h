/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The constants in the observer's template programs that user space replaces for each observation
 * point. 64 bits, so that clang loads them with one ld_imm64 instruction that is easy to find.
 */
#ifndef HOTPROOF_POINT_MARKERS_H
#define HOTPROOF_POINT_MARKERS_H

#define HP_MARKER_SLOT	     0x68702e736c6f7431 /* becomes the point's slot */
#define HP_MARKER_ADDRESS    0x68702e6164647231 /* becomes the function's runtime address */
#define HP_MARKER_SHARD_MASK 0x68702e6d61736b31 /* becomes the number of its shards less one */

#define HP_MARKER_DEPTH \
	0x68702e6465707431 /* becomes the bytes on the stack above the return address */

#define HP_STRINGIFY_(x) #x
#define HP_STRINGIFY(x)	 HP_STRINGIFY_(x)

#endif
