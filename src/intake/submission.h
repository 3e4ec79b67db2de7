/*
 * One mail transaction of an SMTP or LMTP session, from MAIL to the message
 * that goes to the door: each question of the server core is answered here, but
 * for the last one, whether the message is durable.
 */
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "intake/admission.h"
#include "intake/content.h"
#include "intake/door.h"
#include "intake/rewrite.h"
#include "message/message.h"
#include "net/peer.h"
#include "smtp/smtp_server.h"

#include <stdbool.h>
#include <stdint.h>

/* What it takes from its session; all borrowed for its life. */
struct submission_options {
	struct admission *admission;
	const struct rewrite_options *rewrite;
	const struct peer *peer;
	const char *client; /* "uid 1000, pid 123", "[192.0.2.1]" */
	const char *tls;    /* "TLSv1.3 with cipher ...", "": none */
	bool trusted;       /* any recipient is accepted */
};

struct submission {
	struct submission_options options;
	struct smtp_server *server; /* borrowed: it is answered */
	struct message *message;    /* owned; NULL: no transaction */
	struct content content;
	char *hello;      /* the client's name for itself; owned, or NULL */
	bool has_content; /* content has begun, and memory is reserved */
	bool spoilt;      /* content was refused midway: error says why */
	struct error error;
};

void submission_init(struct submission *submission,
    const struct submission_options *options, struct smtp_server *server);

/* Releases what there is, and the message with it. */
void submission_clear(struct submission *submission);

/* The events of those names. */
void submission_hello(struct submission *submission, struct bytes name);
void submission_mail(struct submission *submission,
    const struct smtp_server_event *event, struct clock_time now);
void submission_rcpt(struct submission *submission,
    const struct smtp_server_event *event, struct clock_time now);
void submission_data(struct submission *submission, struct clock_time now);
void submission_content(struct submission *submission, struct bytes octets);
/*
 * END: the message, complete, which is the caller's now, to be handed to the
 * door; submission_settle() answers the client then.  NULL: it was refused, and
 * the client told.
 */
struct message *submission_end(
    struct submission *submission, struct clock_time now);
/* What the door said of the message with this id. */
void submission_settle(struct submission *submission, enum door_answer answer,
    uint64_t id, struct clock_time now);

/* Forget the transaction, whatever has come of it. */
void submission_reset(struct submission *submission);
