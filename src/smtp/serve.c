#include "smtp/serve.h"

#include "base/clock.h"
#include "smtp/reply.h"

void
serve_wait(struct smtp_server *server, int64_t timeout_ms)
{
	bool none = timeout_ms <= 0 || serve_has_ended(server);

	server->deadline =
	    none ? CLOCK_NEVER : clock_after(server->now, timeout_ms);
}

void
serve_say(struct smtp_server *server, int code, const char *enhanced,
    const char *text)
{
	reply_write(server->output, code, enhanced, text);
	serve_wait(server, server->options->command_timeout_ms);
}

bool
serve_refuse(struct smtp_server *server, int code, const char *enhanced,
    const char *text)
{
	unsigned errors_max = server->options->errors_max;

	server->errors++;
	if (errors_max > 0 && server->errors > errors_max) {
		serve_say(server, 421, "4.7.0", "Too many errors, closing");
		serve_end_session(server, "too many errors");
	} else {
		serve_say(server, code, enhanced, text);
	}
	return false;
}

bool
serve_refuse_and_close(struct smtp_server *server, int code,
    const char *enhanced, const char *text)
{
	serve_say(server, code, enhanced, text);
	serve_end_session(server, text);
	return false;
}

bool
serve_ask(struct smtp_server *server, enum smtp_server_event_kind kind,
    struct smtp_server_event *event)
{
	server->asked = (int)kind;
	server->deadline = CLOCK_NEVER;
	event->kind = kind;
	return true;
}

bool
serve_in_transaction(const struct smtp_server *server)
{
	return (server->phase & SERVE_TRANSACTION) != 0;
}

void
serve_end_transaction(struct smtp_server *server)
{
	if (serve_in_transaction(server))
		server->phase = SERVE_GREETED;
	server->utf8 = false;
	server->recipients = 0;
	server->answers_due = 0;
	server->content_len = 0;
	server->chunked = false;
}

void
serve_abandon_transaction(struct smtp_server *server)
{
	server->reset_due |= serve_in_transaction(server);
	serve_end_transaction(server);
}

bool
serve_has_ended(const struct smtp_server *server)
{
	return (server->phase & (SERVE_CLOSING | SERVE_CLOSED)) != 0;
}

void
serve_end_session(struct smtp_server *server, const char *why)
{
	/* The caller has the message already; it is no more ours to drop. */
	if (server->asked == SMTP_SERVER_END)
		serve_end_transaction(server);
	else
		serve_abandon_transaction(server);
	server->asked = -1;
	server->phase = SERVE_CLOSING;
	server->deadline = CLOCK_NEVER;
	buffer_empty(&server->line);
	buffer_append(
	    &server->line, bytes_first(bytes_of(why), server->line.limit));
}
