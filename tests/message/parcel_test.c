#include "base/memory.h"
#include "message/parcel.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTENT "Subject: x\r\n\r\nbody\r\n.\r\nend"

/* ---- there and back ---- */

static struct message *
new_message(void)
{
	struct message *message = message_new();
	struct envelope *envelope = &message->envelope;

	message->id = 1234567890123456;
	message->check = UINT64_C(0x0123456789abcdef);
	envelope->arrived_at = 1763877120123;
	body_set(&message->body, BYTES(CONTENT));
	return message;
}

static void
add(struct message *message, const char *address, unsigned notify,
    const char *original)
{
	struct recipient *recipient =
	    envelope_add_recipient(&message->envelope, bytes_of(address));

	recipient->notify = notify;
	if (original != NULL)
		recipient->original = memory_copy_text(original);
}

static void
begin_progress(struct message *message)
{
	progress_clear(&message->progress);
	progress_init(&message->progress, message->envelope.recipient_count);
}

static void
write_file(struct buffer *file, const struct message *message)
{
	buffer_init(file, SIZE_MAX);
	parcel_write(file, message);
	buffer_append(file, BYTES(CONTENT));
}

Test(parcel, keeps_all_of_a_message)
{
	struct message *message = new_message();
	struct envelope *envelope = &message->envelope;
	struct envelope read;
	struct parcel parcel;
	struct error error;
	struct buffer file;

	envelope_set_sender(envelope, BYTES("\"a b>\"@x.example"));
	envelope->id = memory_copy_text("e+2B1");
	envelope->ret = MAIL_RETURN_HEADERS;
	envelope->body = MAIL_BODY_8BITMIME;
	envelope->utf8 = true;
	envelope->require_tls = true;
	add(message, "b@y.example", NOTIFY_FAILURE | NOTIFY_DELAY,
	    "rfc822;b+40y@z.example");
	add(message, "k\xc3\xb6@y.example", NOTIFY_NEVER, NULL);
	add(message, "c@[192.0.2.1]", 0, NULL);
	begin_progress(message);
	message->progress.held = true;
	write_file(&file, message);

	envelope_init(&read);
	cr_assert(parcel_read(buffer_bytes(&file), &read, &parcel, &error),
	    "%s\n%.*s", error_text(&error), BYTES_ARGS(buffer_bytes(&file)));
	cr_expect_str_eq(read.sender, envelope->sender);
	cr_expect_str_eq(read.id, "e+2B1");
	cr_expect_eq(read.ret, MAIL_RETURN_HEADERS);
	cr_expect_eq(read.body, MAIL_BODY_8BITMIME);
	cr_expect(read.utf8 && read.require_tls);
	cr_assert_eq(read.recipient_count, 3);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_str_eq(read.recipients[i].address,
		    envelope->recipients[i].address);
		cr_expect_eq(
		    read.recipients[i].notify, envelope->recipients[i].notify);
	}
	cr_expect_str_eq(read.recipients[0].original, "rfc822;b+40y@z.example");
	cr_expect_eq(parcel.id, message->id);
	cr_expect_eq(parcel.arrived_at, 1763877120123);
	cr_expect_eq(parcel.check, UINT64_C(0x0123456789abcdef));
	cr_expect(parcel.is_held);
	cr_expect(bytes_is(
	    bytes_from(buffer_bytes(&file), parcel.content_from), CONTENT));
	envelope_clear(&read);
	message_free(message);
	buffer_clear(&file);
}

Test(parcel, leaves_out_who_waits_no_more)
{
	struct message *message = new_message();
	struct buffer file;

	envelope_set_sender(&message->envelope, BYTES_NONE);
	add(message, "a@x.example", 0, NULL);
	add(message, "b@x.example", 0, NULL);
	add(message, "c@x.example", 0, NULL);
	begin_progress(message);
	progress_set(&message->progress, 0, RECIPIENT_DELIVERED, BYTES("2.0.0"),
	    BYTES("ok"), BYTES("main"));
	progress_set(&message->progress, 2, RECIPIENT_FAILED, BYTES("5.1.1"),
	    BYTES("no"), BYTES("main"));
	buffer_init(&file, SIZE_MAX);
	parcel_write(&file, message);
	cr_expect(bytes_has_prefix(buffer_bytes(&file),
	    "X-Sender: <>\r\nX-Receiver: <b@x.example>\r\nX-Postrider: id="));
	message_free(message);
	buffer_clear(&file);
}

