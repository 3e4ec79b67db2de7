#include "daemon/large_writer.h"

#include "base/memory.h"
#include "daemon/thread.h"

#include <pthread.h>
#include <stdlib.h>

struct large_writer {
	const struct journal *journal; /* borrowed */
	struct mailbox *inbox;         /* borrowed: where commits go on to */
	struct mailbox *waiting;
	struct letter stop; /* posted at the end */
	pthread_t thread;
};

static void
write_out(struct large_writer *writer, struct commit *commit)
{
	commit->is_refused = !journal_write_out(
	    writer->journal, &commit->unit, &commit->unit.error);
	mailbox_post(writer->inbox, &commit->letter);
}

static void *
large_writer_main(void *ctx)
{
	struct large_writer *writer = ctx;

	for (;;) {
		struct letter *letter = mailbox_wait(writer->waiting, -1);
		while (letter != NULL) {
			struct letter *next = letter->next;
			if (letter == &writer->stop)
				return NULL; /* the last one */
			write_out(writer, (struct commit *)(void *)letter);
			letter = next;
		}
	}
}

bool
large_writer_new(const struct journal *journal, struct mailbox *inbox,
    struct large_writer **out_writer, struct error *error)
{
	struct large_writer *writer = memory_new(sizeof(*writer));

	writer->journal = journal;
	writer->inbox = inbox;
	writer->waiting = mailbox_new_blocking();
	if (!thread_start(&writer->thread, large_writer_main, writer,
		"the large writer's thread", error)) {
		mailbox_free(writer->waiting);
		free(writer);
		return false;
	}
	*out_writer = writer;
	return true;
}

void
large_writer_post(struct large_writer *writer, struct commit *commit)
{
	mailbox_post(writer->waiting, &commit->letter);
}

void
large_writer_free(struct large_writer *writer)
{
	if (writer == NULL)
		return;
	mailbox_post(writer->waiting, &writer->stop);
	(void)pthread_join(writer->thread, NULL); /* our own, joined once */
	mailbox_free(writer->waiting);
	free(writer);
}
