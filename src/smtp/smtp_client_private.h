/*
 * The inside of a client session, for the files that make it up:
 *
 *   smtp_client.c            life, orders, events, the end
 *   smtp_phase.c             the table of phases, and what drives it
 *   smtp_opening.c           the phases from the greeting to the login
 *   smtp_transaction.c       one message: when what is sent, what replies mean
 *   smtp_transaction_send.c  its commands and its content
 *   smtp_outcome.c           what came of a phase
 *   smtp_wire.c              what is written, and which replies are expected
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "smtp/dot.h"
#include "smtp/extensions.h"
#include "smtp/reply.h"
#include "smtp/sasl.h"
#include "smtp/smtp_client.h"
#include "smtp/smtp_outcome.h"
#include "smtp/smtp_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One whose final reply is awaited, and one behind it. */
#define SMTP_TRANSACTIONS_MAX 2
/* What one reply, or the end of the session, can bring about at most: an
 * outcome for a recipient, a DONE for each transaction, a REPLY, OVER. */
#define SMTP_EVENTS_MAX 8

struct smtp_queued_event {
	struct smtp_client_event event;
	struct smtp_kept_outcome outcome;
};

enum smtp_recipient_state {
	SMTP_RECIPIENT_LEFT, /* not sent: not yet, or kept back by us */
	SMTP_RECIPIENT_SENT,
	SMTP_RECIPIENT_ACCEPTED
};

/*
 * One message under way.
 *
 * It is over when nothing is outstanding and it has failed, was answered, or no
 * recipient is left.
 */
struct smtp_transaction {
	const struct smtp_client_message *message; /* NULL: bare content */
	enum smtp_phase next;   /* to be sent next; SMTP_PHASE_COUNT: nothing */
	unsigned outstanding;   /* replies expected */
	unsigned char *states;  /* enum smtp_recipient_state each; owned */
	size_t recipients_seen; /* sent, or refused by us */
	size_t recipients_sent;
	size_t recipients_accepted;
	size_t recipients_refused; /* by the server or us */
	size_t recipients_open;    /* taken by the server, MAIL or not */
	uint64_t domains;          /* among those sent, where limited */
	size_t finals_due;  /* final replies still to come: 1, more in LMTP */
	size_t final_index; /* LMTP: the recipient whose final reply is next */
	bool chunked;       /* BDAT */
	bool awaits_rset;   /* nothing of its content may leave yet */
	bool chunk_sent;
	bool utf8;          /* SMTPUTF8 was declared */
	bool wants_content; /* the caller was asked */
	bool is_handed;     /* all content is in the output, the end too */
	uint64_t end;       /* then: octets that have left once it is sent */
	bool is_open;       /* the server may hold a transaction of it */
	bool is_answered;   /* the final reply has come */
	struct dot_encoder encoder;
	struct smtp_kept_outcome failure; /* why it failed, where is_set */
	/* Of the refused recipients': a temporary one before all others. */
	struct smtp_kept_outcome refusal;
	struct smtp_kept_outcome answer; /* the final reply; LMTP: the last */
};

struct smtp_client {
	const struct smtp_client_options *options; /* borrowed */
	struct buffer *input;                      /* borrowed */
	struct smtp_wire wire;
	struct reply_reader reader;
	struct extensions extensions;
	int64_t now; /* of the call under way, monotonic ms */

	bool is_chained;  /* opening: one phase leads to the next */
	bool is_ready;    /* greeted; extensions are known */
	bool is_secure;   /* TLS has started */
	bool is_tls_due;  /* START_TLS was said, tls_started() is awaited */
	bool is_spoilt;   /* no further message may be sent */
	bool wants_quit;  /* QUIT as soon as nothing is under way */
	bool is_early;    /* what is being read was not due */
	bool has_ended;   /* the peer closed */
	bool is_over;     /* OVER is queued, or was taken */
	bool is_rset_due; /* the server may hold a dead transaction */
	uint64_t messages_sent;

	/* AUTH */
	struct bytes exporter_binding; /* owned, as unique_binding; or empty */
	struct bytes unique_binding;
	struct sasl_identity identity;
	struct sasl *sasl; /* owned; NULL outside an exchange */
	const struct sasl_mechanism *mechanism;
	struct buffer response; /* secret; kept where the line had no room */
	bool is_response_kept;
	bool is_cancelled;
	unsigned mechanisms_tried; /* sasl_mechanism_bit()s */
	unsigned challenges;

