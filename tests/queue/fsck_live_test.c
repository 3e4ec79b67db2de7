/* fsck beside a process that works: each test changes the queue at one read
 * after the other. */
#include "base/memory.h"
#include "fsck_scene.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* ---- a disk that changes while it is read ---- */

struct change {
	size_t at; /* before this read, from 0 */
	void (*change_fn)(void *ctx);
	void *ctx;
};

static const struct change *changes; /* in order, */
static size_t change_count;          /* those to come; */
static size_t reads;                 /* so far */
static ssize_t (*plain_read)(
    void *ctx, int fd, void *data, size_t len, uint64_t offset);

static ssize_t
changing_read(void *ctx, int fd, void *data, size_t len, uint64_t offset)
{
	while (change_count > 0 && changes->at <= reads) {
		changes->change_fn(changes->ctx);
		changes++;
		change_count--;
	}
	reads++;
	return plain_read(ctx, fd, data, len, offset);
}

static struct fsck *
look_live(struct fake_disk *fake, const struct change *planned, size_t count)
{
	struct disk disk = fsck_scene_disk(fake);
	struct fsck_options options = {
	    .disk = &disk, .path = "queue", .is_live = true};
	struct fsck *fsck;
	struct error error;

	plain_read = disk.read;
	disk.read = changing_read;
	changes = planned;
	change_count = count;
	reads = 0;
	cr_assert(fsck_run(&options, &fsck, &error), "%s", error_text(&error));
	fsck->disk = fake_disk_face(fake);
	return fsck;
}

/* Reads of a look that finds nothing. */
static size_t
count_reads(struct fake_disk *fake)
{
	struct fsck *fsck = look_live(fake, NULL, 0);

	cr_assert_eq(fsck->finding_count, 0, "%s", fsck_scene_told(fsck));
	fsck_free(fsck);
	return reads;
}

static uint64_t
grave(const struct fsck *fsck)
{
	return fsck->gravities[FSCK_DAMAGE] + fsck->gravities[FSCK_DOUBTFUL];
}

/* ---- a group that is being written ---- */

#define FILE_LEN ((size_t)16 * 1024)

/* A segment in front of a group, with a part of it, and with all of it. */
struct growth {
	struct fake_disk *fake; /* owned */
	char *path;             /* owned */
	struct bytes before;    /* owned, as are these; all of one length */
	struct bytes half, after;
	size_t from, to; /* where the group lies */
	size_t reads;    /* of a look at the whole */
};

static struct bytes
copy_newest(struct world *world, const char *path)
{
	struct bytes content = fake_disk_get(world->fake, path);
	char *copy = memory_array(FILE_LEN, 1);

	cr_assert_leq(content.len, FILE_LEN);
	memcpy(copy, content.data, content.len);
	return bytes_make(copy, FILE_LEN);
}

static void
growth_init(struct growth *growth)
{
	struct world world;

	world_init(&world, fake_disk_new());
	cr_assert(world_start(&world));
	cr_assert(world_run(&world, "a1"));
	growth->path = fake_disk_newest_segment(world.fake);
	growth->from = journal_current_bytes(world.journal);
	growth->before = copy_newest(&world, growth->path);
	growth->half = copy_newest(&world, growth->path);
	cr_assert(world_run(&world, "a3"));
	growth->to = journal_current_bytes(world.journal);
	growth->after = copy_newest(&world, growth->path);
	growth->fake = fake_disk_after_kill(world.fake);
	growth->reads = count_reads(growth->fake);
	world_clear(&world);
	cr_assert_lt(growth->from, growth->to);
}

static void
growth_clear(struct growth *growth)
{
	cr_assert_eq(fake_disk_open_count(growth->fake), 0);
	fake_disk_free(growth->fake);
	free(growth->path);
	free((char *)(uintptr_t)growth->before.data);
	free((char *)(uintptr_t)growth->half.data);
	free((char *)(uintptr_t)growth->after.data);
}

/* Of the group, this much is there. */
static void
cut(struct growth *growth, size_t at)
{
	char *half = (char *)(uintptr_t)growth->half.data;

	memcpy(half, growth->before.data, growth->before.len);
	memcpy(half, growth->after.data, at);
}

static void
put_half(void *ctx)
{
	struct growth *growth = ctx;

	fake_disk_put(growth->fake, growth->path, growth->half);
}

static void
put_after(void *ctx)
{
	struct growth *growth = ctx;

	fake_disk_put(growth->fake, growth->path, growth->after);
}

/* half_for: reads */
static struct fsck *
look_growing(struct growth *growth, size_t at, size_t half_for)
{
	const struct change planned[] = {
	    {at, put_half, growth},
	    {at + half_for, put_after, growth},
	};

	fake_disk_put(growth->fake, growth->path, growth->before);
	return look_live(growth->fake, planned, 2);
}