Test(parcel, has_as_many_recipients_as_there_are)
{
	struct message *message = new_message();
	struct envelope read;
	struct parcel parcel;
	struct error error;
	struct buffer file;
	char address[64];

	envelope_set_sender(&message->envelope, BYTES("a@x.example"));
	for (int i = 0; i < 20000; i++) {
		(void)snprintf(
		    address, sizeof(address), "recipient-%d@y.example", i);
		add(message, address, NOTIFY_NEVER, NULL);
	}
	begin_progress(message);
	write_file(&file, message);
	envelope_init(&read);
	cr_assert(parcel_read(buffer_bytes(&file), &read, &parcel, &error),
	    "%s", error_text(&error));
	cr_expect_eq(read.recipient_count, 20000);
	envelope_clear(&read);
	message_free(message);
	buffer_clear(&file);
}

/* ---- what is refused ---- */

#define GOOD "id=4bXkzM2wQ1t arrived=1 size=2 check=0123456789abcdef"

static const struct {
	const char *name;
	const char *file;
	const char *reason; /* "": taken */
} rows[] = {
    {"good", "X-Receiver: <a@b>\r\nX-Postrider: " GOOD "\r\nhi", ""},
    {"LF, and words that are new",
	"X-Sender: <>\nX-Receiver: a@b\nX-Postrider: new=1 " GOOD " more\nhi",
	""},
    {"nothing", "", "line 1: there is no X-Receiver"},
    {"a plain message", "To: a@b\n\nhi", "line 1: there is no X-Receiver"},
    {"a drop file", "X-Receiver: a@b\nTo: a@b\n\nhi",
	"line 2: there is no X-Postrider line"},
    {"a drop file and nothing else", "X-Receiver: a@b\n",
	"line 2: there is no X-Postrider line"},
    {"no recipient", "X-Sender: a@b\nX-Postrider: " GOOD "\nhi",
	"line 1: there is no X-Receiver"},
    {"bad recipient",
	"X-Sender: <>\nX-Receiver: <a b>\nX-Postrider: " GOOD "\nhi",
	"line 2: X-Receiver: not an address"},
    {"cut", "X-Receiver: a@b\nX-Postrider: " GOOD "\nh",
	"it has 1 octets of content, and should have 2"},
    {"cut in the line", "X-Receiver: a@b\nX-Postrider: id=4bXkzM2wQ1t arr",
	"line 2: X-Postrider: arrived is missing"},
    {"longer", "X-Receiver: a@b\nX-Postrider: " GOOD "\nhi\n",
	"it has 3 octets of content"},
    {"no size",
	"X-Receiver: a@b\nX-Postrider: id=4bXkzM2wQ1t arrived=1 "
	"check=0123456789abcdef\nhi",
	"line 2: X-Postrider: size is missing"},
    {"no check",
	"X-Receiver: a@b\nX-Postrider: id=4bXkzM2wQ1t arrived=1 size=2\nhi",
	"line 2: X-Postrider: check is missing"},
    {"bad check",
	"X-Receiver: a@b\nX-Postrider: id=4bXkzM2wQ1t arrived=1 size=2 "
	"check=0123456789ABCDEF\nhi",
	"line 2: X-Postrider: no check"},
    {"bad size",
	"X-Receiver: a@b\nX-Postrider: id=4bXkzM2wQ1t arrived=1 size=-2 "
	"check=0123456789abcdef\nhi",
	"line 2: X-Postrider: no size"},
    {"bad id", "X-Receiver: a@b\nX-Postrider: id=aei size=2\nhi",
	"line 2: X-Postrider: no id"},
};

Test(parcel, refuses_with_line_and_reason)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct envelope envelope;
		struct parcel parcel;
		struct error error = {.kind = ERROR_NONE};

		envelope_init(&envelope);
		bool taken = parcel_read(
		    bytes_of(rows[i].file), &envelope, &parcel, &error);
		cr_expect_eq(taken, rows[i].reason[0] == '\0', "%s: %s",
		    rows[i].name, error_text(&error));
		cr_expect(taken || error.kind == ERROR_DATA);
		cr_expect(bytes_has_prefix(
			      bytes_of(error_text(&error)), rows[i].reason),
		    "%s: %s", rows[i].name, error_text(&error));
		envelope_clear(&envelope);
	}
}
