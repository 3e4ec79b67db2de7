#include "tools/sendmail_recipients.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *
list(const struct envelope *envelope)
{
	struct buffer text;

	buffer_init(&text, 65536);
	for (size_t i = 0; i < envelope->recipient_count; i++)
		buffer_printf(&text, "%s%s", i == 0 ? "" : " ",
		    envelope->recipients[i].address);
	char *copy = buffer_to_text(&text);
	buffer_clear(&text);
	return copy;
}

static const struct {
	const char *operand;
	const char *expected;
	const char *complaint; /* NULL: none */
} operands[] = {
    {"bob", "bob", NULL},
    {"bob@x.example", "bob@x.example", NULL},
    {"Bob <bob@x.example>", "bob@x.example", NULL},
    {"a@x, b@y,c@z", "a@x b@y c@z", NULL},
    {"a@x,a@x", "a@x", NULL},
    {"a@x (Ada), b@y (Bob)", "a@x b@y", NULL},
    {"\"a b\"@x", "\"a b\"@x", NULL},
    {"-be", "-be", NULL},
    {"--help", "--help", NULL},
    {"|cmd", "|cmd", NULL},
    {"$(id)@x", "", "not an address: $(id)@x"},
    {";sh;@x", "", "not an address: ;sh;@x"},
    {"/etc/passwd@x", "/etc/passwd@x", NULL},
    {":include:/etc/shadow", "", "not an address: :include:/etc/shadow"},
    {"", "", "not an address: "},
    {"a b", "", "not an address: a b"},
    {"a@x\r\nRCPT TO:<b@y>", "", "not an address: a@x RCPT TO:<b@y>"},
    {"a@b@c", "", "not an address: a@b@c"},
    {"good@x, bad bad@y", "good@x", "not an address: bad bad@y"},
    {"\xc3\xa4@x", "\xc3\xa4@x", NULL},
};

Test(sendmail_recipients, adds_operands)
{
	for (size_t i = 0; i < sizeof(operands) / sizeof(operands[0]); i++) {
		struct envelope envelope;
		struct sendmail_recipients recipients;
		struct buffer complaints;
		struct error error = {0};

		envelope_init(&envelope);
		buffer_init(&complaints, 4096);
		sendmail_recipients_init(&recipients, &envelope, &complaints);
		bool ok = sendmail_recipients_add(
		    &recipients, bytes_of(operands[i].operand), &error);
		char *text = list(&envelope);
		cr_expect(ok, "%s: %s", operands[i].operand, error.text);
		cr_expect_str_eq(text, operands[i].expected, "%s: %s",
		    operands[i].operand, text);
		struct bytes rest = buffer_bytes(&complaints);
		struct bytes line = bytes_cut(&rest, '\n');
		const char *complaint = operands[i].complaint;
		cr_expect(bytes_is(line, complaint == NULL ? "" : complaint),
		    "%s: %.*s", operands[i].operand, BYTES_ARGS(line));
		cr_expect_eq(recipients.refused, complaint == NULL ? 0 : 1);
		cr_expect_eq(
		    envelope.utf8, strchr(text, '\xc3') != NULL, "%s", text);
		free(text);
		buffer_clear(&complaints);
		sendmail_recipients_clear(&recipients);
		envelope_clear(&envelope);
	}
}

static const struct {
	const char *name;
	const char *header;
	const char *expected; /* NULL: not to be understood */
} headers[] = {
    {"To, Cc and Bcc", "To: a@x\r\nCc: B <b@y>, c\r\nBcc:\r\n d@z\r\n",
	"known a@x b@y c d@z"},
    {"each once", "To: a@x, known\r\nCc: a@x\r\n", "known a@x"},
    {"no others", "From: f@x\r\nReply-To: r@x\r\nX-To: x@x\r\n", "known"},
    {"Resent fields alone", "To: a@x\r\nResent-To: b@y\r\nCc: c@z\r\n",
	"known b@y"},
    {"Resent-Bcc alone", "To: a@x\r\nResent-Bcc: b@y\r\n", "known b@y"},
    {"groups", "To: friends: a@x, b@y;, c@z\r\n", "known a@x b@y c@z"},
    {"an empty group", "To: undisclosed-recipients:;\r\n", "known"},
    {"a bad one among others", "To: a@x, b@@y, c@z\r\n", "known a@x c@z"},
    {"unbalanced quotes", "To: a@x, \"b <b@y>\r\n", NULL},
    {"nothing", "", "known"},
};

Test(sendmail_recipients, adds_those_of_the_header)
{
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct envelope envelope;
		struct sendmail_recipients recipients;
		struct buffer complaints;
		struct error error = {0};

		envelope_init(&envelope);
		buffer_init(&complaints, 4096);
		sendmail_recipients_init(&recipients, &envelope, &complaints);
		cr_assert(sendmail_recipients_add(
		    &recipients, BYTES("known"), &error));
		bool ok = sendmail_recipients_add_header(
		    &recipients, bytes_of(headers[i].header), &error);
		char *text = list(&envelope);
		cr_expect_eq(ok, headers[i].expected != NULL, "%s: %s",
		    headers[i].name, error.text);
		if (ok && headers[i].expected != NULL)
			cr_expect_str_eq(text, headers[i].expected, "%s: %s",
			    headers[i].name, text);
		free(text);
		buffer_clear(&complaints);
		sendmail_recipients_clear(&recipients);
		envelope_clear(&envelope);
	}
}

static const struct {
	const char *text;
	const char *expected; /* NULL: refused */
} senders[] = {
    {"a@x", "a@x"},
    {"ada", "ada"},
    {"", ""},
    {"<>", ""},
    {" <> ", ""},
    {"<a@x>", "a@x"},
    {"Ada <a@x>", "a@x"},
    {"a@x (Ada)", "a@x"},
    {"-OX", "-OX"},
    {"\xc3\xa4@x", "\xc3\xa4@x"},
    {"a b", NULL},
    {"a@x, b@y", NULL},
    {"a\nb", NULL},
    {"a@x\r\nRCPT TO:<b@y>", NULL},
    {"a@x> SIZE=1", NULL},
    {"Ada <>", NULL},
    {"\"a", NULL},
    {"a@", NULL},
};

Test(sendmail_recipients, sets_the_sender)
{
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		struct envelope envelope;
		struct error error = {0};

		envelope_init(&envelope);
		bool ok = sendmail_recipients_set_sender(
		    &envelope, bytes_of(senders[i].text), &error);
		cr_expect_eq(ok, senders[i].expected != NULL, "%s: %s",
		    senders[i].text, error.text);
		if (ok && senders[i].expected != NULL)
			cr_expect_str_eq(envelope.sender, senders[i].expected,
			    "%s: %s", senders[i].text, envelope.sender);
		envelope_clear(&envelope);
	}
}