static void
expect_clean(struct growth *growth, size_t at, size_t half_for)
{
	struct fsck *fsck = look_growing(growth, at, half_for);

	cr_assert_eq(fsck->finding_count, 0, "at read %zu, for %zu: %s", at,
	    half_for, fsck_scene_told(fsck));
	fsck_free(fsck);
}

Test(fsck_live, finds_nothing_in_what_is_being_written)
{
	struct growth growth;

	growth_init(&growth);
	for (size_t end = growth.from + 8; end < growth.to; end += 152) {
		cut(&growth, end);
		for (size_t at = 0; at < growth.reads; at++) {
			expect_clean(&growth, at, 0);
			expect_clean(&growth, at, 1);
			expect_clean(&growth, at, 2 * growth.reads);
		}
	}
	growth_clear(&growth);
}

Test(fsck_live, tells_of_a_group_that_stays_half_written)
{
	struct growth growth;

	growth_init(&growth);
	cut(&growth, growth.to - 8);
	struct fsck *fsck = look_growing(&growth, 0, SIZE_MAX);
	cr_expect(
	    fsck_scene_has(fsck, FSCK_TORN, 0), "%s", fsck_scene_told(fsck));
	cr_expect_eq(fsck->gravities[FSCK_DOUBTFUL], 1);
	cr_expect_eq(fsck->gravities[FSCK_DAMAGE], 0);
	fsck_free(fsck);
	growth_clear(&growth);
}

/* ---- real damage ---- */

static void
flip(struct bytes content, size_t at)
{
	((char *)(uintptr_t)content.data)[at] ^= 1;
}

/* In the newest group, until there is another. */
Test(fsck_live, tells_of_damage_in_front_of_what_is_being_written)
{
	static const struct {
		size_t at;
		enum fsck_kind kind;
	} rows[] = {
	    {SEGMENT_HEADER_LEN + 20, FSCK_UNITS},
	    {SEGMENT_HEADER_LEN + 250, FSCK_CONTENT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct growth growth;
		growth_init(&growth);
		flip(growth.before, rows[i].at);
		flip(growth.after, rows[i].at);
		cut(&growth, (growth.from + growth.to) / 2);
		for (size_t at = 0; at < growth.reads; at++) {
			struct fsck *fsck = look_growing(&growth, at, 2);
			cr_assert_eq(grave(fsck), 1, "at read %zu: %s", at,
			    fsck_scene_told(fsck));
			cr_assert(fsck_scene_has(fsck, rows[i].kind, 0),
			    "at read %zu: %s", at, fsck_scene_told(fsck));
			cr_assert_eq(fsck->gravities[FSCK_DAMAGE], 1);
			fsck_free(fsck);
		}
		growth_clear(&growth);
	}
}

Test(fsck_live, tells_of_a_large_body_that_is_gone)
{
	struct fake_disk *fake = fsck_scene_queue();
	char *names = fake_disk_names(fake, "queue/large");
	char *path =
	    memory_format("queue/large/%.*s", (int)strcspn(names, " "), names);

	cr_assert(fake_disk_remove(fake, path));
	struct fsck *fsck = look_live(fake, NULL, 0);
	cr_expect(
	    fsck_scene_has(fsck, FSCK_LARGE, 0), "%s", fsck_scene_told(fsck));
	cr_expect_eq(fsck->gravities[FSCK_DAMAGE], 1);
	fsck_free(fsck);
	free(names);
	free(path);
	fake_disk_free(fake);
}

/* ---- segments that come and go ---- */

static void
run_script(void *ctx)
{
	/* All there was ends; files are recycled twice, large ones removed. */
	cr_assert(world_run(ctx, "x d a9 a9 d l x d a9 a9 d a3"));
}

static size_t
look_while_all_changes(size_t at)
{
	struct world world;
	const struct change planned[] = {{at, run_script, &world}};

	world_init(&world, fake_disk_new());
	cr_assert(world_start(&world));
	cr_assert(world_run(&world, FSCK_SCENE_SCRIPT));
	size_t count = count_reads(world.fake);
	struct fsck *fsck = look_live(world.fake, planned, 1);
	cr_assert_eq(change_count, 0);
	cr_assert_eq(
	    grave(fsck), 0, "at read %zu: %s", at, fsck_scene_told(fsck));
	fsck_free(fsck);
	world_clear(&world);
	return count;
}

Test(fsck_live, finds_nothing_in_segments_that_come_and_go)
{
	size_t count = look_while_all_changes(0);

	cr_assert_gt(count, 20);
	for (size_t at = 1; at < count; at++)
		(void)look_while_all_changes(at);
}
