#include "queue/large.h"

#include "base/memory.h"
#include "base/seed.h"
#include "message/message.h"

#include <errno.h>
#include <stdlib.h>

/* The large body of a unit, or NULL. */
static const struct body *
body_of(const struct unit *unit)
{
	for (size_t i = 0; i < unit->count; i++) {
		const struct record *record = &unit->records[i];
		if (record->type == RECORD_MESSAGE &&
		    record->body->name[0] != '\0')
			return record->body;
	}
	return NULL;
}

/* The one that is to be synced; NULL, too, for a unit that has failed. */
static const struct body *
pending_body(const struct unit *unit)
{
	return unit->error.kind == ERROR_NONE ? body_of(unit) : NULL;
}

/* Then the sync has all to do. */
static bool
is_unknown_here(int number)
{
	return number == ENOSYS || number == EOPNOTSUPP || number == EINVAL ||
	    number == EPERM;
}

bool
large_write_out(
    const struct disk *disk, const struct unit *unit, struct error *error)
{
	const struct body *body = body_of(unit);

	if (body == NULL || disk->write_out(disk->ctx, body->fd) == 0 ||
	    is_unknown_here(errno))
		return true;
	(void)error_system(error, "write out");
	return error_context(error, "large/%s", body->name);
}

void
large_sync(const struct disk *disk, int directory_fd, struct unit *const *units,
    size_t count)
{
	bool has_any = false;
	struct error error;

	for (size_t i = 0; i < count; i++) {
		const struct body *body = pending_body(units[i]);
		if (body == NULL)
			continue;
		has_any = true;
		if (!SEED(LARGE_NOT_SYNCED) &&
		    !disk_sync(disk, body->fd, &units[i]->error))
			(void)error_context(
			    &units[i]->error, "large/%s", body->name);
	}
	if (!has_any || SEED(LARGE_NAME_LATE) ||
	    disk_sync_directory(disk, directory_fd, &error))
		return;
	for (size_t i = 0; i < count; i++) {
		if (pending_body(units[i]) != NULL)
			units[i]->error = error;
	}
}

bool
large_remove(
    const struct disk *disk, int directory_fd, uint64_t id, struct error *error)
{
	struct queue_id name = queue_id_of(id);

	if (disk->unlink(disk->ctx, directory_fd, name.text) != 0 &&
	    errno != ENOENT)
		return error_system(error, "remove large/%s", name.text);
	return true;
}

static bool
count_body(const char *name, void *ctx)
{
	size_t *count = ctx;
	uint64_t id;

	*count += queue_id_parse(bytes_of(name), &id);
	return true;
}

bool
large_count(const struct disk *disk, int directory_fd, size_t *out_count,
    struct error *error)
{
	size_t count = 0;

	if (disk->list(disk->ctx, directory_fd, count_body, &count) != 0)
		return error_system(error, "list large/");
	*out_count = count;
	return true;
}

struct orphan_search {
	large_is_live_fn is_live_fn;
	void *ctx;
	uint64_t *ids; /* owned */
	size_t count;
};

static bool
note_orphan(const char *name, void *ctx)
{
	struct orphan_search *search = ctx;
	uint64_t id;

	if (!queue_id_parse(bytes_of(name), &id) ||
	    search->is_live_fn(id, search->ctx))
		return true;
	search->ids = memory_resize_array(
	    search->ids, search->count + 1, sizeof(search->ids[0]));
	search->ids[search->count++] = id;
	return true;
}

static bool
remove_orphan(const struct disk *disk, int directory_fd,
    const struct quarantine *quarantine, uint64_t id, bool *out_is_removed,
    struct error *error)
{
	struct queue_id name = queue_id_of(id);

	if (quarantine == NULL)
		return *out_is_removed =
			   large_remove(disk, directory_fd, id, error);
	*out_is_removed = quarantine_take(
	    quarantine, directory_fd, name.text, name.text, error);
	/* It is in nobody's way where it is. */
	return *out_is_removed || disk_is_full(error);
}

bool
large_remove_orphans(const struct disk *disk, int directory_fd,
    const struct quarantine *quarantine, large_is_live_fn is_live_fn, void *ctx,
    size_t *out_removed, struct error *error)
{
	struct orphan_search search = {.is_live_fn = is_live_fn, .ctx = ctx};
	bool is_ok = true;
	size_t removed = 0;

	if (disk->list(disk->ctx, directory_fd, note_orphan, &search) != 0)
		is_ok = error_system(error, "list large/");
	for (size_t i = 0; is_ok && i < search.count; i++) {
		bool is_removed;
		is_ok = remove_orphan(disk, directory_fd, quarantine,
		    search.ids[i], &is_removed, error);
		removed += is_removed;
	}
	free(search.ids);
	if (is_ok)
		*out_removed = removed;
	return is_ok;
}
