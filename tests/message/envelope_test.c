#include "base/memory.h"
#include "message/envelope.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

Test(envelope, begins_as_the_null_sender_to_nobody)
{
	struct envelope envelope;

	envelope_init(&envelope);
	cr_expect(envelope_is_null_sender(&envelope));
	cr_expect_eq(envelope.recipient_count, 0);
	cr_expect_eq(envelope.uid, UID_UNKNOWN);
	cr_expect_null(envelope.id);
	envelope_clear(&envelope);
}

Test(envelope, keeps_copies)
{
	struct envelope envelope;
	char text[] = "a@x.example";

	envelope_init(&envelope);
	envelope_set_sender(&envelope, bytes_of(text));
	text[0] = 'b';
	cr_expect_str_eq(envelope.sender, "a@x.example");
	cr_expect_not(envelope_is_null_sender(&envelope));
	/* A view of the sender itself. */
	envelope_set_sender(
	    &envelope, bytes_from(bytes_of(envelope.sender), 2));
	cr_expect_str_eq(envelope.sender, "x.example");
	envelope_clear(&envelope);
	envelope_clear(&envelope);
}

Test(envelope, holds_many_recipients)
{
	struct envelope envelope;
	char text[32];

	envelope_init(&envelope);
	envelope.id = memory_copy_text("e1");
	envelope.client = memory_copy_text("pid 1");
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "u%u@x.example", i);
		struct recipient *recipient =
		    envelope_add_recipient(&envelope, bytes_of(text));
		cr_assert_str_eq(recipient->address, text);
		cr_assert_null(recipient->original);
		cr_assert_eq(recipient->notify, 0);
		recipient->original = memory_copy_text("rfc822;u");
		recipient->notify = i;
	}
	cr_expect_eq(envelope.recipient_count, 1000);
	cr_expect_str_eq(envelope.recipients[777].address, "u777@x.example");
	cr_expect_eq(envelope.recipients[777].notify, 777);
	envelope_clear(&envelope);
}

Test(envelope, refuses_a_line_end_in_a_sender, .signal = SIGABRT)
{
	struct envelope envelope;

	envelope_init(&envelope);
	envelope_set_sender(&envelope, BYTES("a@b>\r\nRCPT TO:<c@d"));
}

Test(envelope, refuses_a_nul_in_a_recipient, .signal = SIGABRT)
{
	struct envelope envelope;

	envelope_init(&envelope);
	envelope_add_recipient(&envelope, BYTES("a\0@b"));
}
