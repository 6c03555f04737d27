// SPDX-License-Identifier: GPL-2.0
/* A hotfix file told to people and to programs. */
#include "hotfix/inspect.h"

#include <inttypes.h>

#include "base/json.h"

void hp_hotfix__print(const struct hp_hotfix *hotfix, FILE *out)
{
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(hotfix);
	char hex[HP_BUILD_ID_TEXT_MAX];

	fprintf(out, "%s, sequence %" PRIu64 "%s%s\n", meta->id, meta->sequence,
		*meta->description ? ": " : "", meta->description);
	for (size_t i = 0; i < meta->cve_count; i++)
		fprintf(out, "  mends     %s\n", meta->cves[i]);
	fprintf(out, "  build-id  %s\n",
		hp_build_id__format(hp_elf__build_id(hp_hotfix__elf(hotfix)), hex));
	fprintf(out, "  target    %s\n            build-id %s\n", meta->target_path,
		hp_build_id__format(&meta->target_id, hex));
	fprintf(out, "Forward attaches: %zu\n", meta->forward_count);
	for (size_t i = 0; i < meta->forward_count; i++) {
		const struct hp_forward *f = &meta->forward[i];

		fprintf(out, "  %s (0x%" PRIx64 ", %" PRIu64 " bytes) -> %s (%" PRIu64 " bytes)\n",
			f->target, f->address, f->size, f->replacement, f->new_size);
	}
	fprintf(out, "Reverse attaches: %zu\n", meta->reverse_count);
	for (size_t i = 0; i < meta->reverse_count; i++) {
		const struct hp_reverse *r = &meta->reverse[i];

		if (r->in_target)
			fprintf(out, "  %s -> %s (0x%" PRIx64 "%s)\n", r->symbol, r->name,
				r->address,
				r->indirect ? ", chosen when applied"
				: r->slot   ? ", or what the target uses in its place"
					    : "");
		else
			fprintf(out, "  %s -> another library's, when applied\n", r->symbol);
	}
	fprintf(out, "In the target file:\n");
	for (size_t i = 0; i < meta->remark_count; i++) {
		const struct hp_remark *r = &meta->remarks[i];

		fprintf(out, "%s%s%s%s\n", hp_remark__is_warning(r) ? "Warning: " : "  ", r->target,
			*r->target ? ": " : "", r->text);
	}
}

json_t *hp_hotfix__report(const struct hp_hotfix *hotfix)
{
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(hotfix);
	char hex[HP_BUILD_ID_TEXT_MAX];
	json_t *body = json_pack("{s:s,s:o}", "build_id",
				 hp_build_id__format(hp_elf__build_id(hp_hotfix__elf(hotfix)), hex),
				 "hotfix", hp_hotfix_meta__json(meta));

	return hp_json_envelope("hotfix", 1, body);
}
