/* A worker, with messages on a real disk and a maildir for an upstream. */
#include "base/log.h"
#include "base/memory.h"
#include "daemon/worker.h"
#include "lib/loop_until.h"
#include "lib/scratch_folder.h"
#include "net/loop.h"
#include "queue/journal.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t delays[] = {CLOCK_MINUTE};
static const struct route_rule rules[] = {
    {.recipient = "*@nowhere.example", .upstreams = {1}, .upstream_count = 1},
    {.upstreams = {0}, .upstream_count = 1},
};
static const struct settle_options settle = {
    .report = {.hostname = "relay.example",
	.postmaster = "postmaster@relay.example"},
    .retry = {.delays_ms = delays,
	.delay_count = 1,
	.lifetime_ms = 5 * CLOCK_DAY,
	.notice_ms = CLOCK_NEVER},
    .routes = {.rules = rules, .count = 2},
};

static char *folder;
static char *maildir;
static struct journal *journal;
static struct upstream_options upstreams[2];
static struct worker_options options;
static struct loop *loop;
static struct worker *worker;
static struct order *back;

static void
on_orders(struct letter *letters, void *ctx)
{
	(void)ctx;
	cr_assert_null(letters->next);
	back = (struct order *)(void *)letters;
}

static void
ignore_etrn(struct letter *letters, void *ctx)
{
	(void)letters;
	(void)ctx;
}

static void
ignore_fact(const struct journal_fact *fact, void *ctx)
{
	(void)fact;
	(void)ctx;
}

static void
begin(void)
{
	struct journal_report report;
	struct error error;

	folder = scratch_folder_new();
	maildir = memory_format("%s/mail", folder);
	char *queue = memory_format("%s/queue", folder);
	struct journal_options journal_options = {
	    .disk = disk_real(),
	    .path = queue,
	    .segment_size = (uint64_t)1024 * 1024,
	};
	cr_assert(journal_open(&journal_options, ignore_fact, NULL, &journal,
		      &report, &error),
	    "%s", error_text(&error));
	free(queue);

	upstreams[0] = (struct upstream_options){.name = "here",
	    .transport = UPSTREAM_MAILDIR,
	    .path = maildir,
	    .hello = "relay.example"};
	upstreams[1] = upstreams[0];
	upstreams[1].path = "/proc/nowhere";
	loop = loop_new();
	options = (struct worker_options){
	    .settle = &settle,
	    .upstreams = upstreams,
	    .upstream_count = 2,
	    .large_fd = journal_large_fd(journal),
	    .answers = mailbox_new(loop, on_orders, NULL),
	    .etrn_answers = mailbox_new(loop, ignore_etrn, NULL),
	};
	log_open(LOG_SINK_STDERR, LOG_LEVEL_ERROR, "test", NULL);
	cr_assert(worker_new(&options, &worker, &error));
}

static void
end(void)
{
	worker_free(worker);
	mailbox_free(options.answers);
	mailbox_free(options.etrn_answers);
	loop_free(loop);
	journal_free(journal);
	free(maildir);
	scratch_folder_remove(folder);
}

TestSuite(worker, .init = begin, .fini = end);

/* A message on disk; its place, as an order has it. */
static struct segment_message
put(uint64_t id, const char *recipients, const char *content, bool is_large)
{
	struct message *message = message_new();
	struct bytes rest = bytes_of(recipients);
	struct body_writer writer;
	struct unit unit;
	struct unit *units[] = {&unit};
	struct error error;

	message->id = id;
	envelope_set_sender(&message->envelope, BYTES("me@x.example"));
	message->envelope.arrived_at = clock_now().wall_ms;
	while (rest.len > 0)
		(void)envelope_add_recipient(
		    &message->envelope, bytes_cut(&rest, ' '));
	progress_init(&message->progress, message->envelope.recipient_count);
	body_writer_init(&writer, journal_large_fd(journal),
	    queue_id_of(id).text, is_large ? 1 : 4096);
	cr_assert(body_writer_append(&writer, bytes_of(content), &error));
	body_writer_take(&writer, &message->body);
	unit_init(&unit);
	unit_add(&unit, record_message(message));
	cr_assert(journal_commit(journal, units, 1, &error));
	cr_assert(unit.is_committed);
	message_free(message);
	return (struct segment_message){
	    .id = id, .segment = unit.segment, .place = unit.place};
}

static bool
is_back(void *ctx)
{
	(void)ctx;
	return back != NULL;
}

