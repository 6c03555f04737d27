/* SPDX-License-Identifier: GPL-2.0 */
/* The verbs: each one file in this folder, each a short reading of the one way through. */
#ifndef HP_VERBS_VERBS_H
#define HP_VERBS_VERBS_H

#include "base/options.h"

#define HP_VERB(name) int hp_verb_##name(const struct hp_command *cmd, int argc, char **argv)

HP_VERB(build);
HP_VERB(check);
HP_VERB(inspect);
HP_VERB(apply);
HP_VERB(verify);
HP_VERB(measure);
HP_VERB(status);
HP_VERB(revert);
HP_VERB(guard);
HP_VERB(recover);

#endif
