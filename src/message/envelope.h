/*
 * Who a message is from, whom it is for, and how it came to us.
 *
 * Texts are owned, NUL-ended, without control characters; a text that is not
 * there is NULL, except the sender, which is "" for the null sender.
 */
#pragma once

#include "base/bytes.h"
#include "smtp/params.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum envelope_origin {
	ORIGIN_SOCKET, /* SMTP on a unix socket; uid is known */
	ORIGIN_TCP,
	ORIGIN_DROP, /* the drop directory; uid is the file's owner */
	ORIGIN_OWN   /* made here: bounces, notices */
};

#define UID_UNKNOWN UINT32_MAX

struct recipient {
	char *address;
	char *original;  /* ORCPT as given, or NULL */
	unsigned notify; /* NOTIFY bits; 0: undeclared */
};

struct envelope {
	char *sender;
	char *id; /* ENVID, or NULL */
	enum mail_return ret;
	enum mail_body body;
	bool utf8;
	bool require_tls;
	struct recipient *recipients;
	size_t recipient_count;
	int64_t arrived_at; /* wall clock, ms */
	enum envelope_origin origin;
	uint32_t uid; /* who submitted it, or UID_UNKNOWN */
	char *client; /* "[192.0.2.1]", "pid 123", drop file's name; or NULL */
	uint64_t drop_key; /* identity of the drop file, or 0 */
};

void envelope_init(struct envelope *envelope);
/* Releases everything; envelope_init() must follow before the next use. */
void envelope_clear(struct envelope *envelope);
/* sender is copied; it holds no control characters (asserted). */
void envelope_set_sender(struct envelope *envelope, struct bytes sender);
/* Append a recipient; address is copied and holds no control characters
 * (asserted).  Returns it, until the next add. */
struct recipient *envelope_add_recipient(
    struct envelope *envelope, struct bytes address);
/* The null sender, which is never sent a report. */
bool envelope_is_null_sender(const struct envelope *envelope);

/* What was said behind the path in MAIL and RCPT; views of the envelope. */
struct mail_params envelope_mail_params(const struct envelope *envelope);
struct rcpt_params envelope_rcpt_params(const struct recipient *recipient);
