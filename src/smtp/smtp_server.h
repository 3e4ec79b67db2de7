/*
 * One SMTP or LMTP session, the server's side, without I/O (RFC 5321, 2033).
 *
 * The session reads from one buffer and writes into another, both the caller's
 * (a connection's, or a test's).  Drive it like this, whenever input has grown,
 * output was drained, an answer was given, or the deadline has passed:
 *
 *   while (smtp_server_next(server, now, &event))
 *           handle event; answer it where it asks for an answer;
 *   write out the output buffer; wait for input, at most until the deadline
 *
 * Syntax, sequence, sizes and the count of errors are judged here.  What only
 * the caller can know (is this recipient ours, is the message durable) is asked
 * by an event; until it is answered next() returns false and input stays where
 * it is: waiting for a verdict is one flag, and pipelining costs nothing.
 *
 * Extensions: PIPELINING (2920), SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531),
 * DSN (3461), ENHANCEDSTATUSCODES (2034), CHUNKING (3030, not BINARYMIME),
 * LIMITS (9422), ETRN (1985), STARTTLS (3207).  AUTH is not here.
 *
 * Result is independent of how the input is cut, with one exception: octets
 * that stand behind DATA (or STARTTLS) before it was answered break the
 * protocol, and end the session.  A client may write all else in one go, even
 * before the greeting.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "smtp/dot.h"
#include "smtp/params.h"

#include <stdbool.h>
#include <stdint.h>

/* No command is read while so much output waits: the peer reads no replies. */
#define SMTP_SERVER_OUTPUT_MAX ((size_t)256 * 1024)
/* Content must come this fast: octets within content_timeout_ms. */
#define SMTP_SERVER_STRETCH ((uint64_t)16 * 1024)

enum bare_newline {
	BARE_NEWLINE_NORMALIZE, /* a lone CR or LF in content becomes CRLF */
	BARE_NEWLINE_REJECT     /* 550 5.6.0 after the true end of data */
};

/* Borrowed until smtp_server_clear().  A limit or time of 0 is none. */
struct smtp_server_options {
	const char *hostname;      /* greeting and EHLO reply */
	bool lmtp;                 /* LHLO, a final reply for each recipient */
	uint64_t message_size_max; /* octets as received, unstuffed */
	unsigned recipients_max;   /* for one message */
	enum bare_newline bare_newline;
	bool starttls;       /* offered until TLS has started */
	bool etrn;           /* offered */
	bool qualified_only; /* a local part without a domain is refused, but
				for <postmaster>; else it is the caller's */
	int64_t command_timeout_ms; /* from one reply to the end of the next
				       command */
	int64_t
	    content_timeout_ms; /* for each SMTP_SERVER_STRETCH of content */
	unsigned errors_max;    /* 421 instead of one more refused command;
				   accepted mail resets the count, the
				   caller's refusals do not count */
};

enum smtp_server_event_kind {
	/* Answer with smtp_server_answer(). */
	SMTP_SERVER_MAIL,
	SMTP_SERVER_RCPT,
	SMTP_SERVER_DATA, /* content is about to come: 354 to let it, which
			     BDAT's client is not told */
	SMTP_SERVER_END,  /* all content has come. LMTP: answer once for each
			     accepted recipient, in their order */
	SMTP_SERVER_ETRN,
	/* Nothing to answer. */
	SMTP_SERVER_HELLO,   /* greeted; a transaction, if any, is abandoned */
	SMTP_SERVER_CONTENT, /* a stretch of content, CRLF lines, unstuffed */
	SMTP_SERVER_RESET,   /* the transaction is abandoned: drop what came */
	SMTP_SERVER_START_TLS, /* write the output, then start TLS and call
				  smtp_server_tls_started() */
	SMTP_SERVER_CLOSE /* write the output, then close; the last event */
};

struct smtp_server_event {
	enum smtp_server_event_kind kind;
	/* Views, valid until the next call of smtp_server_next() or _shut();
	 * CONTENT's only as long as input does not change, too. */
	struct bytes text;       /* MAIL, RCPT: mailbox. ETRN: node.
				    HELLO: the client's name, ASCII without
				    blanks, quotes, brackets but [], "," and ";".
				    CONTENT: the octets. CLOSE: why, for the log */
	struct mail_params mail; /* MAIL */
	struct rcpt_params rcpt; /* RCPT */
};

/* Read-only for the caller. */
struct smtp_server {
	const struct smtp_server_options *options;
	struct buffer *input;  /* borrowed */
	struct buffer *output; /* borrowed */
	struct buffer hello;   /* the client's name, as it gave it; owned */
	bool extended;         /* EHLO or LHLO, not HELO */
	bool secure;
	bool utf8;            /* SMTPUTF8 in this transaction */
	unsigned recipients;  /* accepted in this transaction */
	uint64_t content_len; /* of this transaction's content so far */

	/* Private to smtp_server.c. */
	struct buffer line;   /* the command, or why we close; owned */
	int phase;            /* of the session: which commands may come */
	int reading;          /* what the next octets of input are */
	int asked;            /* the event kind waiting for an answer, or -1 */
	unsigned answers_due; /* LMTP: final replies still to come */
	unsigned errors;
	bool reset_due; /* RESET is the next event */
	bool chunked;   /* content comes by BDAT */
	bool chunk_last;
	uint64_t chunk_left;  /* BDAT octets still to come */
	uint64_t stretch_len; /* octets since the deadline was set */
	size_t used;          /* octets of input the last event's text lay in */
	struct dot_decoder decoder;
	int64_t now;
	int64_t deadline;
};

/* Writes the greeting.  now is monotonic, ms. */
void smtp_server_init(struct smtp_server *server,
    const struct smtp_server_options *options, struct buffer *input,
    struct buffer *output, int64_t now);
void smtp_server_clear(struct smtp_server *server);

/*
 * False: nothing to do until more input, room in the output, an answer, TLS, or
 * the deadline.
 */
bool smtp_server_next(struct smtp_server *server, int64_t now,
    struct smtp_server_event *out_event);

/*
 * Answer the event that asks.  enhanced ("2.1.5") may be "" for 354; text is
 * one line without CR and LF.  A 2yz or 354 code lets the session go on, all
 * else refuses.  421 also ends the session.  Does nothing where the session has
 * ended meanwhile.
 */
void smtp_server_answer(struct smtp_server *server, int code,
    const char *enhanced, const char *text, int64_t now);

/* After START_TLS: forget all but the options.  Input must be empty (the
 * caller drops the connection where plaintext was already behind STARTTLS). */
void smtp_server_tls_started(struct smtp_server *server, int64_t now);

/* Monotonic ms; CLOCK_NEVER while an answer is awaited. */
int64_t smtp_server_deadline(const struct smtp_server *server);

/*
 * End the session from outside with "421 4.x.x text" (time-out, shutdown);
 * next() then gives RESET where a transaction was open, and CLOSE.  A message
 * whose END waits for its answer is the caller's: no RESET, and no reply to it.
 */
void smtp_server_shut(
    struct smtp_server *server, const char *enhanced, const char *text);
/* Is no transaction open and no answer awaited? */
bool smtp_server_is_idle(const struct smtp_server *server);
