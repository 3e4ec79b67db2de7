/* The real disk under the journal, in a directory of its own. */
#include "queue/journal.h"
#include "queue/ledger.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
remove_one(
    const char *path, const struct stat *status, int type, struct FTW *position)
{
	(void)status;
	(void)type;
	(void)position;
	return remove(path);
}

static void
make_path(char *path, size_t size)
{
	const char *base = getenv("TMPDIR");
	(void)snprintf(
	    path, size, "%s/queue.XXXXXX", base == NULL ? "/tmp" : base);
	cr_assert_not_null(mkdtemp(path));
}

struct found {
	size_t messages;
	struct segment_message where;
	size_t problems;
};

static void
on_fact(const struct journal_fact *fact, void *ctx)
{
	struct found *found = ctx;

	if (fact->kind == JOURNAL_PROBLEM)
		found->problems++;
	if (fact->kind != JOURNAL_MESSAGE)
		return;
	found->messages++;
	found->where = (struct segment_message){
	    .id = fact->id,
	    .segment = fact->segment,
	    .place = fact->place,
	};
}

static struct journal *
open_journal_of(const char *path, uint64_t segment_size, struct found *found)
{
	struct journal_options options = {
	    .disk = disk_real(),
	    .path = path,
	    .segment_size = segment_size,
	    .reserve = 65536,
	};
	struct journal *journal = NULL;
	struct journal_report report;
	struct error error;

	memset(found, 0, sizeof(*found));
	cr_assert(
	    journal_open(&options, on_fact, found, &journal, &report, &error),
	    "%s", error_text(&error));
	return journal;
}

static struct journal *
open_journal(const char *path, struct found *found)
{
	return open_journal_of(path, 16384, found);
}

static void
commit(struct journal *journal, uint64_t id, const char *content)
{
	struct message *message = message_new();
	struct unit unit;
	struct unit *units[1] = {&unit};
	struct error error;

	message->id = id;
	envelope_add_recipient(&message->envelope, BYTES("b@y.example"));
	body_set(&message->body, bytes_of(content));
	unit_init(&unit);
	unit.needs_room = true;
	unit_add(&unit, record_message(message));
	cr_assert(journal_commit(journal, units, 1, &error));
	cr_assert(unit.is_committed, "%s", error_text(&unit.error));
	message_free(message);
}

Test(disk, keeps_mail)
{
	char path[256], content[64];
	struct found found;
	struct message *message;
	struct error error;
	size_t len;

	make_path(path, sizeof(path));
	struct journal *journal = open_journal(path, &found);
	for (uint64_t id = 1; id <= 200; id++)
		commit(journal, id, "Subject: x\r\n\r\nhello\r\n");
	cr_expect_gt(journal_free_bytes(journal), 0);
	journal_free(journal);

	journal = open_journal(path, &found);
	cr_expect_eq(found.messages, 200);
	cr_expect_eq(found.problems, 0);
	cr_assert(segment_load(disk_real(), journal_large_fd(journal),
		      &found.where, &message, &error),
	    "%s", error_text(&error));
	cr_assert(body_read(
	    &message->body, 0, content, sizeof(content), &len, &error));
	cr_expect(
	    bytes_is(bytes_make(content, len), "Subject: x\r\n\r\nhello\r\n"));
	message_free(message);
	cr_expect(journal_drop(journal, 1, &error), "%s", error_text(&error));
	for (uint64_t id = 201; id <= 400; id++)
		commit(journal, id, "Subject: y\r\n\r\nhello\r\n");
	journal_free(journal);
	journal = open_journal(path, &found);
	cr_expect_lt(found.messages, 400);
	cr_expect_gt(found.messages, 300);
	cr_expect_eq(found.problems, 0);
	journal_free(journal);
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static uint64_t
newest_size(const struct journal *journal)
{
	uint64_t size;

	cr_assert_eq(
	    disk_real()->size(NULL, journal_current(journal).fd, &size), 0);
	return size;
}

/* Zeros are laid ahead in many pieces, and overwritten, and laid again. */
Test(disk, keeps_mail_where_zeros_are_laid_ahead)
{
	char path[256], content[4096];
	struct found found;
	uint64_t size = 0;
	unsigned growths = 0;

	memset(content, 'x', sizeof(content) - 1);
	content[sizeof(content) - 1] = '\0';
	make_path(path, sizeof(path));
	struct journal *journal =
	    open_journal_of(path, (uint64_t)1024 * 1024, &found);
	for (uint64_t id = 1; id <= 200; id++) {
		commit(journal, id, content);
		if (newest_size(journal) != size)
			growths++;
		size = newest_size(journal);
	}
	cr_expect_eq(growths, 4, "%u", growths);
	cr_expect_leq(size, (uint64_t)1024 * 1024);
	journal_free(journal);
	journal = open_journal(path, &found);
	cr_expect_eq(found.messages, 200);
	cr_expect_eq(found.problems, 0);
	journal_free(journal);
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

Test(disk, has_one_user)
{
	char path[256];
	struct found found;
	struct error error;
	struct journal *second;
	struct journal_report report;

	make_path(path, sizeof(path));
	struct journal *journal = open_journal(path, &found);
	struct journal_options options = {
	    .disk = disk_real(), .path = path, .segment_size = 16384};
	cr_expect_not(
	    journal_open(&options, on_fact, &found, &second, &report, &error));
	cr_expect_eq(error.number, EWOULDBLOCK);
	journal_free(journal);
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
