/*
 * One SMTP or LMTP session, the client's side, without I/O (RFC 5321, 2033).
 *
 * The session reads from one buffer and writes into another, both the caller's.
 * The caller gives orders; the session says what happened by events:
 *
 *   smtp_client_open(client, now)               greet, secure, log in
 *   while (smtp_client_next(client, now, &event))
 *           handle event;
 *   write out the output buffer; wait for input, at most until the deadline
 *
 * Call next() again whenever input has come *or output has left*: commands and
 * content are added only as the output drains.  Reading must never wait for
 * writing, or two full pipes stand face to face (RFC 2920 3.1).
 *
 * Commands are pipelined where offered (RFC 2920): every command sent pushes an
 * expected reply, every reply pops one.  A reply that nobody expects, one to
 * what has not left the output yet (an early final reply is such), or nonsense
 * means that we are out of step with the peer: the session fails and the
 * connection must be closed.
 *
 * Result is independent of how the input is cut.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "smtp/dot.h"
#include "smtp/extensions.h"
#include "smtp/params.h"
#include "smtp/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What we are doing; one row of the table in smtp_phase.c each. */
enum smtp_phase {
	SMTP_PHASE_CONNECT, /* the caller's own: resolving and connecting */
	SMTP_PHASE_GREETING,
	SMTP_PHASE_EHLO,
	SMTP_PHASE_HELO,
	SMTP_PHASE_STARTTLS,
	SMTP_PHASE_TLS, /* the caller's own: the handshake */
	SMTP_PHASE_AUTH,
	SMTP_PHASE_MAIL,
	SMTP_PHASE_RCPT,
	SMTP_PHASE_DATA,    /* DATA, waiting for 354 */
	SMTP_PHASE_CONTENT, /* sending content, and BDAT but the last */
	SMTP_PHASE_END,     /* after the dot or BDAT LAST */
	SMTP_PHASE_RSET,
	SMTP_PHASE_COMMAND, /* any other command, ETRN included */
	SMTP_PHASE_QUIT,
	SMTP_PHASE_COUNT
};

/* Words for logs and bounces: "MAIL", "end of data". */
const char *smtp_phase_name(enum smtp_phase phase);

enum smtp_outcome_kind {
	SMTP_REPLIED, /* the peer's reply, of any code */
	SMTP_CLOSED,  /* the connection ended first */
	SMTP_TIMED_OUT,
	SMTP_MALFORMED, /* no SMTP reply, or out of step */
	/* We did not even ask: an extension, a mechanism or room is not there,
	 * or an address cannot be sent; code and enhanced say what to tell the
	 * sender.  A recipient past the server's LIMITS: 452 4.5.3. */
	SMTP_NOT_OFFERED,
	SMTP_FAILED /* the caller's own failure, told by smtp_client_fail() */
};

/* What came of a phase. */
struct smtp_outcome {
	enum smtp_outcome_kind kind;
	enum smtp_phase phase;
	int code;              /* of the reply; ours for NOT_OFFERED; else 0 */
	struct bytes enhanced; /* "5.1.1", or empty */
	struct bytes text;     /* the reply's, or words of ours; never empty */
	/* The peer may have taken the message: all content has left the output,
	 * the end included, and no final reply came. */
	bool in_doubt;
};

enum smtp_security {
	SMTP_SECURITY_NONE,          /* never STARTTLS */
	SMTP_SECURITY_OPPORTUNISTIC, /* STARTTLS where offered */
	SMTP_SECURITY_REQUIRED,      /* STARTTLS, or fail */
	SMTP_SECURITY_PRESENT /* the connection is TLS already, or local */
};

enum smtp_verbs {
	SMTP_VERBS_UPPER,
	SMTP_VERBS_LOWER,
	SMTP_VERBS_SEED
};

/* Called with whole command lines, reply lines and content stretches as they
 * pass; secret: the octets hold credentials. */
typedef void smtp_trace_fn(
    bool sent, struct bytes octets, bool secret, void *ctx);

