/* The committer on a journal whose disk obeys the test. */
#include "base/memory.h"
#include "daemon/committer.h"
#include "lib/fake_disk.h"
#include "lib/loop_until.h"
#include "lib/scratch_folder.h"
#include "net/loop.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COMMITS_MAX 64

static struct fake_disk *fake;
static struct loop *loop;
static struct mailbox *answers;
static struct committer *committer;
static struct letter broken;
static bool is_broken;
static struct commit *answered[COMMITS_MAX];
static size_t count;
static size_t pending; /* at first: names that may come late */

static void
on_answers(struct letter *letters, void *ctx)
{
	(void)ctx;
	while (letters != NULL) {
		struct letter *next = letters->next;
		if (letters == &broken)
			is_broken = true;
		else
			answered[count++] = (struct commit *)(void *)letters;
		letters = next;
	}
}

static void
ignore_fact(const struct journal_fact *fact, void *ctx)
{
	(void)fact;
	(void)ctx;
}

static struct journal *
open_journal(const struct disk *disk, const char *path, uint64_t segment_size)
{
	struct journal_options options = {
	    .disk = disk,
	    .path = path,
	    .segment_size = segment_size,
	};
	struct journal_report report;
	struct journal *journal;
	struct error error;

	cr_assert(journal_open(
	    &options, ignore_fact, NULL, &journal, &report, &error));
	return journal;
}

static void
begin(void)
{
	struct error error;

	count = 0;
	is_broken = false;
	fake = fake_disk_new();
	loop = loop_new();
	answers = mailbox_new(loop, on_answers, NULL);
	cr_assert(committer_new(
	    open_journal(fake_disk_face(fake), "queue", (uint64_t)1024 * 1024),
	    answers, &broken, &committer, &error));
	pending = fake_disk_pending(fake);
}

static void
end(void)
{
	committer_free(committer);
	for (size_t i = 0; i < count; i++)
		commit_free(answered[i]);
	mailbox_free(answers);
	loop_free(loop);
	fake_disk_free(fake);
}

TestSuite(committer, .init = begin, .fini = end);

static struct commit *
make_accept(uint64_t id)
{
	struct commit *commit = commit_new(COMMIT_ACCEPT, id);
	struct message *message = message_new();

	message->id = id;
	envelope_set_sender(&message->envelope, BYTES("a@x.example"));
	(void)envelope_add_recipient(&message->envelope, BYTES("b@y.example"));
	progress_init(&message->progress, 1);
	body_set(&message->body, BYTES("Subject: x\r\n\r\n"));
	commit->message = message;
	commit->unit.needs_room = true;
	unit_add(&commit->unit, record_message(message));
	return commit;
}

static struct commit *
make_finished(uint64_t id)
{
	struct commit *commit = commit_new(COMMIT_OUTCOME, id);

	commit->finishes = true;
	unit_add(&commit->unit, record_finished(id));
	return commit;
}

static bool
has_answers(void *ctx)
{
	return count >= *(size_t *)ctx;
}

static void
wait_for(size_t wanted)
{
	loop_until(loop, has_answers, &wanted);
}

Test(committer, answers_only_what_is_synced)
{
	committer_post(committer, make_accept(1));
	wait_for(1);
	cr_expect(answered[0]->unit.is_committed);
	cr_expect_eq(fake_disk_pending(fake), pending, "all of it is durable");
	cr_expect_gt(answered[0]->segment_bytes, 0);
}

Test(committer, answers_in_order)
{
	for (uint64_t id = 1; id <= 40; id++)
		committer_post(committer,
		    id % 3 == 0 ? make_finished(id - 1) : make_accept(id));
	wait_for(40);
	for (size_t i = 0; i < 40; i++)
		cr_expect(answered[i]->unit.is_committed);
	for (size_t i = 1; i < 40; i++)
		cr_expect(answered[i]->unit.place.offset >
		    answered[i - 1]->unit.place.offset);
}

