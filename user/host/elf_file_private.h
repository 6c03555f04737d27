/* SPDX-License-Identifier: GPL-2.0 */
/* What the files that read ELF share, and nobody else. */
#ifndef HP_HOST_ELF_FILE_PRIVATE_H
#define HP_HOST_ELF_FILE_PRIVATE_H

#include "host/elf_file.h"

struct hp_elf {
	char *path;
	int fd;
	Elf *handle;
	GElf_Ehdr header;
	GElf_Phdr *segments;
	size_t segment_count;
	struct hp_build_id build_id;
	bool has_build_id;
	struct hp_elf *debug; /* the separate debug file, opened when first asked for */
	bool debug_tried;
};

#endif