/* Borrowed until smtp_client_free(). */
struct smtp_client_options {
	const char *hello; /* our name: an FQDN or "[192.0.2.1]" */
	bool lmtp;
	enum smtp_security security;
	/* AUTH where user is not NULL; then it is required. */
	const char *user;
	const char *password;   /* or the token of XOAUTH2, OAUTHBEARER */
	const char *mechanisms; /* allowed, best first; NULL: see sasl.h */
	bool auth_in_clear;     /* PLAIN and LOGIN also without TLS */
	const char *host;       /* the peer's name, for those that bind to it */
	bool no_pipelining;
	bool no_chunking;
	bool no_initial_response; /* AUTH: wait for the first challenge */
	/* DATA: only dots are seen to; lone CRs and LFs go out as they are. */
	bool raw_lines;
	enum smtp_verbs verbs;
	/* ms by phase; 0: the default of RFC 5321 4.5.3.2; CLOCK_NEVER: none */
	int64_t timeout_ms[SMTP_PHASE_COUNT];
	smtp_trace_fn *trace; /* or NULL */
	void *trace_ctx;
};

struct smtp_client_recipient {
	struct bytes address;
	struct rcpt_params params;
	/* Further parameters as they are, blanks between; may be all zeroes. */
	struct bytes more;
};

/*
 * One message to send; borrowed until its SMTP_CLIENT_DONE.  What the server
 * does not offer of params is left out, except that utf8, require_tls and a
 * body of 8BITMIME or BINARYMIME must be offered: otherwise the message is DONE
 * with SMTP_NOT_OFFERED before anything was sent.  The same where
 * params.size_bytes passes the server's SIZE.
 *
 * Without utf8 domains in other scripts go in their ASCII form (idn.h); a
 * sender that has none makes the message utf8, a recipient is refused.
 */
struct smtp_client_message {
	struct bytes sender; /* empty: the null sender */
	struct mail_params params;
	struct bytes more; /* as in a recipient, behind those of params */
	const struct smtp_client_recipient *recipients;
	size_t recipient_count; /* at least 1 */
	void *ctx;
};

enum smtp_client_event_kind {
	/* Greeted, secured, logged in: extensions are known. */
	SMTP_CLIENT_READY,
	/* Write the output, start TLS, then call smtp_client_tls_started(). */
	SMTP_CLIENT_START_TLS,
	/* Give content of event.message with smtp_client_content(). */
	SMTP_CLIENT_WANT_CONTENT,
	/* The outcome for one recipient is known.  RCPT accepted (2yz, phase
	 * RCPT) is not yet delivered.  LMTP: a second one, phase END, after the
	 * content. */
	SMTP_CLIENT_RECIPIENT,
	/*
	 * The message is over.  The outcome is that of every recipient that was
	 * not refused at RCPT, heard of or not (LMTP: and that has none of
	 * phase END); END and 2yz: accepted.  Where all were refused it is one
	 * of the refusals, a temporary one if there was any.
	 */
	SMTP_CLIENT_DONE,
	/* The reply to a command, a single step, or QUIT. */
	SMTP_CLIENT_REPLY,
	/*
	 * The session is over: EOF, time-out, nonsense, 421, or opening it
	 * failed.  Comes last, after a DONE for every message under way.
	 * Close; the output is empty.
	 */
	SMTP_CLIENT_OVER
};

struct smtp_client_event {
	enum smtp_client_event_kind kind;
	/* WANT_CONTENT, RECIPIENT, DONE */
	const struct smtp_client_message *message;
	size_t recipient;            /* RECIPIENT: its index */
	struct smtp_outcome outcome; /* views, valid until the next call */
};

struct smtp_client;

/* Octets of content at a time. */
#define SMTP_CLIENT_CONTENT_MAX ((size_t)1024 * 1024)

/* The least ceiling of output. */
#define SMTP_CLIENT_OUTPUT_MAX (2 * SMTP_CLIENT_CONTENT_MAX + 128 * 1024)

/*
 * input and output are borrowed until free.  Once a login was answered, the
 * memory of output is cleared of the credentials.
 */
struct smtp_client *smtp_client_new(const struct smtp_client_options *options,
    struct buffer *input, struct buffer *output);
void smtp_client_free(struct smtp_client *client);

/*
 * Read the greeting, say EHLO (or HELO), start TLS and log in, as the options
 * say; ends in READY or OVER.  Where it fails and the peer still listens, QUIT
 * is said first, and OVER has the outcome of what failed.
 */
void smtp_client_open(struct smtp_client *client, int64_t now);
/*
 * One step alone, for who wants to lead the session himself: GREETING, EHLO
 * (LHLO), HELO, STARTTLS, AUTH or RSET.  Its outcome, good or not, comes as
 * REPLY; STARTTLS, where accepted, as START_TLS.  Nothing follows by itself.
 * After EHLO or HELO was accepted messages can be sent.  Only when idle.
 */
