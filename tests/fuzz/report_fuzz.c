/*
 * Any octets as an upstream's words and the message they are about: the report
 * is sound, and reports on reports come to an end.
 *
 * The input is lines: flags, status, reason, upstream, sender, recipient,
 * ENVID, ORCPT; then the message.
 */
#include "base/memory.h"
#include "message/header.h"
#include "message/parts.h"
#include "message/report.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct report_options options = {"r.example", "postmaster@x"};

/* A line that may stand in an envelope: without control characters. */
static char *
take_text(struct bytes *rest)
{
	struct bytes line = bytes_cut(rest, '\n');
	char *text = memory_copy(line);

	for (size_t i = 0; i < line.len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	}
	return text;
}

static struct message *
make_message(unsigned flags, struct bytes rest)
{
	struct message *message = message_new();
	struct envelope *envelope = &message->envelope;
	struct bytes status = bytes_cut(&rest, '\n');
	struct bytes reason = bytes_cut(&rest, '\n');
	struct bytes upstream = bytes_cut(&rest, '\n');
	char *sender = take_text(&rest);
	char *recipient = take_text(&rest);

	envelope_set_sender(envelope, bytes_of(sender));
	struct recipient *added =
	    envelope_add_recipient(envelope, bytes_of(recipient));
	envelope->id = take_text(&rest);
	added->original = take_text(&rest);
	added->notify = flags >> 4 & 15;
	envelope->ret =
	    (flags & 4) != 0 ? MAIL_RETURN_FULL : MAIL_RETURN_UNDECLARED;
	envelope->utf8 = (flags & 8) != 0;
	progress_init(&message->progress, 1);
	progress_set(
	    &message->progress, 0, RECIPIENT_FAILED, status, reason, upstream);
	body_set(&message->body, rest);
	free(sender);
	free(recipient);
	return message;
}

/* Every line fits, controls are none of the upstream's; three parts. */
static void
check_report(const struct message *report)
{
	struct bytes rest = buffer_bytes(&report->body.memory);
	struct header_field field;
	struct parts parts;
	struct error error;

	assert(report->envelope.sender[0] == '\0');
	assert(report->envelope.recipient_count == 1);
	assert(report->envelope.utf8 || bytes_is_ascii(rest));
	assert(!bytes_contains(rest, '\0'));
	assert(header_find(rest, "Auto-Submitted", &field));
	assert(parts_find(&report->body, &parts, &error));
	assert(parts.part_count == 4);
	assert(parts.parts[0].kind == PART_MULTIPART);
	assert(parts.parts[1].kind == PART_LEAF);
	assert(parts.parts[2].kind == PART_OPAQUE);
	parts_clear(&parts);
	while (rest.len > 0) {
		struct bytes line = bytes_cut(&rest, '\n');
		assert(line.len <= HEADER_LINE_MAX + 1);
	}
}

/* Report on message, on that report, and so on: at most the sender and the
 * postmaster are told. */
static void
check_chain(struct message *message, enum report_kind kind)
{
	const size_t recipients[] = {0};
	struct error error;

	for (unsigned depth = 0; message != NULL; depth++) {
		struct message *report = NULL;
		assert(depth < 3);
		assert(report_make(&options, kind, message, recipients, 1,
		    1795500000000, 1795413200000, &report, &error));
		if (report != NULL)
			check_report(report);
		message_free(message);
		message = report;
		kind = REPORT_FAILED;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_make(data, size);
	struct bytes first = bytes_cut(&rest, '\n');
	unsigned flags = first.len > 0 ? (unsigned char)first.data[0] : 0;

	check_chain(make_message(flags, rest), (enum report_kind)(flags % 3));
	return 0;
}
