#include "tools/queue_import_session.h"

#include "base/memory.h"
#include "lib/postrider/smtp.h"
#include "message/printable.h"
#include "smtp/params.h"

#include <stdint.h>
#include <stdlib.h>

#define REASON_MAX  ((size_t)500)
#define ALL_OFFERED UINT32_MAX
#define UNAVAILABLE 421

struct queue_import_session {
	smtp *client;
	char *socket; /* owned */
};

struct queue_import_session *
queue_import_session_new(const char *socket)
{
	struct queue_import_session *session = memory_new(sizeof(*session));
	const smtp_options options = {.local_hostname = "localhost"};

	session->client = smtp_new(&options);
	session->socket = memory_copy_text(socket);
	return session;
}

void
queue_import_session_free(struct queue_import_session *session)
{
	if (session == NULL)
		return;
	if (smtp_connected(session->client))
		(void)smtp_quit(session->client); /* all answers were read */
	smtp_free(session->client);
	free(session->socket);
	free(session);
}

/* ---- what the relay says ---- */

/* What the last call came to, in one line. */
static char *
last_text(const struct queue_import_session *session)
{
	size_t len = 0;
	int code = smtp_last_code(session->client);
	const char *text = smtp_last_text(session->client, &len);

	if (code < 0)
		return memory_copy_text(smtp_last_errmsg(session->client));
	struct buffer line;
	buffer_init(&line, SIZE_MAX);
	buffer_printf(&line, "%d ", code);
	printable_append(&line, bytes_make(text, len), REASON_MAX, true);
	char *copy = buffer_to_text(&line);
	buffer_clear(&line);
	return copy;
}

/* The transaction is over; the session is closed where it is of no more use. */
static enum queue_import_result
give_up(struct queue_import_session *session, char **out_text)
{
	int code = smtp_last_code(session->client);

	*out_text = last_text(session);
	if (code == UNAVAILABLE || code < 0)
		smtp_close(session->client);
	else if (smtp_rset(session->client) != SMTP_OK)
		smtp_close(session->client);
	if (code == UNAVAILABLE)
		return QUEUE_IMPORT_NOBODY;
	return code >= 500 ? QUEUE_IMPORT_REFUSED : QUEUE_IMPORT_LATER;
}

/* ---- what we say ---- */

static bool
is_yes(const struct queue_import_session *session, int err)
{
	return err == SMTP_OK && smtp_last_code(session->client) / 100 == 2;
}

/* A line as it is: addresses may be UTF-8. */
static bool
say(struct queue_import_session *session, const struct buffer *line)
{
	struct bytes bytes = buffer_bytes(line);
	int err = smtp_send(session->client, bytes.data, bytes.len);

	return is_yes(
	    session, err == SMTP_OK ? smtp_getreply(session->client) : err);
}

static bool
say_sender(struct queue_import_session *session,
    const struct envelope *envelope, size_t size)
{
	struct mail_params params = envelope_mail_params(envelope);
	struct buffer line;

	params.has_size = true;
	params.size_bytes = size;
	buffer_init(&line, SIZE_MAX);
	buffer_printf(&line, "MAIL FROM:<%s>", envelope->sender);
	params_write_mail(&line, &params, ALL_OFFERED);
	buffer_append_text(&line, "\r\n");
	bool is_ok = say(session, &line);
	buffer_clear(&line);
	return is_ok;
}

static bool
say_recipient(
    struct queue_import_session *session, const struct recipient *recipient)
{
	struct rcpt_params params = envelope_rcpt_params(recipient);
	struct buffer line;

	buffer_init(&line, SIZE_MAX);
	buffer_printf(&line, "RCPT TO:<%s>", recipient->address);
	params_write_rcpt(&line, &params, ALL_OFFERED);
	buffer_append_text(&line, "\r\n");
	bool is_ok = say(session, &line);
	buffer_clear(&line);
	return is_ok;
}

/* BDAT (RFC 3030): octet for octet. */
static bool
say_content(struct queue_import_session *session, struct bytes content)
{
	struct buffer line;

	buffer_init(&line, SIZE_MAX);
	buffer_printf(&line, "BDAT %zu LAST\r\n", content.len);
	struct bytes bytes = buffer_bytes(&line);
	int err = smtp_send(session->client, bytes.data, bytes.len);
	if (err == SMTP_OK && content.len > 0)
		err = smtp_send(session->client, content.data, content.len);
	buffer_clear(&line);
	return is_yes(
	    session, err == SMTP_OK ? smtp_getreply(session->client) : err);
}

static bool
is_ready(struct queue_import_session *session, char **out_text)
{
	smtp *client = session->client;

	if (smtp_connected(client))
		return true;
	if (smtp_open(client, session->socket, NULL) != SMTP_OK ||
	    !is_yes(session, smtp_ehlo(client, NULL))) {
		*out_text = last_text(session);
		smtp_close(client);
		return false;
	}
	if (smtp_has_extn(client, "CHUNKING"))
		return true;
	*out_text = memory_copy_text("it is no postrider: no CHUNKING");
	smtp_close(client);
	return false;
}

enum queue_import_result
queue_import_session_send(struct queue_import_session *session,
    const struct envelope *envelope, struct bytes content, char **out_text)
{
	if (!is_ready(session, out_text))
		return QUEUE_IMPORT_NOBODY;
	bool is_ok = say_sender(session, envelope, content.len);
	for (size_t i = 0; is_ok && i < envelope->recipient_count; i++)
		is_ok = say_recipient(session, &envelope->recipients[i]);
	if (!is_ok || !say_content(session, content))
		return give_up(session, out_text);
	*out_text = last_text(session);
	return QUEUE_IMPORT_TAKEN;
}
