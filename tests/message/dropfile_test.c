#include "lib/watched.h"
#include "message/dropfile.h"
#include "message/header.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The envelope as text: "<sender> BODY RET ENVID utf8 -> <recipient> NOTIFY
 * ORCPT", as far as there. */
static void
print(struct buffer *output, const struct envelope *envelope)
{
	static const char *const bodies[] = {"", " 7bit", " 8bit", " binary"};
	static const char *const rets[] = {"", " full", " headers"};

	buffer_printf(output, "<%s>%s%s%s%s%s%s", envelope->sender,
	    bodies[envelope->body], rets[envelope->ret],
	    envelope->id == NULL ? "" : " ",
	    envelope->id == NULL ? "" : envelope->id,
	    envelope->utf8 ? " utf8" : "", envelope->require_tls ? " tls" : "");
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		const struct recipient *recipient = &envelope->recipients[i];
		buffer_printf(output, " -> <%s>", recipient->address);
		if (recipient->notify != 0)
			buffer_printf(output, " %u", recipient->notify);
		if (recipient->original != NULL)
			buffer_printf(output, " %s", recipient->original);
	}
}

#define LF_HEADER "To: a@b\nSubject: x\n\nbody\n"

static const struct row {
	const char *name;
	const char *content;
	const char *expected; /* the envelope; "!" and words: refused so */
	const char *from;     /* where the message begins */
} rows[] = {
    {"plain", "To: a@b\r\nCc: c@d\r\nBcc: e@f\r\n\r\nbody\r\n",
	"<> -> <a@b> -> <c@d> -> <e@f>", NULL},
    {"LF", LF_HEADER, "<> -> <a@b>", NULL},
    {"header only", "To: a@b", "<> -> <a@b>", NULL},
    {"many fields of a name", "To: a@b\nTo: c@d, e@f\n\n",
	"<> -> <a@b> -> <c@d> -> <e@f>", NULL},
    {"the same twice", "To: a@b, A <a@b>\nCc: a@b\n\n", "<> -> <a@b>", NULL},
    {"resent", "To: a@b\nResent-To: c@d\nResent-Bcc: e@f\n\n",
	"<> -> <c@d> -> <e@f>", NULL},
    {"resent to nobody", "To: a@b\nResent-Cc:\n\n", "!no recipients", NULL},
    {"names, groups, comments, folds",
	"To: \"Doe, J\" <a@b>,\n g: c (x) @ d, <@y:e@f>;\n\n",
	"<> -> <a@b> -> <c@d> -> <e@f>", NULL},
    {"bare", "To: root\n\n", "<> -> <root>", NULL},
    {"UTF-8", "To: k\xc3\xb6tt@b\n\n", "<> utf8 -> <k\xc3\xb6tt@b>", NULL},
    {"mbox line", "From x Mon Nov 23 05:52:00 2026\n" LF_HEADER, "<> -> <a@b>",
	LF_HEADER},
    {"mbox line only", "From x", "!no recipients", NULL},
    {"nothing", "", "!no recipients", NULL},
    {"no recipient", "Subject: x\n\nTo: a@b\n", "!no recipients", NULL},
    {"undisclosed", "To: undisclosed-recipients:;\n\n", "!no recipients", NULL},
    {"no address", "To: John Doe\n\n", "!To: not an address: John Doe", NULL},
    {"empty address", "Cc: a@b, <>\n\n", "!Cc: empty address", NULL},
    {"open quote", "To: \"a, b@c\n\n", "!To: unbalanced", NULL},
    {"nested too deep",
	"To: "
	"(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
	"((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
	"\n\n",
	"!To: unbalanced", NULL},
    {"control characters", "To: a\001@b\n\n", "!To: not an address: a?@b",
	NULL},
    {"a lone CR", "To: a@b\rc@d\n\n", "!To: not an address", NULL},
    {"not UTF-8", "To: \xff@b\n\n", "!To: not an address: ?@b", NULL},
    {"X-Receiver in the header", "To: a@b\nX-Receiver: c@d\n\n", "<> -> <a@b>",
	NULL},
    {"X-Sender alone", "X-Sender: x@y\nTo: a@b\n\n", "<> -> <a@b>", NULL},
    {"envelope",
	"X-Sender: a@x BODY=8BITMIME RET=HDRS ENVID=e1 AUTH=<>\r\n"
	"X-Receiver: b@y NOTIFY=FAILURE,DELAY ORCPT=rfc822;b@y\r\n"
	"X-Receiver: c@y\r\nTo: d@e\r\n\r\n",
	"<a@x> 8bit headers e1 -> <b@y> 12 rfc822;b@y -> <c@y>",
	"To: d@e\r\n\r\n"},
    {"envelope without case, in brackets, folded",
	"x-sender: <a@x>\r\n BODY=7BIT\r\nX-RECEIVER:<b@y>\r\n\r\n",
	"<a@x> 7bit -> <b@y>", "\r\n"},
    {"envelope and nothing else", "X-Receiver: b@y", "<> -> <b@y>", ""},
    {"null sender", "X-Sender: <>\nX-Receiver: b@y\nA: b\n", "<> -> <b@y>",
	"A: b\n"},
    {"empty sender", "X-Sender:\nX-Receiver: b@y\nA: b\n", "<> -> <b@y>",
	"A: b\n"},
    {"receivers first", "X-Receiver: b@y\nX-Sender: a@x\nA: b\n",
	"<a@x> -> <b@y>", "A: b\n"},
    {"quoted local part", "X-Sender: \"a b\"@x RET=FULL\nX-Receiver: b@y\n",
	"<\"a b\"@x> full -> <b@y>", ""},
    {"SMTPUTF8 and TLS", "X-Sender: a@x SMTPUTF8 REQUIRETLS\nX-Receiver: b@y\n",
	"<a@x> utf8 tls -> <b@y>", ""},
    {"a UTF-8 receiver", "X-Sender: a@x\nX-Receiver: k\xc3\xb6@y\n",
	"<a@x> utf8 -> <k\xc3\xb6@y>", ""},
    {"two senders", "X-Sender: a@x\nX-Sender: b@x\nX-Receiver: b@y\n",
	"!line 2: more than one X-Sender", NULL},
    {"empty receiver", "X-Receiver: <>\n", "!line 1: X-Receiver: no address",
	NULL},
    {"bad receiver", "X-Receiver: a b\n", "!line 1: X-Receiver", NULL},
    {"open bracket", "X-Receiver: <a@b\n",
	"!line 1: X-Receiver: not an address", NULL},
    {"unknown parameter", "X-Receiver: a@b X=Y\n", "!line 1: X-Receiver", NULL},
    {"bad parameter", "X-Sender: a@b RET=HALF\nX-Receiver: a@b\n",
	"!line 1: X-Sender", NULL},
    {"a control character in ORCPT", "X-Receiver: a@b ORCPT=rfc822;a+0D+0Ab\n",
	"!line 1: X-Receiver", NULL},
    {"a lone CR in the envelope", "X-Receiver: a@b\rX-Receiver: c@d\n",
	"!line 1: control character", NULL},
};

