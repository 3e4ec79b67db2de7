/*
 * Any command line and any message: what sendmail would hand over holds no
 * octet that breaks a line of SMTP or of a drop file, and no blind recipient.
 *
 * Input: words, each ended by NUL, an empty one ends them; the message behind.
 */
#include "message/header.h"
#include "smtp/address.h"
#include "smtp/dot.h"
#include "tools/sendmail_message.h"
#include "tools/sendmail_options.h"
#include "tools/sendmail_recipients.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORDS_MAX 30

struct command_line {
	char *words[WORDS_MAX + 2];
	int count;
};

/* Cut the words from the front of *input. */
static void
take_words(struct bytes *input, struct command_line *line)
{
	line->words[line->count++] = strdup("sendmail");
	while (input->len > 0 && line->count <= WORDS_MAX) {
		struct bytes word = bytes_cut(input, '\0');
		if (word.len == 0)
			break;
		line->words[line->count++] = strndup(word.data, word.len);
	}
	line->words[line->count] = NULL;
}

static void
check_envelope(const struct envelope *envelope)
{
	struct bytes sender = bytes_of(envelope->sender);

	assert(sender.len == 0 ||
	    address_check(sender, true, envelope->utf8) == ADDRESS_OK);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		struct bytes address =
		    bytes_of(envelope->recipients[i].address);
		assert(
		    address_check(address, true, envelope->utf8) == ADDRESS_OK);
		for (size_t j = 0; j < i && i < 100; j++)
			assert(!bytes_is(
			    address, envelope->recipients[j].address));
	}
}

/* Only CRLF, and nothing that must not leave. */
static void
check_message(struct bytes content)
{
	struct header_field field;

	for (size_t i = 0; i < content.len; i++) {
		bool after_cr = i > 0 && content.data[i - 1] == '\r';
		assert(after_cr == (content.data[i] == '\n'));
	}
	assert(!header_find(content, "Bcc", &field));
	assert(!header_find(content, "Resent-Bcc", &field));
	assert(!header_find(content, "Return-Path", &field));
	assert(header_find(content, "From", &field));
}

static void
try_message(const struct sendmail_options *options,
    struct sendmail_recipients *recipients, struct buffer *content)
{
	struct sendmail_message message;
	struct buffer head;
	struct error error;

	if (bytes_contains(buffer_bytes(content), '\0') &&
	    !sendmail_message_encode(content, &error))
		return;
	assert(!bytes_contains(buffer_bytes(content), '\0'));
	sendmail_message_split(buffer_bytes(content), &message);
	if (options->header_recipients &&
	    !sendmail_recipients_add_header(recipients, message.header, &error))
		return;
	check_envelope(recipients->envelope);
	buffer_init(&head, SIZE_MAX);
	sendmail_message_complete(&message, options->name, "ada", &head);
	buffer_append(&head, message.rest);
	check_message(buffer_bytes(&head));
	buffer_clear(&head);
}

static void
try_submission(const struct sendmail_options *options, struct bytes input)
{
	struct envelope envelope;
	struct buffer complaints;
	struct buffer content;
	struct sendmail_recipients recipients;
	struct dot_encoder encoder;
	struct error error;
	bool ok = true;

	envelope_init(&envelope);
	buffer_init(&complaints, 4096);
	buffer_init(&content, SIZE_MAX);
	sendmail_recipients_init(&recipients, &envelope, &complaints);
	if (options->sender != NULL)
		ok = sendmail_recipients_set_sender(
		    &envelope, bytes_of(options->sender), &error);
	for (size_t i = 0; ok && i < options->operand_count; i++)
		ok = sendmail_recipients_add(
		    &recipients, bytes_of(options->operands[i]), &error);
	dot_encoder_init(&encoder);
	dot_encode(&encoder, input, false, &content);
	dot_encode_end(&encoder, false, &content);
	if (ok)
		try_message(options, &recipients, &content);
	sendmail_recipients_clear(&recipients);
	envelope_clear(&envelope);
	buffer_clear(&complaints);
	buffer_clear(&content);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command_line line = {.count = 0};
	struct bytes input = bytes_make(data, size);
	struct sendmail_options options;
	struct buffer warnings;
	struct error error;

	take_words(&input, &line);
	buffer_init(&warnings, 4096);
	if (sendmail_options_read(
		line.count, line.words, &options, &warnings, &error) == 0)
		try_submission(&options, input);
	for (int i = 0; i < line.count; i++)
		free(line.words[i]);
	buffer_clear(&warnings);
	return 0;
}
