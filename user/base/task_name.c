// SPDX-License-Identifier: GPL-2.0
/* What a task calls itself, for people. */
#include "base/task_name.h"

#include <ctype.h>

struct hp_task_name hp_task_name(const char comm[HP_COMM_LEN])
{
	struct hp_task_name name = { 0 };

	for (int i = 0; i < HP_COMM_LEN && comm[i]; i++)
		name.s[i] = (char)(isprint((unsigned char)comm[i]) ? comm[i] : '?');
	return name;
}