void smtp_client_start(
    struct smtp_client *client, enum smtp_phase phase, int64_t now);
/* Send one message.  Only when smtp_client_can_send(). */
void smtp_client_send(struct smtp_client *client,
    const struct smtp_client_message *message, int64_t now);
/*
 * READY was seen and no message is before the end of its content: true also
 * while the final reply of the previous message is still awaited, where the
 * server offers PIPELINING; the next MAIL then follows behind the dot.  False
 * for ever once the server's MAILMAX is reached.
 */
bool smtp_client_can_send(const struct smtp_client *client);
/*
 * The next stretch of content (any line ends; CRLF and dots are seen to, but
 * BODY=BINARYMIME goes out as it is), at most SMTP_CLIENT_CONTENT_MAX; last:
 * the message ends here, bytes may be empty.  Only after WANT_CONTENT; each
 * asks for one stretch, and a DONE or OVER that comes first takes the question
 * back.
 */
void smtp_client_content(
    struct smtp_client *client, struct bytes content, bool last, int64_t now);
/*
 * Content by itself, after the caller's own DATA command was answered by 354:
 * WANT_CONTENT events without a message, then REPLY as often as replies says
 * (LMTP: once for each accepted recipient), phase END.  Only when idle.
 */
void smtp_client_start_content(
    struct smtp_client *client, unsigned replies, int64_t now);
/* Any command line without CRLF ("ETRN x.example"), answered by REPLY.  False
 * where it holds CR, LF or NUL: nothing was sent.  Only when idle. */
bool smtp_client_command(struct smtp_client *client, struct bytes line,
    int64_t now) __attribute__((warn_unused_result));
/* The same, of a line that holds credentials. */
bool smtp_client_secret_command(struct smtp_client *client, struct bytes line,
    int64_t now) __attribute__((warn_unused_result));
/* Octets as they are, and a reply for whatever they were, to come as REPLY. */
void smtp_client_write(struct smtp_client *client, struct bytes octets);
void smtp_client_expect(struct smtp_client *client, int64_t now);
/* QUIT, as soon as no order is under way; REPLY and OVER follow. */
void smtp_client_quit(struct smtp_client *client, int64_t now);

/*
 * What binds a login to the TLS channel (SCRAM-…-PLUS), raw: tls-exporter, or
 * tls-unique below TLS 1.3; empty: none.  Before open or tls_started; copied.
 */
void smtp_client_set_channel_binding(
    struct smtp_client *client, struct bytes exporter, struct bytes unique);
/*
 * After START_TLS and the handshake.  Everything learnt before is forgotten and
 * EHLO is said again (but not in a single step).  Plaintext in input is an
 * attack: the session ends.
 */
void smtp_client_tls_started(struct smtp_client *client, int64_t now);
/* The connection ended (EOF or an error): what was complete before counts. */
void smtp_client_eof(struct smtp_client *client, struct bytes why);
/* The caller failed it (time-out is seen by next() itself): TLS handshake,
 * reading the content.  text is copied. */
void smtp_client_fail(
    struct smtp_client *client, enum smtp_phase phase, struct bytes text);
/* Octets have left the output, or may have: time runs anew where they did.
 * next() does it too. */
void smtp_client_progress(struct smtp_client *client, int64_t now);

/* The next event.  False: nothing happens until input comes, output leaves, an
 * order is given, or the deadline. */
bool smtp_client_next(struct smtp_client *client, int64_t now,
    struct smtp_client_event *out_event);
/* Monotonic ms, CLOCK_NEVER when nothing is awaited.  Once it has come, next()
 * gives the time-out. */
int64_t smtp_client_deadline(const struct smtp_client *client);
const struct extensions *smtp_client_extensions(
    const struct smtp_client *client);
/* No order is under way, and all events of the last were taken. */
bool smtp_client_is_idle(const struct smtp_client *client);
/* Idle, and good for another message: a RSET that is owed goes before it. */
bool smtp_client_is_reusable(const struct smtp_client *client);
/* Was more than one reply outstanding at a time?  A session that then broke is
 * worth another attempt without pipelining. */
bool smtp_client_has_pipelined(const struct smtp_client *client);
