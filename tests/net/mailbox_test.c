#include "base/clock.h"
#include "base/memory.h"
#include "lib/loop_until.h"
#include "net/mailbox.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define SENDERS 8
#define LETTERS 20000

struct note {
	struct letter letter; /* first */
	int sender;
	int number;
};

struct receiver {
	int next[SENDERS]; /* number expected of each */
	long received;
	long lists;
	long wanted;
	bool is_out_of_order;
	bool is_done;
};

static void
receive(struct letter *letters, void *ctx)
{
	struct receiver *receiver = ctx;

	cr_assert_not_null(letters);
	receiver->lists++;
	while (letters != NULL) {
		struct note *note = (struct note *)letters;
		letters = letters->next;
		if (note->number != receiver->next[note->sender]++)
			receiver->is_out_of_order = true;
		receiver->received++;
		free(note);
	}
	receiver->is_done = receiver->received >= receiver->wanted;
}

static struct note *
note_new(int sender, int number)
{
	struct note *note = memory_new(sizeof(*note));

	note->sender = sender;
	note->number = number;
	return note;
}

struct sender {
	pthread_t thread;
	struct mailbox *mailbox;
	int sender;
	bool is_odd; /* sends lists of three, now and then */
};

static void *
send_all(void *ctx)
{
	struct sender *sender = ctx;

	for (int i = 0; i < LETTERS;) {
		struct note *note = note_new(sender->sender, i++);
		if (!sender->is_odd || i + 2 > LETTERS) {
			mailbox_post(sender->mailbox, &note->letter);
			continue;
		}
		struct note *second = note_new(sender->sender, i++);
		struct note *third = note_new(sender->sender, i++);
		note->letter.next = &second->letter;
		second->letter.next = &third->letter;
		mailbox_post_list(sender->mailbox, &note->letter);
	}
	return NULL;
}

static void
start_senders(struct sender *senders, struct mailbox *mailbox)
{
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){
		    .mailbox = mailbox, .sender = i, .is_odd = i % 2 == 1};
		cr_assert_eq(pthread_create(&senders[i].thread, NULL, send_all,
				 &senders[i]),
		    0);
	}
}

static void
join_senders(struct sender *senders)
{
	for (int i = 0; i < SENDERS; i++)
		pthread_join(senders[i].thread, NULL);
}

Test(mailbox, hands_over_all_letters_of_eight_threads_in_order)
{
	struct loop *loop = loop_new();
	struct receiver receiver = {.wanted = (long)SENDERS * LETTERS};
	struct mailbox *mailbox = mailbox_new(loop, receive, &receiver);
	struct sender senders[SENDERS];

	start_senders(senders, mailbox);
	loop_until_set(loop, &receiver.is_done);
	join_senders(senders);
	loop_until_quiet(loop);
	cr_expect_eq(receiver.received, (long)SENDERS * LETTERS);
	cr_expect_not(receiver.is_out_of_order);
	cr_expect_leq(receiver.lists, receiver.received);
	mailbox_free(mailbox);
	loop_free(loop);
}

Test(mailbox, blocking_takes_all_letters_of_eight_threads_in_order)
{
	struct mailbox *mailbox = mailbox_new_blocking();
	struct receiver receiver = {.wanted = (long)SENDERS * LETTERS};
	struct sender senders[SENDERS];

	start_senders(senders, mailbox);
	while (!receiver.is_done) {
		struct letter *letters = mailbox_wait(mailbox, 20000);
		cr_assert_not_null(letters);
		receive(letters, &receiver);
	}
	join_senders(senders);
	cr_expect_not(receiver.is_out_of_order);
	cr_expect_null(mailbox_wait(mailbox, 0));
	mailbox_free(mailbox);
}

Test(mailbox, hands_over_what_gathers_in_one_list)
{
	struct loop *loop = loop_new();
	struct receiver receiver = {.wanted = 5};
	struct mailbox *mailbox = mailbox_new(loop, receive, &receiver);

	for (int i = 0; i < 5; i++)
		mailbox_post(mailbox, &note_new(0, i)->letter);
	cr_expect_eq(receiver.received, 0);
	loop_until_set(loop, &receiver.is_done);
	cr_expect_eq(receiver.lists, 1);
	cr_expect_not(receiver.is_out_of_order);
	mailbox_free(mailbox);
	loop_free(loop);
}

Test(mailbox, blocking_gives_up_after_its_time)
{
	struct mailbox *mailbox = mailbox_new_blocking();
	int64_t before = clock_now().mono_ms;

	cr_expect_null(mailbox_wait(mailbox, 20));
	cr_expect_geq(clock_now().mono_ms, before + 20);
	mailbox_post(mailbox, &note_new(0, 0)->letter);
	struct letter *letters = mailbox_wait(mailbox, 0);
	cr_assert_not_null(letters);
	free(letters);
	cr_expect_null(mailbox_wait(mailbox, 1));
	mailbox_free(mailbox);
	mailbox_free(NULL);
}

struct ping_pong {
	struct mailbox *ping;
	struct mailbox *pong;
};

static void *
answer(void *ctx)
{
	struct ping_pong *ping_pong = ctx;

	for (int i = 0; i < 2000; i++)
		mailbox_post(
		    ping_pong->pong, mailbox_wait(ping_pong->ping, -1));
	return NULL;
}

Test(mailbox, never_sleeps_over_a_letter)
{
	struct ping_pong ping_pong = {
	    mailbox_new_blocking(), mailbox_new_blocking()};
	struct note note = {.number = 0};
	pthread_t thread;

	pthread_create(&thread, NULL, answer, &ping_pong);
	for (int i = 0; i < 2000; i++) {
		mailbox_post(ping_pong.ping, &note.letter);
		cr_assert_eq(mailbox_wait(ping_pong.pong, 20000), &note.letter);
	}
	pthread_join(thread, NULL);
	mailbox_free(ping_pong.ping);
	mailbox_free(ping_pong.pong);
}

static void
ignore(int number)
{
	(void)number;
}

struct interrupter {
	pthread_t target;
	struct mailbox *mailbox;
	struct note note;
};

static void *
interrupt_then_post(void *ctx)
{
	struct interrupter *interrupter = ctx;

	for (int i = 0; i < 50; i++)
		pthread_kill(interrupter->target, SIGUSR1);
	mailbox_post(interrupter->mailbox, &interrupter->note.letter);
	return NULL;
}

Test(mailbox, waits_on_after_a_signal)
{
	struct interrupter interrupter = {
	    .target = pthread_self(), .mailbox = mailbox_new_blocking()};
	struct sigaction action = {.sa_handler = ignore};
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&thread, NULL, interrupt_then_post, &interrupter);
	cr_expect_eq(
	    mailbox_wait(interrupter.mailbox, 20000), &interrupter.note.letter);
	pthread_join(thread, NULL);
	mailbox_free(interrupter.mailbox);
}
