/* The asynchronous face, on an event base of the test's own. */
#include "lib/library_scene.h"
#include "lib/loop_until.h"

#include <event2/event.h>
#include <stdio.h>

struct guest {
	struct event_base *base;
	struct smtp *session;
	struct script_server *server;
	int err;
	int calls;
	bool frees;
	int64_t left;
};

static void
done(struct smtp *session, int err, void *arg)
{
	struct guest *guest = arg;

	guest->err = err;
	guest->calls++;
	if (guest->frees) {
		smtp_free(session);
		guest->session = NULL;
	}
	event_base_loopbreak(guest->base);
}

static void
guest_init(struct guest *guest, const char *script)
{
	*guest = (struct guest){.base = event_base_new(), .err = 1};
	guest->server = script_server_new(script, NULL);
	guest->session = smtp_new_in(guest->base, NULL);
}

static void
guest_clear(struct guest *guest)
{
	smtp_free(guest->session);
	script_server_free(guest->server);
	event_base_free(guest->base);
}

/* The result of a call that was begun. */
static int
wait_for(struct guest *guest, int begun)
{
	const int calls = guest->calls;

	cr_assert_eq(begun, SMTP_OK);
	cr_expect_eq(guest->calls, calls); /* never at once */
	event_base_dispatch(guest->base);
	cr_expect_eq(guest->calls, calls + 1);
	return guest->err;
}

static int64_t
read_some(void *arg, void *buf, size_t cap)
{
	struct guest *guest = arg;
	const int64_t len =
	    guest->left < (int64_t)cap ? guest->left : (int64_t)cap;

	for (int64_t i = 0; i < len; i++)
		((char *)buf)[i] = (guest->left - i) % 64 == 1 ? '\n' : 'x';
	guest->left -= len;
	return len;
}

#define SESSION                                                                \
	GREETING "C:noop\nS:250 ok\n" EHLO "C:mail from:<x@y>\nS:250 ok\n"     \
		 "C:rcpt to:<a@y>\nS:250 ok\nC:data\nS:354 go\nD\nS:250 ok\n"  \
		 "C:rset\nS:250 ok\nC:quit\nS:221 bye\n"

Test(async, does_what_the_blocking_face_does)
{
	static const char *const to[] = {"a@y", NULL};
	struct guest guest;

	guest_init(&guest, SESSION);
	struct smtp *session = guest.session;
	cr_expect_eq(
	    wait_for(&guest,
		smtp_connect_async(session, script_server_host(guest.server),
		    NULL, done, &guest)),
	    SMTP_OK);
	cr_expect_eq(smtp_last_code(session), 220);
	cr_expect_eq(wait_for(&guest,
			 smtp_docmd_async(session, "noop", NULL, done, &guest)),
	    SMTP_OK);
	guest.left = 100000;
	cr_expect_eq(wait_for(&guest,
			 smtp_sendmail_async(session, "x@y", to, read_some,
			     &guest, 0, 0, NULL, NULL, done, &guest)),
	    SMTP_OK);
	cr_expect_eq(smtp_nresults(session), 1);
	cr_expect_eq(
	    wait_for(&guest, smtp_rset_async(session, done, &guest)), SMTP_OK);
	cr_expect_eq(
	    wait_for(&guest, smtp_quit_async(session, done, &guest)), SMTP_OK);
	guest_clear(&guest);
}

Test(async, does_one_thing_at_a_time_and_never_blocks)
{
	struct guest guest;

	guest_init(&guest, GREETING);
	struct smtp *session = guest.session;
	const char *host = script_server_host(guest.server);
	struct smtp *blocking = smtp_new(NULL);
	cr_expect_eq(
	    smtp_noop_async(session, done, &guest), SMTP_E_DISCONNECTED);
	cr_expect_eq(smtp_connect(session, host, NULL), SMTP_E_INVAL);
	cr_expect_eq(smtp_connect_async(blocking, host, NULL, done, &guest),
	    SMTP_E_INVAL);
	cr_expect_eq(
	    smtp_connect_async(session, host, NULL, done, &guest), SMTP_OK);
	cr_expect_eq(smtp_connect_async(session, host, NULL, done, &guest),
	    SMTP_E_INVAL);
	event_base_dispatch(guest.base);
	cr_expect_eq(guest.calls, 1);
	smtp_free(blocking);
	guest_clear(&guest);
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(*(int *)arg)++;
}

/* However fast the server takes what is sent. */
Test(async, lets_others_on_the_loop_have_their_turn)
{
	static const char *const to[] = {"a@y", NULL};
	const struct timeval at_once = {.tv_usec = 1};
	struct guest guest;
	int ticks = 0;

	guest_init(&guest,
	    GREETING EHLO "C:mail from:<x@y>\nS:250 ok\nC:rcpt to:<a@y>\n"
			  "S:250 ok\nC:data\nS:354 go\nD\nS:250 ok\n");
	cr_expect_eq(
	    wait_for(&guest,
		smtp_connect_async(guest.session,
		    script_server_host(guest.server), NULL, done, &guest)),
	    SMTP_OK);
	struct event *timer =
	    event_new(guest.base, -1, EV_PERSIST, tick, &ticks);
	event_add(timer, &at_once);
	guest.left = (int64_t)32 * 1024 * 1024;
	cr_expect_eq(
	    wait_for(&guest,
		smtp_sendmail_async(guest.session, "x@y", to, read_some, &guest,
		    0, 0, NULL, NULL, done, &guest)),
	    SMTP_OK);
	/* A turn for each MiB at least. */
	cr_expect_geq(ticks, 32, "%d", ticks);
	event_free(timer);
	guest_clear(&guest);
}

Test(async, may_be_freed_when_it_is_told)
{
	const int descriptors = open_descriptors();
	struct guest guest;

	guest_init(&guest, GREETING);
	guest.frees = true;
	cr_expect_eq(
	    wait_for(&guest,
		smtp_connect_async(guest.session,
		    script_server_host(guest.server), NULL, done, &guest)),
	    SMTP_OK);
	guest_clear(&guest);
	cr_expect_eq(open_descriptors(), descriptors);
}

Test(async, tells_nobody_once_it_is_cancelled)
{
	struct guest guest;

	guest_init(&guest, GREETING "C:noop\nH\n");
	struct smtp *session = guest.session;
	cr_expect_eq(
	    wait_for(&guest,
		smtp_connect_async(session, script_server_host(guest.server),
		    NULL, done, &guest)),
	    SMTP_OK);
	cr_expect_eq(smtp_noop_async(session, done, &guest), SMTP_OK);
	smtp_cancel(session);
	cr_expect_not(smtp_connected(session));
	event_base_loop(guest.base, EVLOOP_NONBLOCK);
	cr_expect_eq(guest.calls, 1);
	guest_clear(&guest);
}
