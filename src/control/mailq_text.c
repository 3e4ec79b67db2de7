#include "control/mailq_text.h"

#include "base/bytes.h"
#include "base/clock.h"

#include <string.h>
#include <time.h>

/* Postfix's columns: an id with its mark, size, time, sender. */
#define HEADING_FORMAT   "%-11s %7s %-20s %s\n"
#define MESSAGE_FORMAT   "%-11s %7llu %20.20s "
#define RECIPIENT_INDENT 41
#define REASON_WIDTH     76

/* What would break a line or a terminal comes out as '?'. */
static void
append_shown(struct buffer *buffer, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		buffer_append_char(buffer, c < ' ' || c == 0x7f ? '?' : *text);
	}
}

static void
append_blanks(struct buffer *buffer, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buffer_append_char(buffer, ' ');
}

static const char *
mark_of(enum mailq_state state)
{
	switch (state) {
	case MAILQ_WAITING:
		return "";
	case MAILQ_ACTIVE:
		return "*";
	case MAILQ_HELD:
		return "!";
	}
	return "";
}

static void
append_message(const struct mailq_entry *entry, struct buffer *buffer)
{
	char id[64] = "";
	char arrived[32] = "";
	time_t seconds = (time_t)(entry->arrived_at / CLOCK_SECOND);
	struct tm local;
	struct buffer marked;

	buffer_init(&marked, sizeof(id) - 1);
	buffer_append(&marked, bytes_first(bytes_of(entry->id), 32));
	buffer_append_text(&marked, mark_of(entry->state));
	memcpy(id, buffer_bytes(&marked).data, marked.len);
	buffer_clear(&marked);
	/* As asctime(), whatever the locale: that is what programs parse. */
	if (localtime_r(&seconds, &local) == NULL ||
	    asctime_r(&local, arrived) == NULL)
		arrived[0] = '\0';
	buffer_printf(buffer, MESSAGE_FORMAT, id,
	    (unsigned long long)entry->size_bytes, arrived);
	append_shown(
	    buffer, entry->sender[0] != '\0' ? entry->sender : "MAILER-DAEMON");
	buffer_append_char(buffer, '\n');
}

static void
append_reason(const char *reason, struct buffer *buffer)
{
	size_t len = strlen(reason);

	append_blanks(buffer, len < REASON_WIDTH ? REASON_WIDTH - len : 0);
	buffer_append_char(buffer, '(');
	append_shown(buffer, reason);
	buffer_append_text(buffer, ")\n");
}

/* A reason stands once above all the recipients that it is for. */
static void
append_recipients(const struct mailq_entry *entry, struct buffer *buffer)
{
	const char *last = "";

	for (size_t i = 0; i < entry->recipient_count; i++) {
		const struct mailq_recipient *recipient = &entry->recipients[i];
		const char *reason =
		    recipient->reason != NULL ? recipient->reason : "";

		if (strcmp(reason, last) != 0)
			append_reason(
			    reason[0] != '\0' ? reason : "reason unavailable",
			    buffer);
		last = reason;
		append_blanks(buffer, RECIPIENT_INDENT);
		append_shown(buffer, recipient->address);
		buffer_append_char(buffer, '\n');
	}
}

void
mailq_text_entry(struct mailq_text *text, const struct mailq_entry *entry,
    struct buffer *buffer)
{
	if (text->messages == 0)
		buffer_printf(buffer, HEADING_FORMAT, "-Queue ID-", "--Size--",
		    "----Arrival Time----", "-Sender/Recipient-------");
	else
		buffer_append_char(buffer, '\n');
	append_message(entry, buffer);
	append_recipients(entry, buffer);
	text->messages++;
	text->bytes += entry->size_bytes;
}

void
mailq_text_finish(const struct mailq_text *text, struct buffer *buffer)
{
	if (text->messages == 0) {
		buffer_append_text(buffer, "Mail queue is empty\n");
		return;
	}
	buffer_printf(buffer, "\n-- %llu Kbytes in %llu Request%s.\n",
	    (unsigned long long)(text->bytes / 1024),
	    (unsigned long long)text->messages, text->messages == 1 ? "" : "s");
}
