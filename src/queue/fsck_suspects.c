/* What is found a second time, and what was only being written. */
#include "queue/fsck_private.h"

#include <stdlib.h>
#include <string.h>

void
fsck_suspects_take(struct fsck_suspects *suspects, struct fsck *fsck)
{
	suspects->findings = fsck->findings;
	suspects->count = fsck->finding_count;
	fsck->findings = NULL;
	fsck->finding_count = 0;
}

void
fsck_suspects_clear(struct fsck_suspects *suspects)
{
	for (size_t i = 0; i < suspects->count; i++)
		free(suspects->findings[i].detail);
	free(suspects->findings);
	*suspects = (struct fsck_suspects){.findings = NULL};
}

/* What these are called depends on what was written behind them. */
static bool
is_of_unit(enum fsck_kind kind)
{
	return kind == FSCK_UNITS || kind == FSCK_TORN ||
	    kind == FSCK_CONTENT || kind == FSCK_OLD_CONTENT;
}

static bool
is_same(const struct fsck_finding *one, const struct fsck_finding *other)
{
	return (one->kind == other->kind ||
		   (is_of_unit(one->kind) && is_of_unit(other->kind))) &&
	    one->segment == other->segment && one->offset == other->offset &&
	    one->id == other->id && strcmp(one->file, other->file) == 0;
}

/* from: where it is likely to be, since they come in much the same order; then
 * behind it. */
static bool
has(const struct fsck_suspects *suspects, size_t *from,
    const struct fsck_finding *finding)
{
	for (size_t i = 0; i < suspects->count; i++) {
		size_t at = (*from + i) % suspects->count;
		if (!is_same(&suspects->findings[at], finding))
			continue;
		*from = at + 1;
		return true;
	}
	return false;
}

void
fsck_suspects_confirm(const struct fsck_suspects *suspects, struct fsck *fsck)
{
	size_t kept = 0;
	size_t from = 0;

	for (size_t i = 0; i < fsck->finding_count; i++) {
		struct fsck_finding finding = fsck->findings[i];
		if (finding.gravity == FSCK_HARMLESS ||
		    has(suspects, &from, &finding))
			fsck->findings[kept++] = finding;
		else
			free(finding.detail);
	}
	fsck->finding_count = kept;
}
