/*
 * What a failure means: whom it concerns, whether to try again, and how to say
 * it.  Every reply and every way a session ends is judged here and nowhere
 * else. Pure.
 *
 *   opening a session, up to the login       the upstream, again, whatever is
 * said MAIL                                     the message by its class MAIL
 * refused for want of a login, 421,   the upstream, again or no reply at all
 *   RCPT                                     the recipient by its class
 *   RCPT, too many of them                   the recipient, at once
 *   DATA, content, end of data               the message by its class
 *   the session ended behind MAIL            the message, again
 *
 * By its class: 2yz taken, 4yz again, 5yz given up (RFC 5321 4.2.1); what is
 * none of them is tried again.  421 never concerns a message (4.2.2).
 */
#pragma once

#include "smtp/smtp_client.h"

#include <stdbool.h>

enum verdict_scope {
	VERDICT_RECIPIENT, /* the one it was said of */
	VERDICT_MESSAGE,   /* all its recipients that were not judged yet */
	VERDICT_UPSTREAM   /* nothing is held against the message */
};

enum verdict_action {
	VERDICT_TAKEN,   /* RCPT: accepted; end of data: delivered */
	VERDICT_AT_ONCE, /* in a new transaction, now */
	VERDICT_AGAIN,   /* later */
	VERDICT_GIVE_UP
};

/* What the outcome itself does not tell. */
struct verdict_context {
	bool is_accepted; /* RCPT: others were accepted in this transaction */
};

struct verdict {
	enum verdict_scope scope;
	enum verdict_action action;
	bool is_reply;     /* reason is what the peer said, its code first */
	char status[16];   /* RFC 3463; its class is the action's */
	char reason[1024]; /* one line of printable text, never "" */
};

/* RFC 4954 6: the server wants a login, or another one. */
bool verdict_wants_login(int code);
struct verdict verdict_of(
    const struct smtp_outcome *outcome, struct verdict_context context);
/* A failure of our own making, in words of ours. */
struct verdict verdict_make(enum verdict_scope scope,
    enum verdict_action action, const char *status, const char *reason);
