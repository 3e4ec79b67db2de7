/* The journal on directories as they may be found. Its crashes are in
 * tests/crash. */
#include "base/memory.h"
#include "lib/journal_world.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* After script, with the disk at rest. */
static void
start(struct world *world, const char *script)
{
	world_init(world, fake_disk_new());
	cr_assert(world_start(world), "%s", error_text(&world->error));
	cr_assert(world_run(world, script), "%s", error_text(&world->error));
}

static void
restart(struct world *world)
{
	world_stop(world);
	cr_assert(world_start(world), "%s", error_text(&world->error));
}

/* Octets of a file, to be changed and put back. */
static struct bytes
copy_of(struct world *world, const char *path)
{
	struct bytes content = fake_disk_get(world->fake, path);
	cr_assert_not_null(content.data, "%s", path);
	return bytes_make(memory_copy(content), content.len);
}

static void
put(struct world *world, const char *path, struct bytes content)
{
	fake_disk_put(world->fake, path, content);
	free((void *)(uintptr_t)content.data);
}

static void
flip(struct world *world, const char *path, size_t at, size_t len)
{
	struct bytes content = copy_of(world, path);
	char *data = (char *)(uintptr_t)content.data;

	for (size_t i = at; i < at + len; i++)
		data[i] ^= 0x55;
	put(world, path, content);
}

static void
move(struct world *world, const char *from, const char *to)
{
	put(world, to, copy_of(world, from));
	cr_assert(fake_disk_remove(world->fake, from));
}

static void
expect_names(struct world *world, const char *path, const char *expected)
{
	char *names = fake_disk_names(world->fake, path);
	cr_expect_str_eq(names, expected, "%s: %s", path, names);
	free(names);
}

static void
expect_kept(struct world *world)
{
	struct world_verdict verdict;
	cr_expect(world_check(world, &verdict), "%s", verdict.text);
}

#define FIRST  "queue/0000000000000001.log"
#define SECOND "queue/0000000000000006.log"
#define THIRD  "queue/000000000000000b.log"

/* Three segments of five messages. */
#define THREE "a5 a5 a5"

Test(journal, makes_its_directory)
{
	struct world world;

	start(&world, "");
	expect_names(&world, "queue",
	    "0000000000000001.log bounds corrupt large lock spare ");
	cr_expect_eq(world.report.segments, 0);
	world_clear(&world);
}

Test(journal, starts_on_what_it_left)
{
	struct world world;

	start(&world, THREE " l p2 f1");
	restart(&world);
	cr_expect_eq(world_size(&world), 15);
	cr_expect_eq(world.problems, 0);
	expect_kept(&world);
	world_clear(&world);
}

Test(journal, closes_what_it_opens)
{
	struct world world;

	start(&world, THREE " x d r a5 a5");
	world_stop(&world);
	cr_expect_eq(fake_disk_open_count(world.fake), 0);
	world_clear(&world);
}

Test(journal, refuses_a_second_daemon)
{
	struct world world;
	struct journal_options options;
	struct journal *second;
	struct journal_report report;
	struct error error;

	start(&world, "a1");
	options = (struct journal_options){
	    .disk = fake_disk_face(world.fake),
	    .path = "queue",
	    .segment_size = WORLD_SEGMENT_SIZE,
	};
	cr_expect_not(
	    journal_open(&options, NULL, NULL, &second, &report, &error));
	cr_expect_eq(error.kind, ERROR_SYSTEM);
	cr_expect_eq(error.number, EWOULDBLOCK);
	cr_expect(world_step(&world, "a1"));
	world_clear(&world);
}

Test(journal, gives_no_id_twice_when_all_is_gone)
{
	struct world world;

	start(&world, "a5 a5 x a5 x d");
	uint64_t highest = world.messages[world.count - 1].id;
	world.count = 0;
	restart(&world);
	cr_expect_eq(world.report.highest_id, highest);
	cr_expect_gt(ledger_new_id(world.ledger, 1), highest);
	world_clear(&world);
}