	/* Oldest first; those in use are at the front. */
	struct smtp_transaction *transactions[SMTP_TRANSACTIONS_MAX];
	unsigned transactions_len;

	struct smtp_kept_outcome verdict; /* why opening failed, during QUIT */
	struct buffer ending;             /* how the connection ended */

	struct smtp_queued_event events[SMTP_EVENTS_MAX];
	unsigned events_first;
	unsigned events_len;
};

/* ---- smtp_client.c ---- */

/* Queue an event; outcome is copied, NULL counts as none. */
void smtp_client_emit(struct smtp_client *client,
    enum smtp_client_event_kind kind, const struct smtp_client_message *message,
    size_t recipient, const struct smtp_outcome *outcome);
/* End the session: DONE for all messages, then OVER.  outcome is copied. */
void smtp_client_end(
    struct smtp_client *client, const struct smtp_outcome *outcome);
/* The same, out of step with the peer: "words: what came". */
void smtp_client_malformed(struct smtp_client *client, enum smtp_phase phase,
    const char *words, struct bytes excerpt);
/* Nothing is sent, expected or asked for. */
bool smtp_client_is_quiet(const struct smtp_client *client);
bool smtp_client_is_pipelining(const struct smtp_client *client);
/* Take a transaction that is over out of the list and free it. */
void smtp_client_drop_transaction(
    struct smtp_client *client, struct smtp_transaction *transaction);

/* ---- cells of the table: what to send, and what a reply means ---- */

typedef void smtp_send_fn(
    struct smtp_client *client, struct smtp_transaction *transaction);
typedef void smtp_reply_fn(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply);

smtp_send_fn smtp_opening_send_ehlo, smtp_opening_send_helo,
    smtp_opening_send_starttls, smtp_opening_send_auth;
smtp_reply_fn smtp_opening_greeted, smtp_opening_ehlo_replied,
    smtp_opening_helo_replied, smtp_opening_starttls_replied,
    smtp_opening_auth_replied;

smtp_send_fn smtp_transaction_send_rset, smtp_transaction_send_mail,
    smtp_transaction_send_rcpt, smtp_transaction_send_data,
    smtp_transaction_send_content;
smtp_reply_fn smtp_transaction_rset_replied, smtp_transaction_mail_replied,
    smtp_transaction_rcpt_replied, smtp_transaction_data_replied,
    smtp_transaction_chunk_replied, smtp_transaction_final_replied;

/* ---- smtp_opening.c ---- */

/* Nobody can read along: TLS, or a local connection. */
bool smtp_opening_is_safe(const struct smtp_client *client);
/* After the handshake. */
void smtp_opening_start_over(struct smtp_client *client);
/* Forget the exchange of AUTH and all that is secret. */
void smtp_opening_forget_login(struct smtp_client *client);

/* ---- smtp_transaction.c ---- */

/* NULL: message cannot be sent here; *out_refusal says why. */
struct smtp_transaction *smtp_transaction_new(struct smtp_client *client,
    const struct smtp_client_message *message,
    struct smtp_outcome *out_refusal);
/* Content after a "354" that the caller saw himself. */
struct smtp_transaction *smtp_transaction_new_bare(
    const struct smtp_client *client, unsigned finals);
void smtp_transaction_free(struct smtp_transaction *transaction);
/* Send the next thing where that may be now: true where something was done. */
bool smtp_transaction_advance(
    struct smtp_client *client, struct smtp_transaction *transaction);
/* It has failed; the first reason given counts. */
void smtp_transaction_fail(
    struct smtp_transaction *transaction, const struct smtp_outcome *outcome);
/* One recipient is refused, by the server or us. */
void smtp_transaction_refuse(struct smtp_client *client,
    struct smtp_transaction *transaction, size_t recipient,
    const struct smtp_outcome *outcome);
/* DONE, where it is over. */
void smtp_transaction_settle(
    struct smtp_client *client, struct smtp_transaction *transaction);
/* DONE, because the session ends so; true where the message is in doubt.  The
 * end has met what the oldest transaction was waiting for. */
bool smtp_transaction_abandon(struct smtp_client *client,
    struct smtp_transaction *transaction, bool is_oldest,
    const struct smtp_outcome *outcome);

/* ---- smtp_transaction_send.c ---- */

/* The content that WANT_CONTENT asked for. */
void smtp_transaction_send_stretch(struct smtp_client *client,
    struct smtp_transaction *transaction, struct bytes content, bool last);
/* No content at all, but its end. */
void smtp_transaction_send_lone_dot(
    struct smtp_client *client, struct smtp_transaction *transaction);
