#include "smtp/smtp_server.h"

#include "base/clock.h"
#include "smtp/address.h"
#include "smtp/command.h"
#include "smtp/reply.h"
#include "smtp/serve.h"
#include "smtp/serve_command.h"
#include "smtp/serve_content.h"

#include <assert.h>
#include <stdio.h>

/* A line ends in LF; a CR before it belongs to the end. */
static void
take_line(struct smtp_server *server, size_t len)
{
	struct bytes line = bytes_first(buffer_bytes(server->input), len);

	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	buffer_empty(&server->line);
	buffer_append(&server->line, line);
	buffer_consume(server->input, len + 1);
}

static enum serve_step
read_command(struct smtp_server *server, struct smtp_server_event *event)
{
	struct bytes input = buffer_bytes(server->input);
	size_t max = input.len < COMMAND_LINE_MAX ? COMMAND_LINE_MAX
						  : command_line_max(input);
	size_t len = bytes_index(bytes_first(input, max), '\n');

	if (len < max && len < input.len) {
		take_line(server, len);
		return serve_command_run(server, event) ? SERVE_EVENT
							: SERVE_GO_ON;
	}
	if (input.len < max)
		return SERVE_STUCK;
	server->reading = SERVE_READ_LONG_LINE;
	(void)serve_refuse(server, 500, "5.5.2", "Line too long");
	return SERVE_GO_ON;
}

static enum serve_step
skip_long_line(struct smtp_server *server)
{
	struct bytes input = buffer_bytes(server->input);
	size_t len = bytes_index(input, '\n');

	if (input.len == 0)
		return SERVE_STUCK;
	if (len < input.len) {
		server->reading = SERVE_READ_COMMANDS;
		len++;
	}
	buffer_consume(server->input, len);
	return SERVE_GO_ON;
}

static enum serve_step
read_some(struct smtp_server *server, struct smtp_server_event *event)
{
	switch ((enum serve_reading)server->reading) {
	case SERVE_READ_COMMANDS:
		return read_command(server, event);
	case SERVE_READ_LONG_LINE:
		return skip_long_line(server);
	case SERVE_READ_DATA:
		return serve_content_read_data(server, event);
	case SERVE_READ_CHUNK:
		return serve_content_read_chunk(server, event);
	case SERVE_READ_WASTE:
		return serve_content_read_waste(server);
	}
	return SERVE_STUCK;
}

static enum serve_step
step(struct smtp_server *server, struct smtp_server_event *event)
{
	if (server->reset_due) {
		server->reset_due = false;
		event->kind = SMTP_SERVER_RESET;
		return SERVE_EVENT;
	}
	if (server->phase == SERVE_CLOSING) {
		server->phase = SERVE_CLOSED;
		event->kind = SMTP_SERVER_CLOSE;
		event->text = buffer_bytes(&server->line);
		return SERVE_EVENT;
	}
	if (server->asked >= 0 || server->phase == SERVE_TLS ||
	    server->phase == SERVE_CLOSED)
		return SERVE_STUCK;
	if (server->output->overflowed) {
		serve_end_session(server, "replies outgrow the output");
		return SERVE_GO_ON;
	}
	if (server->output->len >= SMTP_SERVER_OUTPUT_MAX)
		return SERVE_STUCK;
	return read_some(server, event);
}

static bool
is_late(const struct smtp_server *server)
{
	return server->deadline != CLOCK_NEVER &&
	    server->now >= server->deadline;
}

static void
time_out(struct smtp_server *server)
{
	/* Nothing can be said in the middle of a handshake. */
	if (server->phase != SERVE_TLS)
		serve_say(server, 421, "4.4.2", "Waited too long, closing");
	serve_end_session(server, "time-out");
}

void
smtp_server_init(struct smtp_server *server,
    const struct smtp_server_options *options, struct buffer *input,
    struct buffer *output, int64_t now)
{
	char greeting[512];

	*server = (struct smtp_server){
	    .options = options,
	    .input = input,
	    .output = output,
	    .phase = SERVE_CONNECTED,
	    .reading = SERVE_READ_COMMANDS,
	    .asked = -1,
	    .now = now,
	};
	buffer_init(&server->hello, ADDRESS_DOMAIN_MAX);
	buffer_init(&server->line, COMMAND_LINE_MAX_LONG);
	(void)snprintf(greeting, sizeof(greeting), "%s %s postrider",
	    options->hostname, options->lmtp ? "LMTP" : "ESMTP");
	serve_say(server, 220, "", greeting);
}