static void
check(const struct row *row)
{
	struct envelope envelope;
	struct dropfile dropfile = {.content_from = 42};
	struct error error = {0};
	struct buffer output;
	struct bytes content = bytes_of(row->content);

	envelope_init(&envelope);
	buffer_init(&output, 10000);
	bool ok = dropfile_read(content, &envelope, &dropfile, &error);
	if (row->expected[0] == '!') {
		cr_expect_not(ok, "%s", row->name);
		cr_expect_eq(error.kind, ERROR_DATA);
		cr_expect_eq(dropfile.content_from, 42);
		cr_expect(bytes_has_prefix(
			      bytes_of(error_text(&error)), row->expected + 1),
		    "%s: %s", row->name, error_text(&error));
		cr_expect(!bytes_has_control(bytes_of(error_text(&error))));
	} else {
		cr_expect(ok, "%s: %s", row->name, error_text(&error));
		print(&output, &envelope);
		cr_expect(bytes_is(buffer_bytes(&output), row->expected),
		    "%s: %.*s", row->name, BYTES_ARGS(buffer_bytes(&output)));
		cr_expect(bytes_is(bytes_from(content, dropfile.content_from),
			      row->from == NULL ? row->content : row->from),
		    "%s: from %zu", row->name, dropfile.content_from);
	}
	buffer_clear(&output);
	envelope_clear(&envelope);
}

