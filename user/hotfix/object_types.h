/* SPDX-License-Identifier: GPL-2.0 */
/* Do the types (BTF) of a BPF object refer to what is there? libbpf 1.1 believes them, and a file may be damaged. */
#ifndef HP_HOTFIX_OBJECT_TYPES_H
#define HP_HOTFIX_OBJECT_TYPES_H

/* 0, also for a file that has none, or is none: libbpf says what is wrong then; or -ENOEXEC. */
int hp_object_types__check(const char *path);

#endif
