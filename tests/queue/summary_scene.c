#include "summary_scene.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdlib.h>

void
summary_scene_start(struct world *world, const char *script)
{
	world_init(world, fake_disk_new());
	cr_assert(world_start(world), "%s", error_text(&world->error));
	cr_assert(world_run(world, script), "%s", error_text(&world->error));
}

void
summary_scene_restart(struct world *world)
{
	world_stop(world);
	cr_assert(world_start(world), "%s", error_text(&world->error));
}

size_t
summary_scene_summarize(struct world *world, size_t *out_failed)
{
	struct error error;
	size_t steps = 0;

	*out_failed = 0;
	while (journal_summaries_wanted(world->journal) > 0) {
		*out_failed += !journal_summarize(world->journal, &error);
		cr_assert_lt(++steps, 1000, "it comes to an end");
	}
	return steps;
}

void
summary_scene_summarize_all(struct world *world)
{
	size_t failed;

	cr_assert_gt(summary_scene_summarize(world, &failed), 0);
	cr_assert_eq(failed, 0);
}

void
summary_scene_expect_kept(struct world *world, const char *what)
{
	struct world_verdict verdict;
	cr_expect(world_check(world, &verdict), "%s: %s", what, verdict.text);
}

bool
summary_scene_exists(const struct world *world, const char *path)
{
	return fake_disk_get(world->fake, path).data != NULL;
}

char *
summary_scene_copy_file(
    const struct world *world, const char *path, size_t *out_len)
{
	struct bytes content = fake_disk_get(world->fake, path);
	cr_assert_not_null(content.data, "%s", path);
	*out_len = content.len;
	return memory_copy(content);
}

void
summary_scene_flip(struct world *world, const char *path, size_t at, size_t len)
{
	size_t size;
	char *data = summary_scene_copy_file(world, path, &size);

	cr_assert_leq(at + len, size);
	for (size_t i = at; i < at + len; i++)
		data[i] ^= 0x55;
	fake_disk_put(world->fake, path, bytes_make(data, size));
	free(data);
}

/* ---- what recovery tells ---- */

static void
append_fact(const struct journal_fact *fact, void *ctx)
{
	struct buffer *story = ctx;

	buffer_printf(story, "%d %llu in %llu at %u+%u", (int)fact->kind,
	    (unsigned long long)fact->id,
	    (unsigned long long)fact->segment.number, fact->place.offset,
	    fact->place.len);
	if (fact->kind == JOURNAL_MESSAGE)
		buffer_printf(story, " %s %zu %llu %d", fact->envelope->sender,
		    fact->envelope->recipient_count,
		    (unsigned long long)fact->size, fact->is_large);
	if (fact->kind == JOURNAL_PROGRESS)
		buffer_printf(story, " %u %d", fact->progress->attempts,
		    fact->progress->held);
	if (fact->kind == JOURNAL_SEGMENT)
		buffer_printf(story, " %llu, %zu of %zu",
		    (unsigned long long)fact->bytes, fact->index, fact->count);
	if (fact->kind == JOURNAL_PROBLEM)
		buffer_append_text(story, fact->text);
	buffer_append_text(story, "\n");
}

char *
summary_scene_story(const struct world *world, struct journal_report *report)
{
	struct fake_disk *fake = fake_disk_after_kill(world->fake);
	struct journal_options options = {
	    .disk = fake_disk_face(fake),
	    .path = "queue",
	    .segment_size = WORLD_SEGMENT_SIZE,
	};
	struct journal *journal;
	struct buffer story;
	struct error error;

	buffer_init(&story, SIZE_MAX);
	cr_assert(journal_open(
		      &options, append_fact, &story, &journal, report, &error),
	    "%s", error_text(&error));
	journal_free(journal);
	cr_assert_eq(fake_disk_open_count(fake), 0);
	fake_disk_free(fake);
	char *text = buffer_to_text(&story);
	buffer_clear(&story);
	return text;
}
