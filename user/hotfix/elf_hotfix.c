// SPDX-License-Identifier: GPL-2.0
/* A hotfix file: the note found, its metadata compared with the file that it stands in. */
#include "hotfix/elf_hotfix.h"

#include <errno.h>
#include <string.h>

struct hp_hotfix {
	struct hp_elf *elf;
	struct hp_hotfix_meta meta;
};

/* The note's text within @data; NULL when it is not there. */
static const char *find_note(Elf_Data *data, size_t *len)
{
	size_t at = 0, name_at, desc_at;
	GElf_Nhdr note;

	while (data && (at = gelf_getnote(data, at, &note, &name_at, &desc_at))) {
		const char *base = data->d_buf;

		if (note.n_type != HP_HOTFIX_NOTE_TYPE ||
		    note.n_namesz != sizeof(HP_HOTFIX_NOTE_OWNER) ||
		    memcmp(base + name_at, HP_HOTFIX_NOTE_OWNER, sizeof(HP_HOTFIX_NOTE_OWNER)))
			continue;
		*len = note.n_descsz;
		return base + desc_at;
	}
	return NULL;
}

static const char *note_text(struct hp_elf *elf, size_t *len)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = hp_elf__find_section(elf, HP_HOTFIX_NOTE_SECTION, &shdr);

	if (!scn || shdr.sh_type != SHT_NOTE)
		return NULL;
	return find_note(elf_getdata(scn, NULL), len);
}

bool hp_hotfix__is_one(const char *path)
{
	__cleanup(hp_cleanup_hp_elf__close) struct hp_elf *elf = NULL;
	size_t len;

	return !hp_elf__open(&elf, path, NULL) && note_text(elf, &len);
}

static int find_replacements(struct hp_hotfix *hotfix, struct hp_error *err)
{
	for (size_t i = 0; i < hotfix->meta.forward_count; i++) {
		struct hp_forward *f = &hotfix->meta.forward[i];
		struct hp_elf_symbol symbol;

		if (hp_elf__find_dynamic(hotfix->elf, f->replacement, NULL, &symbol) ||
		    symbol.type != STT_FUNC || !symbol.address)
			return hp_fail(err, HP_E_HOTFIX,
				       "the replacement %s is no function that the file exports",
				       f->replacement);
		f->new_address = symbol.address;
		f->new_size = symbol.size;
		/* Calls are counted at the replacement. */
		for (size_t j = 0; j < i; j++)
			if (hotfix->meta.forward[j].new_address == f->new_address)
				return hp_fail(
					err, HP_E_HOTFIX,
					"'%s' and '%s' have one replacement, and their calls could "
					"not be told apart: each has to have its own, which calls "
					"what is common",
					hotfix->meta.forward[j].target, f->target);
	}
	return 0;
}

int hp_hotfix__open(struct hp_hotfix **out, const char *path, struct hp_error *err)
{
	struct hp_hotfix *hotfix = calloc(1, sizeof(*hotfix));
	const char *text;
	size_t len;
	int ret;

	if (!hotfix)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = hp_elf__open(&hotfix->elf, path, err);
	if (ret)
		goto fail;
	ret = -EINVAL;
	text = note_text(hotfix->elf, &len);
	if (!text) {
		hp_fail(err, HP_E_HOTFIX,
			"%s has no hotproof note: 'hotproof build' makes hotfixes", path);
		goto fail;
	}
	if (hp_elf__header(hotfix->elf)->e_type != ET_DYN || !hp_elf__build_id(hotfix->elf)) {
		hp_fail(err, HP_E_HOTFIX, "%s is not a shared object with a build-id", path);
		goto fail;
	}
	ret = hp_hotfix_meta__parse(&hotfix->meta, text, len, err);
	ret = ret ?: find_replacements(hotfix, err);
	if (ret)
		goto fail;
	*out = hotfix;
	return 0;
fail:
	hp_hotfix__close(hotfix);
	return ret;
}

void hp_hotfix__close(struct hp_hotfix *hotfix)
{
	hp_hotfix_meta__free(&hotfix->meta);
	if (hotfix->elf)
		hp_elf__close(hotfix->elf);
	free(hotfix);
}

const struct hp_hotfix_meta *hp_hotfix__meta(const struct hp_hotfix *hotfix)
{
	return &hotfix->meta;
}

struct hp_elf *hp_hotfix__elf(const struct hp_hotfix *hotfix)
{
	return hotfix->elf;
}
