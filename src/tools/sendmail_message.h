/*
 * What sendmail does to a message before it hands it over: the header loses
 * what must not leave, and gets From where it has none.  Everything else (Date,
 * Message-ID, Received, domains of bare addresses) is the daemon's.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>

struct sendmail_message {
	struct bytes header; /* as it came, without a mbox line; a view */
	struct bytes rest;   /* the empty line and the body; a view */
};

/* Take content, of CRLF lines, apart. */
void sendmail_message_split(
    struct bytes content, struct sendmail_message *out_message);
bool sendmail_message_has(
    const struct sendmail_message *message, const char *field);

/*
 * Append the header without Bcc, Resent-Bcc and Return-Path, and with
 * "From: name <address>" where that is missing; and an empty line where rest
 * does not begin with one.
 *
 * name, address  NULL where From is there; name may be "" or NULL anyway
 */
void sendmail_message_complete(const struct sendmail_message *message,
    const char *name, const char *address, struct buffer *head);

/*
 * NUL octets must not leave: replace content by the same message, encoded so
 * that it has none.  False: that cannot be done (it is signed), or reading the
 * copy of it failed.
 */
bool sendmail_message_encode(
    struct buffer *content, struct error *error) MUST_USE;
