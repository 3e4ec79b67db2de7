#include "daemon/commit.h"

#include "base/memory.h"

#include <stdlib.h>

struct commit *
commit_new(enum commit_kind kind, uint64_t id)
{
	struct commit *commit = memory_new(sizeof(*commit));

	commit->kind = kind;
	commit->id = id;
	unit_init(&commit->unit);
	return commit;
}

void
commit_free(struct commit *commit)
{
	if (commit == NULL)
		return;
	if (commit->message != NULL)
		message_free(commit->message);
	if (commit->report != NULL)
		message_free(commit->report);
	free(commit);
}
