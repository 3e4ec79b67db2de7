/*
 * The delivery status of some recipients as programs read it: the content of
 * message/delivery-status (RFC 3464 2, RFC 6533 3), and what it is made of.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "message/message.h"
#include "message/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a report is about; all borrowed. */
struct dsn {
	const char *hostname;
	enum report_kind kind;
	const struct message *message;
	const size_t *recipients; /* indexes; at least one */
	size_t count;
	struct bytes header; /* of message: whole fields, as far as was read */
	int64_t expires_at;  /* wall clock ms; for DELAYED */
	bool to_postmaster;  /* the sender is the null sender */
	bool utf8;           /* the report goes by SMTPUTF8 */
};

/* The enhanced code to report, of the class that fits the kind; what failed for
 * a while and was then given up is 4.4.7. */
const char *dsn_status(const struct dsn *dsn, size_t recipient);
/* Does a reason begin with a reply code: the peer's words, not ours?  NULL does
 * not. */
bool dsn_is_reply(const char *reason);
/* "smtp.example.com[192.0.2.1]" of "main smtp.example.com[192.0.2.1]"; empty of
 * NULL. */
struct bytes dsn_host(const char *upstream);

/* Append the fields, ASCII unless dsn->utf8. */
void dsn_append(const struct dsn *dsn, struct buffer *buffer);