Test(journal, recycles_the_oldest_segment)
{
	struct world world;

	start(&world, THREE " x d");
	expect_names(&world, "queue",
	    "0000000000000010.log bounds corrupt large lock spare ");
	size_t before = fake_disk_get(world.fake, "queue/spare").len;
	cr_expect_gt(before, WORLD_SEGMENT_SIZE);
	cr_assert(world_run(&world, "a5 a5"));
	restart(&world);
	expect_kept(&world);
	cr_expect_eq(world.problems, 0);
	world_clear(&world);
}

/* ---- segments ---- */

Test(journal, takes_the_header_for_true_and_not_the_name)
{
	struct world world;

	start(&world, THREE);
	world_stop(&world);
	move(&world, FIRST, "queue/x.log");
	move(&world, SECOND, FIRST);
	move(&world, "queue/x.log", SECOND);
	restart(&world);
	cr_expect_eq(world.problems, 0);
	cr_assert(world_run(&world, "a5 p3 a5 f9 d"));
	restart(&world);
	expect_kept(&world);
	world_clear(&world);
}

Test(journal, does_not_write_over_a_file_that_has_the_next_name)
{
	struct world world;

	start(&world, THREE);
	world_stop(&world);
	/* The name that the next segment would have. */
	move(&world, FIRST, "queue/0000000000000010.log");
	restart(&world);
	cr_assert(world_run(&world, "a5 a5"));
	restart(&world);
	cr_expect_eq(world_size(&world), 25);
	expect_kept(&world);
	world_clear(&world);
}

Test(journal, puts_a_copy_of_a_segment_aside)
{
	struct world world;

	start(&world, THREE);
	world_stop(&world);
	struct bytes content = copy_of(&world, SECOND);
	put(&world, "queue/copy.log", bytes_first(content, content.len - 700));
	restart(&world);
	cr_expect_eq(world.problems, 1);
	cr_expect_eq(world.report.damaged, 1);
	cr_expect_not_null(
	    strstr(world.problem, "copy.log"), "%s", world.problem);
	expect_kept(&world);
	world_clear(&world);
}

Test(journal, misses_a_segment_in_the_middle)
{
	struct world world;

	start(&world, THREE);
	world_stop(&world);
	cr_assert(fake_disk_remove(world.fake, SECOND));
	restart(&world);
	cr_expect_eq(world_size(&world), 10);
	cr_expect_eq(world.report.missing_units, 5);
	cr_expect_not_null(
	    strstr(world.problem, "units 6 to 10"), "%s", world.problem);
	cr_assert(world_run(&world, "a5 x d"));
	world_clear(&world);
}

Test(journal, goes_on_when_the_newest_segment_is_gone)
{
	struct world world;

	start(&world, THREE);
	world_stop(&world);
	cr_assert(fake_disk_remove(world.fake, THIRD));
	restart(&world);
	cr_expect_eq(world_size(&world), 10);
	cr_assert(world_run(&world, "a5"));
	restart(&world);
	cr_expect_eq(world_size(&world), 15);
	world_clear(&world);
}

Test(journal, puts_a_segment_without_a_header_aside)
{
	struct world world;

	start(&world, THREE);
	world_stop(&world);
	flip(&world, SECOND, 0, SEGMENT_HEADER_LEN);
	restart(&world);
	cr_expect_eq(world_size(&world), 10);
	cr_expect_eq(world.problems, 2, "the file, and the units");
	char *names = fake_disk_names(world.fake, "queue/corrupt");
	cr_expect_not_null(
	    strstr(names, " 0000000000000006.log."), "%s", names);
	free(names);
	world_clear(&world);
}

Test(journal, does_with_one_copy_of_the_header)
{
	struct world world;

	start(&world, THREE);
	world_stop(&world);
	flip(&world, FIRST, 0, 512);
	flip(&world, THIRD, 2048, 512);
	restart(&world);
	cr_expect_eq(world.problems, 0);
	expect_kept(&world);
	world_clear(&world);
}

