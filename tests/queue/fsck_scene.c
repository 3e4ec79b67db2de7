#include "fsck_scene.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ---- a disk that nothing may be written to ---- */

static const struct disk *under; /* the fake's own face */

static int
strict_open(
    void *ctx, int directory_fd, const char *name, int flags, mode_t mode)
{
	cr_assert_eq(flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND),
	    O_RDONLY, "%s is opened for writing", name);
	return under->open(ctx, directory_fd, name, flags, mode);
}

struct disk
fsck_scene_disk(struct fake_disk *fake)
{
	under = fake_disk_face(fake);
	return (struct disk){
	    .ctx = under->ctx,
	    .open = strict_open,
	    .close = under->close,
	    .read = under->read,
	    .size = under->size,
	    .inspect = under->inspect,
	    .user = under->user,
	    .list = under->list,
	    .lock = under->lock,
	};
}

struct fsck *
fsck_scene_look(struct fake_disk *fake)
{
	struct disk disk = fsck_scene_disk(fake);
	struct fsck_options options = {.disk = &disk, .path = "queue"};
	uint64_t before = fake_disk_hash(fake);
	struct fsck *fsck;
	struct error error;

	cr_assert(fsck_run(&options, &fsck, &error), "%s", error_text(&error));
	cr_assert_eq(fake_disk_hash(fake), before, "the queue has changed");
	/* It is freed when this one is gone. */
	fsck->disk = fake_disk_face(fake);
	return fsck;
}

bool
fsck_scene_has(const struct fsck *fsck, enum fsck_kind kind, uint64_t id)
{
	for (size_t i = 0; i < fsck->finding_count; i++) {
		if (fsck->findings[i].kind == kind &&
		    (id == 0 || fsck->findings[i].id == id))
			return true;
	}
	return false;
}

const char *
fsck_scene_told(const struct fsck *fsck)
{
	static char text[2048];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < fsck->finding_count && len < sizeof(text); i++) {
		const struct fsck_finding *finding = &fsck->findings[i];
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s %s %llu+%llu units %llu+%llu id %llu; ",
		    fsck_kind_name(finding->kind), finding->file,
		    (unsigned long long)finding->offset,
		    (unsigned long long)finding->len,
		    (unsigned long long)finding->first_unit,
		    (unsigned long long)finding->units,
		    (unsigned long long)finding->id);
	}
	return text;
}

struct fake_disk *
fsck_scene_queue(void)
{
	struct world world;

	world_init(&world, fake_disk_new());
	cr_assert(world_start(&world));
	cr_assert(world_run(&world, FSCK_SCENE_SCRIPT));
	struct fake_disk *fake = fake_disk_after_kill(world.fake);
	world_clear(&world);
	return fake;
}

void
fsck_scene_summarize(struct world *world)
{
	struct error error;

	while (journal_summaries_wanted(world->journal) > 0)
		cr_assert(journal_summarize(world->journal, &error), "%s",
		    error_text(&error));
}
