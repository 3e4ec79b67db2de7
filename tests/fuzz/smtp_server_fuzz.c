/*
 * A server session fed with any octets: how they are cut never matters, and
 * events keep to their order.
 *
 * Input: one octet that chooses the door, one that seeds cuts and answers, then
 * what the client sends.
 */
#include "base/clock.h"
#include "smtp/smtp_server.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define START       ((int64_t)1000)
#define MESSAGE_MAX ((uint64_t)300)

struct run {
	struct smtp_server server;
	struct buffer input;
	struct buffer output;
	struct buffer content; /* of the message under way */
	struct buffer log;     /* what was seen: events and replies, in order */
	uint32_t answers;      /* random numbers for the answers */
	uint32_t cuts;         /* and for the cuts; 0: none */
	bool open;             /* a transaction, as the events tell */
	bool in_content;
	bool ended;
	unsigned recipients;
};

static uint32_t
next_random(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

static void
log_output(struct run *run)
{
	struct bytes output = buffer_bytes(&run->output);

	for (size_t i = 0; i < output.len; i++) {
		unsigned char c = (unsigned char)output.data[i];
		assert(c == '\r' || c == '\n' || (c >= ' ' && c <= '~'));
	}
	assert(!run->output.overflowed);
	assert(output.len == 0 || output.data[output.len - 1] == '\n');
	buffer_append(&run->log, output);
	buffer_empty(&run->output);
}

static void
check_content(const struct run *run, struct bytes content)
{
	assert(run->in_content);
	assert(content.len > 0);
	assert(!bytes_contains(content, '\0'));
}

static void
check_message(const struct run *run)
{
	struct bytes content = buffer_bytes(&run->content);

	assert(run->in_content && run->recipients > 0);
	assert(content.len == run->server.content_len);
	assert(content.len <= MESSAGE_MAX);
	for (size_t i = 0; i < content.len; i++) {
		if (content.data[i] == '\n')
			assert(i > 0 && content.data[i - 1] == '\r');
		if (content.data[i] == '\r')
			assert(
			    i + 1 < content.len && content.data[i + 1] == '\n');
	}
}

/* What must be true before, and what is true after. */
static void
follow(struct run *run, const struct smtp_server_event *event)
{
	assert(!run->ended);
	switch (event->kind) {
	case SMTP_SERVER_MAIL:
		assert(!run->open);
		break;
	case SMTP_SERVER_RCPT:
		assert(run->open && !run->in_content && event->text.len > 0);
		break;
	case SMTP_SERVER_DATA:
		assert(run->open && !run->in_content && run->recipients > 0);
		break;
	case SMTP_SERVER_END:
		check_message(run);
		break;
	case SMTP_SERVER_CONTENT:
		check_content(run, event->text);
		break;
	case SMTP_SERVER_ETRN:
	case SMTP_SERVER_START_TLS:
		assert(!run->open);
		break;
	case SMTP_SERVER_RESET:
		assert(run->open);
		break;
	case SMTP_SERVER_HELLO:
		assert(event->text.len > 0);
		break;
	case SMTP_SERVER_CLOSE:
		assert(!run->open && event->text.len > 0);
		run->ended = true;
		break;
	}
	if (event->kind == SMTP_SERVER_RESET ||
	    event->kind == SMTP_SERVER_HELLO ||
	    event->kind == SMTP_SERVER_END) {
		run->open = run->in_content = false;
		run->recipients = 0;
	}
}

static void
log_event(struct run *run, const struct smtp_server_event *event)
{
	if (event->kind == SMTP_SERVER_CONTENT) {
		buffer_append(&run->content, event->text);
		return;
	}
	buffer_printf(&run->log, "event %d ", (int)event->kind);
	buffer_append(&run->log,
	    event->kind == SMTP_SERVER_END ? buffer_bytes(&run->content)
					   : event->text);
	params_write_mail(&run->log, &event->mail, ~0U);
	params_write_rcpt(&run->log, &event->rcpt, ~0U);
	buffer_append_text(&run->log, "\n");
	buffer_empty(&run->content);
}

static void
answer(struct run *run, enum smtp_server_event_kind kind)
{
	static const int codes[] = {250, 250, 250, 250, 250, 250, 450, 550};
	uint32_t choice = next_random(&run->answers) % 64;
	int code = choice == 0 ? 421 : codes[choice % 8];
	bool yes = code == 250;

	smtp_server_answer(&run->server, code, "2.0.0", "Text", START);
	run->open |= yes && kind == SMTP_SERVER_MAIL;
	run->recipients += yes && kind == SMTP_SERVER_RCPT;
	run->in_content |= yes && kind == SMTP_SERVER_DATA;
}

static void
drive(struct run *run)
{
	struct smtp_server_event event;

	while (smtp_server_next(&run->server, START, &event)) {
		bool asks = event.kind <= SMTP_SERVER_ETRN;
		assert(asks == (run->server.asked >= 0));
		log_output(run);
		follow(run, &event);
		log_event(run, &event);
		while (run->server.asked >= 0)
			answer(run, event.kind);
		log_output(run);
		if (event.kind == SMTP_SERVER_START_TLS)
			smtp_server_tls_started(&run->server, START);
	}
	log_output(run);
	assert(run->ended || smtp_server_deadline(&run->server) > START);
	/* All is consumed but for a line that may yet end. */
	assert(run->ended || run->input.len < 4096);
}

/*
 * A client waits for the answer to DATA and STARTTLS, so there is a cut behind
 * every line that might be one, whatever it is.
 */
static bool
may_end_a_group(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		struct bytes rest = bytes_from(text, i);
		if (bytes_has_prefix_nocase(rest, "DATA") ||
		    bytes_has_prefix_nocase(rest, "STARTTLS"))
			return true;
	}
	return false;
}