Test(dropfile, reads_the_envelope)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

Test(dropfile, tells_who_is_meant)
{
	static const struct {
		const char *content;
		bool has_envelope, has_sender;
	} table[] = {
	    {"To: a@b\n\n", false, false},
	    {"X-Sender: x@y\nTo: a@b\n\n", false, false},
	    {"X-Receiver: x@y\n", true, false},
	    {"X-Sender: <>\nX-Receiver: x@y\n", true, true},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct envelope envelope;
		struct dropfile dropfile;
		struct error error = {0};
		envelope_init(&envelope);
		cr_assert(dropfile_read(
		    bytes_of(table[i].content), &envelope, &dropfile, &error));
		cr_expect_eq(dropfile.has_envelope, table[i].has_envelope);
		cr_expect_eq(dropfile.has_sender, table[i].has_sender);
		envelope_clear(&envelope);
	}
}

Test(dropfile, refuses_a_header_it_cannot_see_the_end_of)
{
	struct buffer content;
	struct envelope envelope;
	struct dropfile dropfile;
	struct error error = {0};

	buffer_init(&content, SIZE_MAX);
	envelope_init(&envelope);
	buffer_append_text(&content, "To: a@b\n");
	while (content.len < HEADER_SIZE_MAX)
		buffer_append_text(&content, "X: y\n");
	buffer_append_text(&content, "Bcc: c@d\n\n");
	cr_expect_not(dropfile_read(
	    buffer_bytes(&content), &envelope, &dropfile, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	envelope_clear(&envelope);
	buffer_clear(&content);
}

Test(dropfile, adds_recipients_to_those_there)
{
	struct envelope envelope;
	struct error error = {0};

	envelope_init(&envelope);
	envelope_add_recipient(&envelope, BYTES("a@b"));
	cr_assert(dropfile_header_recipients(
	    BYTES("To: c@d, a@b\nBcc: e@f\n"), &envelope, &error));
	cr_expect_eq(envelope.recipient_count, 3);
	cr_expect(dropfile_header_recipients(
	    BYTES("Subject: x\n"), &envelope, &error));
	cr_expect_eq(envelope.recipient_count, 3);
	envelope_clear(&envelope);
}

Test(dropfile, strips_what_must_not_leave)
{
	static const struct {
		const char *header, *expected;
	} table[] = {
	    {"", ""},
	    {"To: a\r\nBcc: b,\r\n c\r\nCc: d\r\n", "To: a\r\nCc: d\r\n"},
	    {"BCC : b\nresent-bcc: c\nReturn-Path: <d>\nX-Bcc: e\n",
		"X-Bcc: e\n"},
	    {"From x Mon\nTo: a\n", "To: a\n"},
	    {"From: x\nTo: a\n", "From: x\nTo: a\n"},
	    {"Bcc: a", ""},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct buffer buffer;
		buffer_init(&buffer, 1000);
		dropfile_strip(&buffer, bytes_of(table[i].header));
		cr_expect(bytes_is(buffer_bytes(&buffer), table[i].expected),
		    "%zu: %.*s", i, BYTES_ARGS(buffer_bytes(&buffer)));
		buffer_clear(&buffer);
	}
}

Test(dropfile, takes_many_recipients_in_linear_time, .timeout = 60)
{
	struct buffer content;
	struct envelope envelope;
	struct error error = {0};

	buffer_init(&content, SIZE_MAX);
	envelope_init(&envelope);
	buffer_append_text(&content, "To: x@y");
	for (int i = 0; i < 500000; i++)
		buffer_printf(&content, ",u%d@y", i % 250000);
	clock_t start = clock();
	cr_expect(dropfile_header_recipients(
	    buffer_bytes(&content), &envelope, &error));
	double seconds = seconds_since(start);
	cr_expect_eq(envelope.recipient_count, 250001);
	cr_expect_lt(seconds, 2.0, "%.1f s", seconds);
	envelope_clear(&envelope);
	buffer_clear(&content);
}