Test(committer, refuses_what_cannot_be_written_and_goes_on)
{
	static const struct row {
		const char *name;
		const char *kind;
		int number;
	} rows[] = {
	    {"full", "write", ENOSPC},
	    {"a bad sector", "write", EIO},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake_disk_break(fake, rows[i].kind, rows[i].number);
		committer_post(committer, make_accept(100 + i));
		wait_for(2 * i + 1);
		fake_disk_break(fake, rows[i].kind, 0);
		const struct commit *refused = answered[2 * i];
		cr_expect_not(refused->unit.is_committed, "%s", rows[i].name);
		cr_expect_eq(refused->unit.error.number, rows[i].number);
		cr_expect_gt(refused->message->body.memory.len, 0);
		committer_post(committer, make_accept(200 + i));
		wait_for(2 * i + 2);
		cr_expect(
		    answered[2 * i + 1]->unit.is_committed, "%s", rows[i].name);
	}
	cr_expect_not(is_broken);
}

/* Its content lies in a file. */
static struct commit *
make_large(uint64_t id)
{
	struct commit *commit = make_accept(id);
	struct body *body = &commit->message->body;
	char path[64];

	(void)snprintf(body->name, sizeof(body->name), "%s",
	    queue_id_of(id).text); /* fits */
	(void)snprintf(path, sizeof(path), "queue/large/%s", body->name);
	fake_disk_put(fake, path, buffer_bytes(&body->memory));
	buffer_clear(&body->memory);
	body->fd = fake_disk_open(fake, path);
	return commit;
}

Test(committer, writes_large_content_out_first)
{
	fake_disk_plan(fake, 0, FAKE_ERROR, ENOSYS); /* write_out */
	committer_post(committer, make_large(1));
	wait_for(1);
	cr_expect(answered[0]->unit.is_committed, "where that is unknown");
	committer_post(committer, make_large(2));
	wait_for(2);
	cr_expect(answered[1]->unit.is_committed);
	cr_expect_eq(fake_disk_pending(fake), pending, "all of it is durable");
}

/* The sync behind it might not say so again. */
Test(committer, refuses_large_content_that_cannot_be_written_out)
{
	static const int numbers[] = {EIO, ENOSPC, EDQUOT};

	for (size_t i = 0; i < 3; i++) {
		fake_disk_plan(fake, 0, FAKE_ERROR, numbers[i]);
		committer_post(committer, make_large(100 + i));
		wait_for(2 * i + 1);
		const struct commit *refused = answered[2 * i];
		cr_expect_not(refused->unit.is_committed);
		cr_expect_eq(refused->unit.error.number, numbers[i]);
		committer_post(committer, make_accept(200 + i));
		wait_for(2 * i + 2);
		cr_expect(answered[2 * i + 1]->unit.is_committed);
	}
	cr_expect_not(is_broken);
}

Test(committer, says_once_that_it_is_broken_and_refuses_all)
{
	fake_disk_break(fake, "sync", EIO);
	for (uint64_t id = 1; id <= 10; id++)
		committer_post(committer, make_accept(id));
	wait_for(10);
	cr_expect(is_broken);
	is_broken = false;
	committer_post(committer, make_finished(1));
	wait_for(11);
	cr_expect_not(is_broken, "it is said once");
	for (size_t i = 0; i < 11; i++) {
		cr_expect_not(answered[i]->unit.is_committed);
		cr_expect_neq(answered[i]->unit.error.kind, ERROR_NONE);
	}
}

Test(committer, ends_with_all_that_was_posted)
{
	committer_post(committer, make_accept(1));
	committer_post(committer, make_finished(1));
	committer_end(committer);
	wait_for(2);
	cr_expect(answered[1]->unit.is_committed);
	cr_expect_eq(fake_disk_pending(fake), pending);
}

Test(committer, ends_with_large_content_that_was_posted)
{
	committer_post(committer, make_large(1));
	committer_end(committer);
	wait_for(1);
	cr_expect(answered[0]->unit.is_committed);
	cr_expect_eq(fake_disk_pending(fake), pending);
}

static bool
is_file(void *ctx)
{
	return access(ctx, F_OK) == 0;
}

Test(committer, writes_summaries_when_nobody_wants_anything)
{
	char *folder = scratch_folder_new();
	char summary[256];
	struct error error;

	committer_free(committer);
	cr_assert(committer_new(open_journal(disk_real(), folder, 4097),
	    answers, &broken, &committer, &error));
	/* The second finds the first segment full. */
	for (uint64_t id = 1; id <= 2; id++) {
		committer_post(committer, make_accept(id));
		wait_for((size_t)id);
		cr_expect(answered[id - 1]->unit.is_committed);
	}
	(void)snprintf(
	    summary, sizeof(summary), "%s/0000000000000001.sum", folder);
	loop_until(loop, is_file, summary);
	scratch_folder_remove(folder);
}