static void
bring(struct run *run, struct bytes text)
{
	while (text.len > 0) {
		size_t piece = text.len;
		if (run->cuts != 0)
			piece = 1 +
			    next_random(&run->cuts) %
				(1U << next_random(&run->cuts) % 10);
		buffer_append(&run->input, bytes_first(text, piece));
		text = bytes_from(text, piece);
		drive(run);
	}
}

static void
feed(struct run *run, struct bytes text)
{
	size_t start = 0;

	for (size_t i = 0, line = 0; i < text.len; i++) {
		if (text.data[i] != '\n')
			continue;
		struct bytes all = bytes_first(text, i + 1);
		if (may_end_a_group(bytes_from(all, line))) {
			bring(run, bytes_from(all, start));
			start = i + 1;
		}
		line = i + 1;
	}
	bring(run, bytes_from(text, start));
}

static void
init(struct run *run, const struct smtp_server_options *options,
    uint32_t answers, uint32_t cuts)
{
	*run = (struct run){.answers = answers, .cuts = cuts};
	buffer_init(&run->input, (size_t)1 << 24);
	buffer_init(&run->output, (size_t)1 << 24);
	buffer_init(&run->content, (size_t)1 << 24);
	buffer_init(&run->log, (size_t)1 << 26);
	smtp_server_init(
	    &run->server, options, &run->input, &run->output, START);
}

static void
clear(struct run *run)
{
	smtp_server_clear(&run->server);
	buffer_clear(&run->input);
	buffer_clear(&run->output);
	buffer_clear(&run->content);
	buffer_clear(&run->log);
}

/* Time-out or shutdown: RESET where a transaction is open, CLOSE, no more. */
static void
finish(struct run *run, bool shut)
{
	struct smtp_server_event event;
	int64_t late = smtp_server_deadline(&run->server);

	if (shut)
		smtp_server_shut(&run->server, "4.3.2", "Going down");
	while (smtp_server_next(&run->server, late, &event))
		follow(run, &event);
	assert(run->ended);
	assert(smtp_server_deadline(&run->server) == CLOCK_NEVER);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 1 << 16)
		return 0;
	struct smtp_server_options options = {
	    .hostname = "mx.example",
	    .lmtp = (data[0] & 1) != 0,
	    .message_size_max = MESSAGE_MAX,
	    .recipients_max = 3,
	    .bare_newline = (data[0] & 2) != 0 ? BARE_NEWLINE_REJECT
					       : BARE_NEWLINE_NORMALIZE,
	    .starttls = (data[0] & 4) != 0,
	    .etrn = (data[0] & 8) != 0,
	    .qualified_only = (data[0] & 16) != 0,
	    .command_timeout_ms = 300000,
	    .content_timeout_ms = 60000,
	    .errors_max = (data[0] & 32) != 0 ? 5 : 0,
	};
	struct bytes text = bytes_make(data + 2, size - 2);
	struct run whole, cut;

	init(&whole, &options, data[1], 0);
	init(&cut, &options, data[1], data[1] + 1U);
	feed(&whole, text);
	feed(&cut, text);
	assert(bytes_equal(buffer_bytes(&whole.log), buffer_bytes(&cut.log)));
	finish(&whole, false);
	finish(&cut, true);
	clear(&whole);
	clear(&cut);
	return 0;
}