void
smtp_server_clear(struct smtp_server *server)
{
	buffer_clear(&server->hello);
	buffer_clear(&server->line);
}

bool
smtp_server_next(struct smtp_server *server, int64_t now,
    struct smtp_server_event *out_event)
{
	server->now = now;
	buffer_consume(server->input, server->used);
	server->used = 0;
	for (;;) {
		*out_event = (struct smtp_server_event){
		    .text = BYTES_NONE,
		    .mail = MAIL_PARAMS_NONE,
		    .rcpt = RCPT_PARAMS_NONE,
		};
		enum serve_step done = step(server, out_event);
		if (done == SERVE_EVENT)
			return true;
		if (done == SERVE_STUCK && !is_late(server))
			return false;
		if (done == SERVE_STUCK)
			time_out(server);
	}
}

/* DATA's, or that of the first BDAT. */
static void
accept_content(struct smtp_server *server, const char *text)
{
	dot_decoder_init(&server->decoder);
	if (server->chunked) {
		server->phase = SERVE_CHUNKS;
		serve_content_begin(server, SERVE_READ_CHUNK);
	} else {
		serve_say(server, 354, "", text);
		serve_content_begin(server, SERVE_READ_DATA);
	}
}

static void
refuse_content(struct smtp_server *server, int code, const char *enhanced,
    const char *text)
{
	bool octets_come = server->chunked;

	serve_say(server, code, enhanced, text);
	serve_abandon_transaction(server);
	if (octets_come)
		serve_content_begin(server, SERVE_READ_WASTE);
}

static void
answer_data(struct smtp_server *server, bool yes, int code,
    const char *enhanced, const char *text)
{
	if (!server->chunked && server->input->len > 0)
		(void)serve_refuse_and_close(
		    server, 503, "5.5.0", "Content before it was asked for");
	else if (yes)
		accept_content(server, text);
	else
		refuse_content(server, code, enhanced, text);
}

static void
answer_mail(struct smtp_server *server, bool yes)
{
	server->utf8 &= yes;
	if (yes)
		server->phase = SERVE_MAIL;
}

static void
answer_rcpt(struct smtp_server *server, bool yes)
{
	if (!yes)
		return;
	server->phase = SERVE_RECIPIENT;
	server->recipients++;
}

static void
answer_end(struct smtp_server *server, bool yes)
{
	if (yes)
		server->errors = 0;
	if (--server->answers_due == 0) {
		serve_end_transaction(server);
		return;
	}
	server->asked = SMTP_SERVER_END;
	server->deadline = CLOCK_NEVER;
}

void
smtp_server_answer(struct smtp_server *server, int code, const char *enhanced,
    const char *text, int64_t now)
{
	int asked = server->asked;
	bool yes = code / 100 == 2 || code == 354;

	if (serve_has_ended(server))
		return;
	assert(asked >= 0);
	assert(code >= 200 && code <= 599);
	server->now = now;
	server->asked = -1;
	if (asked == SMTP_SERVER_DATA)
		answer_data(server, yes, code, enhanced, text);
	else
		serve_say(server, code, enhanced, text);
	if (asked == SMTP_SERVER_MAIL)
		answer_mail(server, yes);
	if (asked == SMTP_SERVER_RCPT)
		answer_rcpt(server, yes);
	if (asked == SMTP_SERVER_END)
		answer_end(server, yes);
	if (code == 421 && !serve_has_ended(server))
		serve_end_session(server, text);
}

void
smtp_server_tls_started(struct smtp_server *server, int64_t now)
{
	assert(server->phase == SERVE_TLS);
	assert(server->input->len == 0);
	buffer_empty(&server->hello);
	server->extended = false;
	server->secure = true;
	server->phase = SERVE_CONNECTED;
	server->now = now;
	serve_wait(server, server->options->command_timeout_ms);
}

int64_t
smtp_server_deadline(const struct smtp_server *server)
{
	return server->deadline;
}

void
smtp_server_shut(
    struct smtp_server *server, const char *enhanced, const char *text)
{
	if (serve_has_ended(server))
		return;
	if (server->phase != SERVE_TLS)
		reply_write(server->output, 421, enhanced, text);
	serve_end_session(server, text);
}

bool
smtp_server_is_idle(const struct smtp_server *server)
{
	return !serve_in_transaction(server) && server->asked < 0;
}
