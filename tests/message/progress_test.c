#include "message/progress.h"

#include <criterion/criterion.h>
#include <string.h>

Test(progress, begins_with_all_waiting)
{
	struct progress progress;

	progress_init(&progress, 3);
	cr_expect_eq(progress_count(&progress, RECIPIENT_WAITING), 3);
	cr_expect_not(progress_is_finished(&progress));
	cr_expect_eq(progress.attempts, 0);
	cr_expect_null(progress.recipients[2].reason);
	progress_clear(&progress);
	progress_clear(&progress);
}

Test(progress, counts_states)
{
	struct progress progress;

	progress_init(&progress, 3);
	progress_set(&progress, 0, RECIPIENT_DELIVERED, BYTES("2.0.0"),
	    BYTES("250 ok"), BYTES("main"));
	progress_set(&progress, 2, RECIPIENT_FAILED, BYTES("5.1.1"),
	    BYTES("550 no"), BYTES("main"));
	cr_expect_eq(progress_count(&progress, RECIPIENT_WAITING), 1);
	cr_expect_eq(progress_count(&progress, RECIPIENT_DELIVERED), 1);
	cr_expect_eq(progress_count(&progress, RECIPIENT_FAILED), 1);
	cr_expect_not(progress_is_finished(&progress));
	progress_set(&progress, 1, RECIPIENT_DELIVERED, BYTES_NONE, BYTES_NONE,
	    BYTES_NONE);
	cr_expect(progress_is_finished(&progress));
	cr_expect_null(progress.recipients[1].status);
	progress_clear(&progress);
}

Test(progress, makes_texts_one_line_and_short)
{
	struct progress progress;
	char text[3000];

	memset(text, 'x', sizeof(text));
	progress_init(&progress, 1);
	progress_set(&progress, 0, RECIPIENT_WAITING, BYTES("4.2.0"),
	    BYTES("450 later\n450 \x1b[1m\xff"),
	    bytes_make(text, sizeof(text)));
	cr_expect_str_eq(progress.recipients[0].reason, "450 later 450 ?[1m?");
	cr_expect_eq(strlen(progress.recipients[0].upstream), 1024);
	/* From its own text. */
	progress_set(&progress, 0, RECIPIENT_FAILED,
	    bytes_of(progress.recipients[0].status),
	    bytes_first(bytes_of(progress.recipients[0].reason), 9),
	    BYTES_NONE);
	cr_expect_str_eq(progress.recipients[0].status, "4.2.0");
	cr_expect_str_eq(progress.recipients[0].reason, "450 later");
	progress_clear(&progress);
}

Test(progress, copies_deeply)
{
	struct progress from;
	struct progress to;

	progress_init(&from, 2);
	progress_init(&to, 5);
	from.attempts = 7;
	from.held = true;
	from.next_at = 99;
	progress_set(&from, 1, RECIPIENT_FAILED, BYTES("5.0.0"), BYTES("no"),
	    BYTES("main"));
	progress_copy(&to, &from);
	progress_clear(&from);
	cr_expect_eq(to.recipient_count, 2);
	cr_expect_eq(to.attempts, 7);
	cr_expect_eq(to.next_at, 99);
	cr_expect(to.held);
	cr_expect_eq(to.recipients[1].state, RECIPIENT_FAILED);
	cr_expect_str_eq(to.recipients[1].reason, "no");
	cr_expect_null(to.recipients[0].reason);
	progress_clear(&to);
}

Test(progress, of_nobody_is_finished)
{
	struct progress progress;

	progress_init(&progress, 0);
	cr_expect(progress_is_finished(&progress));
	progress_clear(&progress);
}