Test(journal, refuses_a_format_that_is_not_its_own)
{
	struct world world;

	start(&world, THREE);
	world_stop(&world);
	struct bytes content = copy_of(&world, THIRD);
	char *data = (char *)(uintptr_t)content.data;
	data[8] = 2;
	uint64_t check = XXH3_64bits(data, 56);
	for (size_t i = 0; i < 8; i++)
		data[56 + i] = (char)(check >> 8 * i);
	put(&world, THIRD, content);
	uint64_t before = fake_disk_hash(world.fake);

	cr_expect_not(world_start(&world));
	cr_expect_eq(world.error.kind, ERROR_CONFIG);
	cr_expect_not_null(strstr(error_text(&world.error), "format 2"), "%s",
	    error_text(&world.error));
	cr_expect_eq(fake_disk_hash(world.fake), before);
	world_clear(&world);
}

Test(journal, lets_other_files_be)
{
	struct world world;

	start(&world, THREE);
	world_stop(&world);
	fake_disk_put(world.fake, "queue/README", BYTES("x"));
	fake_disk_put(world.fake, "queue/large/README", BYTES("x"));
	fake_disk_put(world.fake, "queue/spare", BYTES("not a segment at all"));
	restart(&world);
	cr_assert(world_run(&world, "a5 a5"));
	restart(&world);
	expect_kept(&world);
	expect_names(&world, "queue/large", "README ");
	world_clear(&world);
}

/* ---- damage ---- */

Test(journal, loses_only_the_message_that_is_damaged)
{
	struct world world;

	start(&world, THREE);
	struct segment_message where =
	    ledger_where(world.ledger, ledger_find(world.ledger, 1007));
	world_stop(&world);
	flip(&world, SECOND, where.place.offset + 70, 4);
	restart(&world);
	cr_expect_eq(world_size(&world), 14);
	cr_expect_null(ledger_find(world.ledger, 1007));
	cr_expect_eq(world.report.damaged, 1);
	cr_expect_eq(world.report.missing_units, 1);
	char *names = fake_disk_names(world.fake, "queue/corrupt");
	cr_expect_gt(strlen(names), 1);

	/* The second time it is known. */
	restart(&world);
	cr_expect_eq(world.report.damaged, 0);
	cr_expect_eq(world.report.damaged_before, 1);
	cr_expect_eq(world.problems, 0);
	expect_names(&world, "queue/corrupt", names);
	free(names);
	world_clear(&world);
}

Test(journal, tells_of_damaged_content_when_it_is_read)
{
	struct world world;
	struct message *message;
	struct error error;

	start(&world, THREE);
	const struct disk *disk = fake_disk_face(world.fake);
	struct segment_message where =
	    ledger_where(world.ledger, ledger_find(world.ledger, 1007));
	world_stop(&world);
	flip(&world, SECOND, where.place.offset + where.place.len + 1, 1);
	restart(&world);
	cr_expect_eq(world_size(&world), 15);
	where = ledger_where(world.ledger, ledger_find(world.ledger, 1007));
	cr_expect_not(segment_load(
	    disk, journal_large_fd(world.journal), &where, &message, &error));
	cr_expect_eq(error.kind, ERROR_DATA);

	cr_expect(journal_quarantine(world.journal, &where, &error), "%s",
	    error_text(&error));
	char *names = fake_disk_names(world.fake, "queue/corrupt");
	cr_expect_eq(strncmp(names, "00000000", 8), 0, "%s", names);
	free(names);
	world_clear(&world);
}

Test(journal, cuts_a_torn_tail)
{
	struct world world;

	start(&world, "a5");
	world_stop(&world);
	struct bytes content = copy_of(&world, FIRST);
	put(&world, FIRST, bytes_first(content, content.len - 200));
	restart(&world);
	cr_expect_eq(world_size(&world), 4);
	cr_expect_gt(world.report.torn_bytes, 0);
	cr_assert(world_run(&world, "a2"));
	restart(&world);
	cr_expect_eq(world_size(&world), 6);
	cr_expect_eq(world.problems, 0);
	world_clear(&world);
}

