/*
 * An SMTP or LMTP server for tests, in the loop of the test itself.  It takes
 * everything, as a good server would, except where a rule says otherwise; it
 * keeps what it was sent.
 */
#pragma once

#include "base/buffer.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>

enum fake_stage {
	FAKE_GREETING,
	FAKE_EHLO, /* LHLO, too */
	FAKE_HELO,
	FAKE_STARTTLS,
	FAKE_AUTH,
	FAKE_MAIL,
	FAKE_RCPT,
	FAKE_DATA,
	FAKE_CONTENT, /* every chunk of BDAT but the last */
	FAKE_END,     /* LMTP: once for each recipient; match is on its RCPT */
	FAKE_RSET,
	FAKE_ETRN,
	FAKE_QUIT,
	FAKE_OTHER
};

/*
 * What to say at a stage instead of the usual.
 *
 *   "450 4.2.0 later"   lines may follow behind CRLF; after 421 it closes
 *   "cut"               close at once
 *   "hang"              say nothing
 *   "hold"              the usual, but this and all that follows is said only
 *                       once fake_upstream_release() is called
 *   "garbage"           octets that are no reply
 */
struct fake_rule {
	enum fake_stage stage;
	const char *reply;
	const char *match; /* must be in the line; NULL: any */
	unsigned skip;     /* so many that match go by first */
	unsigned times;    /* 0: ever after */
};

struct fake_options {
	const char *keywords;   /* of EHLO, blanks between: "PIPELINING DSN" */
	const char *mechanisms; /* AUTH keyword's: "PLAIN LOGIN"; or NULL */
	const char
	    *certificate;   /* chain and key: STARTTLS is offered; or NULL */
	const char *socket; /* path to listen on; NULL: 127.0.0.1 */
	bool implicit_tls;
	bool lmtp;
	bool breaks_pipelining; /* closes where a command follows at once */
};

/* A message that was accepted at END (LMTP: by one recipient at least). */
struct fake_message {
	unsigned session; /* from 1 */
	char *mail;       /* the line, "MAIL FROM:<a@x> SIZE=3" */
	char *rcpt;       /* the accepted lines, joined by '\n' */
	char *content;    /* unstuffed */
	size_t content_len;
};

struct fake_upstream;

/* options is borrowed. Listens on a port of the kernel's choice. */
struct fake_upstream *fake_upstream_new(
    struct loop *loop, const struct fake_options *options);
void fake_upstream_free(struct fake_upstream *fake);
unsigned fake_upstream_port(const struct fake_upstream *fake);

/* The first rule that matches counts; rule's texts are borrowed. */
void fake_upstream_rule(struct fake_upstream *fake, struct fake_rule rule);
/* Always say reply, or where match is in the line. */
void fake_upstream_say(
    struct fake_upstream *fake, enum fake_stage stage, const char *reply);
void fake_upstream_say_to(struct fake_upstream *fake, enum fake_stage stage,
    const char *match, const char *reply);
void fake_upstream_forget_rules(struct fake_upstream *fake);
/* Say what is held. */
void fake_upstream_release(struct fake_upstream *fake);
/* Close all connections. */
void fake_upstream_cut(struct fake_upstream *fake);
/* Listen no more: connections are refused. */
void fake_upstream_close(struct fake_upstream *fake);

size_t fake_upstream_messages(const struct fake_upstream *fake);
/* From 0; borrowed. */
const struct fake_message *fake_upstream_message(
    const struct fake_upstream *fake, size_t i);
/* Connections accepted so far, those open now, and the most at once. */
unsigned fake_upstream_sessions(const struct fake_upstream *fake);
unsigned fake_upstream_open(const struct fake_upstream *fake);
unsigned fake_upstream_most(const struct fake_upstream *fake);
/* Every command line, "1 EHLO here\n", content left out; a borrowed string,
 * until the next turn. */
const char *fake_upstream_transcript(struct fake_upstream *fake);
/* How often stage was come to. */
unsigned fake_upstream_count(
    const struct fake_upstream *fake, enum fake_stage stage);
