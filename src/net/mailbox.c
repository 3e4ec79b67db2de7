#include "net/mailbox.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * The lock guards first, last and is_asleep.  Whoever posts to an owner that
 * sleeps writes to wake_fd, and only the first one does.
 */
struct mailbox {
	pthread_mutex_t lock;
	struct letter *first;
	struct letter *last; /* where first is set */
	bool is_asleep;      /* the owner does not look before it is woken */
	int wake_fd;

	struct loop_watch *watch; /* NULL: a blocking mailbox */
	mailbox_fn *fn;
	void *ctx;
};

/* All that has gathered.  An owner who finds nothing is taken to be asleep
 * from now on; one who is called by a loop, anyway. */
static struct letter *
take_all(struct mailbox *mailbox, bool sleeps_anyway)
{
	pthread_mutex_lock(&mailbox->lock);
	struct letter *letters = mailbox->first;
	mailbox->first = NULL;
	mailbox->is_asleep = letters == NULL || sleeps_anyway;
	pthread_mutex_unlock(&mailbox->lock);
	return letters;
}

static void
wake(struct mailbox *mailbox)
{
	uint64_t one = 1;

	/* It fails only where the count is full, and then it wakes anyway. */
	(void)!write(mailbox->wake_fd, &one, sizeof(one));
}

static void
forget_wake(struct mailbox *mailbox)
{
	uint64_t count;

	/* Nothing to read is fine: the waker is between unlock and write. */
	(void)!read(mailbox->wake_fd, &count, sizeof(count));
}

static void
mailbox_woken(int fd, void *ctx)
{
	struct mailbox *mailbox = ctx;
	(void)fd;

	/* In this order: a letter posted in between wakes us again. */
	forget_wake(mailbox);
	struct letter *letters = take_all(mailbox, true);
	if (letters != NULL)
		mailbox->fn(letters, mailbox->ctx);
}

struct mailbox *
mailbox_new(struct loop *loop, mailbox_fn *fn, void *ctx)
{
	struct mailbox *mailbox = mailbox_new_blocking();

	mailbox->is_asleep = true;
	mailbox->fn = fn;
	mailbox->ctx = ctx;
	mailbox->watch =
	    loop_watch_readable(loop, mailbox->wake_fd, mailbox_woken, mailbox);
	return mailbox;
}

struct mailbox *
mailbox_new_blocking(void)
{
	struct mailbox *mailbox = memory_new(sizeof(*mailbox));

	pthread_mutex_init(&mailbox->lock, NULL);
	mailbox->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mailbox->wake_fd < 0) {
		perror("eventfd");
		abort();
	}
	return mailbox;
}

void
mailbox_free(struct mailbox *mailbox)
{
	if (mailbox == NULL)
		return;
	loop_watch_free(mailbox->watch);
	close(mailbox->wake_fd);
	pthread_mutex_destroy(&mailbox->lock);
	free(mailbox);
}

static struct letter *
last_of(struct letter *letter)
{
	while (letter->next != NULL)
		letter = letter->next;
	return letter;
}

void
mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
	letter->next = NULL;
	mailbox_post_list(mailbox, letter);
}

void
mailbox_post_list(struct mailbox *mailbox, struct letter *first)
{
	struct letter *last = last_of(first);

	pthread_mutex_lock(&mailbox->lock);
	if (mailbox->first == NULL)
		mailbox->first = first;
	else
		mailbox->last->next = first;
	mailbox->last = last;
	bool must_wake = mailbox->is_asleep;
	mailbox->is_asleep = false;
	pthread_mutex_unlock(&mailbox->lock);

	if (must_wake)
		wake(mailbox);
}

/* False when deadline has passed. */
static bool
sleep_until(struct mailbox *mailbox, int64_t deadline)
{
	struct pollfd wake_up = {.fd = mailbox->wake_fd, .events = POLLIN};
	int wait_ms = -1;

	if (deadline != CLOCK_NEVER) {
		int64_t left_ms = deadline - clock_now().mono_ms;
		wait_ms = left_ms > 0 ? (int)left_ms : 0;
	}
	int count = poll(&wake_up, 1, wait_ms);
	if (count > 0)
		forget_wake(mailbox);
	/* After a signal the caller looks and comes back. */
	return count != 0;
}

struct letter *
mailbox_wait(struct mailbox *mailbox, int timeout_ms)
{
	assert(mailbox->watch == NULL);
	int64_t deadline = CLOCK_NEVER;

	if (timeout_ms >= 0)
		deadline = clock_now().mono_ms + timeout_ms;
	for (;;) {
		struct letter *letters = take_all(mailbox, false);
		if (letters != NULL)
			return letters;
		if (!sleep_until(mailbox, deadline))
			return take_all(mailbox, false);
	}
}