Test(journal, misses_a_large_body)
{
	struct world world;
	struct message *message;
	struct error error;

	start(&world, "a1 l");
	const struct disk *disk = fake_disk_face(world.fake);
	struct ledger_entry *entry = ledger_after(world.ledger, 1000);
	cr_assert(entry->is_large);
	struct segment_message where = ledger_where(world.ledger, entry);
	char path[64];
	(void)snprintf(
	    path, sizeof(path), "queue/large/%s", queue_id_of(entry->id).text);
	struct bytes content = copy_of(&world, path);

	/* Cut, changed, gone. */
	fake_disk_put(world.fake, path, bytes_first(content, 100));
	cr_expect_not(segment_load(
	    disk, journal_large_fd(world.journal), &where, &message, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	put(&world, path, content);
	flip(&world, path, 700, 1);
	cr_expect_not(segment_load(
	    disk, journal_large_fd(world.journal), &where, &message, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	cr_assert(fake_disk_remove(world.fake, path));
	cr_expect_not(segment_load(
	    disk, journal_large_fd(world.journal), &where, &message, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	cr_expect(journal_quarantine(world.journal, &where, &error));
	world_clear(&world);
}

Test(journal, removes_large_bodies_of_nobody)
{
	struct world world;

	start(&world, "l");
	fake_disk_put(world.fake, "queue/large/00000000BBB", BYTES("x"));
	restart(&world);
	expect_names(&world, "queue/large", "00000000118 ");
	world_clear(&world);
}

/* What refers to it is damaged: then it is evidence. */
Test(journal, keeps_the_large_body_of_a_damaged_message)
{
	struct world world;

	start(&world, "l a2");
	struct segment_message where =
	    ledger_where(world.ledger, ledger_find(world.ledger, 1000));
	world_stop(&world);
	flip(&world, FIRST, where.place.offset + 70, 4);
	restart(&world);
	cr_expect_eq(world_size(&world), 2);
	expect_names(&world, "queue/large", "");
	char *names = fake_disk_names(world.fake, "queue/corrupt");
	cr_expect_not_null(strstr(names, queue_id_of(1000).text), "%s", names);
	free(names);
	world_clear(&world);
}

/* The body of a message in that folder; for the caller to free. */
static char *
large_path(const char *folder, uint64_t id)
{
	return memory_format("queue/%s/%s", folder, queue_id_of(id).text);
}

/* The start that told of the damage may have died before it came to this. */
Test(journal, keeps_the_large_body_of_what_was_damaged_before)
{
	struct world world;
	char *large = large_path("large", 1000);
	char *kept = large_path("corrupt", 1000);

	start(&world, "l a2");
	struct place place =
	    ledger_where(world.ledger, ledger_find(world.ledger, 1000)).place;
	world_stop(&world);
	struct bytes body = copy_of(&world, large);
	flip(&world, FIRST, place.offset + 70, 4);
	restart(&world);
	put(&world, large, body);
	cr_assert(fake_disk_remove(world.fake, kept));
	restart(&world);
	cr_expect_eq(world.problems, 0, "it was told: %s", world.problem);
	cr_expect_not_null(fake_disk_get(world.fake, kept).data);
	free(large);
	free(kept);
	world_clear(&world);
}

/* A disk without a block for another name: a torn end, an upload that was under
 * way, a segment without a header. */
Test(journal, starts_where_nothing_can_be_put_aside)
{
	struct world world;
	char *large = large_path("large", 5000);

	start(&world, "a5");
	world_stop(&world);
	struct bytes content = copy_of(&world, FIRST);
	put(&world, FIRST, bytes_first(content, content.len - 200));
	fake_disk_put(world.fake, large, BYTES("half of it"));
	fake_disk_break(world.fake, "rename", ENOSPC);
	restart(&world);
	cr_expect_eq(world_size(&world), 4);
	cr_expect_not_null(fake_disk_get(world.fake, large).data);
	fake_disk_break(world.fake, "", 0);
	restart(&world);
	cr_expect_eq(world_size(&world), 4);
	cr_expect_null(fake_disk_get(world.fake, large).data);
	free(large);
	world_clear(&world);
}

/* ---- commits that fail ---- */

static bool
commit_one(struct world *world, bool needs_room, struct unit *unit)
{
	struct message *message = message_new();
	struct unit *units[1] = {unit};

	message->id = ledger_new_id(world->ledger, 1);
	unit_init(unit);
	unit->needs_room = needs_room;
	unit_add(unit, record_message(message));
	bool goes_on = journal_commit(world->journal, units, 1, &world->error);
	message_free(message);
	return goes_on;
}

Test(journal, refuses_mail_but_not_outcomes_below_the_floor)
{
	struct world world;
	struct unit unit;

	start(&world, "a1");
	world.free_floor = 5000;
	restart(&world);
	fake_disk_set_capacity(world.fake, 14000);
	cr_expect(commit_one(&world, true, &unit));
	cr_expect_not(unit.is_committed);
	cr_expect(unit.lacked_room);
	cr_expect_eq(unit.error.number, ENOSPC);
	cr_expect(commit_one(&world, false, &unit));
	cr_expect(unit.is_committed);
	cr_expect_not(unit.lacked_room);
	world_clear(&world);
}

Test(journal, fails_what_cannot_be_encoded_alone)
{
	struct world world;
	struct unit unit[2];
	struct unit *units[2] = {&unit[0], &unit[1]};
	struct message *good = message_new();
	struct message *bad = message_new();

	start(&world, "a1");
	good->id = 5001;
	bad->id = 5002;
	bad->body.len = (uint64_t)UNIT_CONTENT_MAX + 1;
	for (size_t i = 0; i < 2; i++) {
		unit_init(&unit[i]);
		unit_add(&unit[i], record_message(i == 0 ? bad : good));
	}
	cr_expect(journal_commit(world.journal, units, 2, &world.error));
	cr_expect_not(unit[0].is_committed);
	cr_expect_eq(unit[0].error.kind, ERROR_LIMIT);
	cr_expect(unit[1].is_committed);
	message_free(good);
	message_free(bad);
	world_clear(&world);
}

Test(journal, never_writes_to_a_segment_whose_sync_has_failed)
{
	struct world world;
	struct unit unit;

	start(&world, "a1");
	/* free_space, write, sync */
	fake_disk_plan(world.fake, 2, FAKE_ERROR, EIO);
	cr_expect(commit_one(&world, true, &unit));
	cr_expect_not(unit.is_committed);
	cr_expect_eq(unit.error.number, EIO);
	uint64_t before = journal_current(world.journal).number;
	cr_expect_eq(before, 2);
	cr_expect(commit_one(&world, true, &unit));
	cr_expect(unit.is_committed);
	cr_expect_eq(unit.place.segment, 2);
	world_clear(&world);
}

Test(journal, goes_on_in_another_segment_after_a_failed_write)
{
	struct world world;
	struct unit unit;

	start(&world, "a1");
	fake_disk_plan(world.fake, 1, FAKE_ERROR, EIO);
	cr_expect(commit_one(&world, true, &unit));
	cr_expect_not(unit.is_committed);
	cr_expect(commit_one(&world, true, &unit));
	cr_expect(unit.is_committed);
	cr_expect_eq(unit.place.segment, 2);
	world_clear(&world);
}

Test(journal, gives_up_when_no_segment_can_be_begun)
{
	struct world world;
	struct unit unit;

	start(&world, "a1");
	fake_disk_break(world.fake, "sync", EIO);
	cr_expect_not(commit_one(&world, true, &unit));
	cr_expect_not(unit.is_committed);
	cr_expect_eq(world.error.kind, ERROR_SYSTEM);
	world_clear(&world);
}

Test(journal, fails_a_large_body_that_cannot_be_synced_alone)
{
	struct world world;

	start(&world, "a1");
	/* open and write of the body; free_space, sync of the body */
	fake_disk_plan(world.fake, 3, FAKE_ERROR, EIO);
	cr_expect(world_step(&world, "l"));
	cr_expect_eq(world_size(&world), 1);
	cr_expect(world_step(&world, "l"));
	cr_expect_eq(world_size(&world), 2);
	world_clear(&world);
}

Test(journal, drops_later_what_could_not_be_dropped)
{
	struct world world;

	start(&world, THREE " x");
	fake_disk_break(world.fake, "rename unlink", EROFS);
	cr_expect(world_step(&world, "d"));
	fake_disk_break(world.fake, "", 0);
	cr_expect(world_run(&world, "a5 a5 a5 x d"));
	restart(&world);
	cr_expect_leq(world.report.segments, 2);
	cr_expect_eq(world_size(&world), 0);
	world_clear(&world);
}

/* As XFS does when it has not a block left for the directory. */
Test(journal, removes_a_segment_whose_new_name_has_no_room)
{
	struct world world;

	start(&world, THREE " x");
	fake_disk_break(world.fake, "rename", ENOSPC);
	cr_expect(world_step(&world, "d"));
	fake_disk_break(world.fake, "", 0);
	char *names = fake_disk_names(world.fake, "queue");
	cr_expect_null(strstr(names, "0000000000000001.log"), "%s", names);
	free(names);
	restart(&world);
	expect_kept(&world);
	world_clear(&world);
}

/* Else they lay there until a rotation, which a full disk never sees. */
Test(journal, drops_with_the_next_group_what_could_not_be_dropped)
{
	struct world world;

	start(&world, THREE " x");
	fake_disk_break(world.fake, "rename unlink", EIO);
	cr_expect(world_step(&world, "d"));
	fake_disk_break(world.fake, "", 0);
	cr_expect(world_step(&world, "a1"));
	char *names = fake_disk_names(world.fake, "queue");
	cr_expect_null(strstr(names, "0000000000000001.log"), "%s", names);
	free(names);
	restart(&world);
	expect_kept(&world);
	world_clear(&world);
}

/* As btrfs does, where even cutting takes room. */
Test(journal, starts_where_a_torn_tail_cannot_be_cut)
{
	struct world world;

	start(&world, "a5");
	world_stop(&world);
	struct bytes content = copy_of(&world, FIRST);
	put(&world, FIRST, bytes_first(content, content.len - 200));
	fake_disk_break(world.fake, "truncate", ENOSPC);
	restart(&world);
	cr_expect_eq(world_size(&world), 4);
	cr_assert(world_run(&world, "a2"));
	fake_disk_break(world.fake, "", 0);
	restart(&world);
	cr_expect_eq(world_size(&world), 6);
	cr_expect_eq(world.problems, 0, "%s", world.problem);
	world_clear(&world);
}

Test(journal, starts_where_damage_cannot_be_wiped)
{
	struct world world;

	start(&world, "a5");
	struct segment_message where =
	    ledger_where(world.ledger, ledger_find(world.ledger, 1002));
	world_stop(&world);
	flip(&world, FIRST, where.place.offset + where.place.len + 1, 1);
	fake_disk_break(world.fake, "write allocate", ENOSPC);
	for (int times = 0; times < 2; times++) {
		restart(&world);
		cr_expect_eq(world_size(&world), 4);
		cr_expect_null(ledger_find(world.ledger, 1002));
		cr_expect_gt(world.problems, 0, "it is said");
	}
	fake_disk_break(world.fake, "", 0);
	restart(&world);
	cr_expect_eq(world_size(&world), 4);
	cr_assert(world_run(&world, "a5 a5"));
	restart(&world);
	cr_expect_eq(world_size(&world), 14);
	world_clear(&world);
}