/* Have it carried out; the caller frees it. */
static struct order *
carry_out(enum order_kind kind, const struct segment_message *where,
    uint16_t route, unsigned upstream)
{
	struct order *order = order_new(kind, where->id);

	order->where = *where;
	order->route = route;
	order->upstream = upstream;
	memcpy(order->reason, "it rains", sizeof("it rains"));
	back = NULL;
	worker_post(worker, order);
	loop_until(loop, is_back, NULL);
	cr_assert_eq(back, order);
	return order;
}

static size_t
mails(void)
{
	char *path = memory_format("%s/new", maildir);
	DIR *directory = opendir(path);
	size_t count = 0;

	free(path);
	if (directory == NULL)
		return 0;
	for (;;) {
		const struct dirent *entry = readdir(directory);
		if (entry == NULL)
			break;
		count += entry->d_name[0] != '.';
	}
	(void)closedir(directory);
	return count;
}

Test(worker, delivers_what_lies_inline_and_what_lies_beside)
{
	for (int is_large = 0; is_large < 2; is_large++) {
		struct segment_message where =
		    put(17 + (uint64_t)is_large, "a@y.example b@y.example",
			"Subject: x\r\n\r\nhello\r\n", is_large);
		struct order *order = carry_out(ORDER_ATTEMPT, &where, 1, 0);
		cr_expect_eq(order->result, ORDER_DONE, "%s", order->failure);
		cr_expect(order->settlement.finished);
		cr_expect_eq(order->settlement.delivered, 2);
		order_free(order);
		cr_expect_eq(mails(), 1 + (size_t)is_large);
	}
}

Test(worker, says_where_to_go_when_an_upstream_fails)
{
	struct segment_message where =
	    put(17, "a@nowhere.example b@y.example", "x: y\r\n\r\n", false);
	struct order *order = carry_out(ORDER_ATTEMPT, &where, 0, 1);

	cr_expect_eq(order->result, ORDER_UPSTREAM_FAILED);
	cr_expect_neq(order->failure[0], '\0');
	cr_expect_eq(order->settlement.route, 1);
	cr_expect_not(order->settlement.round_over);
	cr_expect_eq(order->message->progress.attempts, 0);
	order_free(order);
}

Test(worker, says_that_nobody_waits_on_a_route)
{
	struct segment_message where =
	    put(17, "b@y.example", "x: y\r\n\r\n", false);
	struct order *order = carry_out(ORDER_ATTEMPT, &where, 0, 1);

	cr_expect_eq(order->result, ORDER_REROUTED);
	cr_expect_eq(order->settlement.route, 1);
	order_free(order);
}

Test(worker, gives_up_and_tells_of_delays)
{
	struct segment_message where =
	    put(17, "b@y.example", "x: y\r\n\r\n", false);
	struct order *order = carry_out(ORDER_EXPIRE, &where, 1, 0);

	cr_expect_eq(order->result, ORDER_DONE);
	cr_expect(order->settlement.finished);
	cr_expect_not_null(order->settlement.report);
	order_free(order);
	order = carry_out(ORDER_DELAY, &where, 1, 0);
	cr_expect_eq(order->result, ORDER_DONE);
	cr_expect_not(order->settlement.finished);
	cr_expect(order->message->progress.delay_reported);
	order_free(order);
}

Test(worker, tells_damage_from_trouble)
{
	static const struct row {
		const char *name;
		bool is_large;
		bool is_gone; /* else its octets are changed */
		enum order_result expected;
	} rows[] = {
	    {"a large file is gone", true, true, ORDER_DAMAGED},
	    {"octets changed", false, false, ORDER_DAMAGED},
	    {"octets of a large file changed", true, false, ORDER_DAMAGED},
	    {"the descriptor is no good", false, true, ORDER_FAILED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct segment_message where = put(
		    100 + i, "b@y.example", "x: y\r\n\r\nz\r\n", row->is_large);
		struct queue_id name = queue_id_of(where.id);
		int fd = row->is_large
		    ? openat(journal_large_fd(journal), name.text, O_RDWR)
		    : where.segment.fd;
		off_t at = row->is_large
		    ? 3
		    : (off_t)(where.place.offset + where.place.len + 2);
		if (!row->is_gone)
			cr_assert_eq(pwrite(fd, "?", 1, at), 1);
		else if (row->is_large)
			cr_assert_eq(
			    unlinkat(journal_large_fd(journal), name.text, 0),
			    0);
		else
			where.segment.fd = -1;
		struct order *order = carry_out(ORDER_ATTEMPT, &where, 1, 0);
		cr_expect_eq(order->result, row->expected, "%s: %s", row->name,
		    order->failure);
		order_free(order);
		if (row->is_large)
			(void)close(fd);
	}
	cr_expect_eq(mails(), 0);
}
