/*
 * The drop directory's file format: a plain RFC 5322 message whose recipients
 * are in To, Cc and Bcc (Resent-… first), or one that begins with "X-Sender:"
 * and "X-Receiver:" lines, the envelope (Exchange's replay format):
 *
 *   X-Sender: a@x.example BODY=8BITMIME RET=HDRS ENVID=e1 AUTH=<>
 *   X-Receiver: b@y.example NOTIFY=FAILURE ORCPT=rfc822;b@y.example
 *
 * X-Sender without any X-Receiver beside it is a header field as others, which
 * old programs write.  Addresses may be bare or stand in "<>"; they may be
 * UTF-8, which makes the envelope utf8.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "message/envelope.h"

#include <stdbool.h>
#include <stddef.h>

struct dropfile {
	bool has_envelope;   /* X-Sender and X-Receiver were there */
	bool has_sender;     /* X-Sender was: envelope's sender is meant */
	size_t content_from; /* where the message begins in the file, behind the
				envelope or a leading mbox "From " line */
	size_t lines;        /* number of the line behind the envelope */
};

/*
 * Read the envelope at the front of content (the file's first HEADER_SIZE_MAX
 * octets at least).  ERROR_DATA, in words fit for the .reason file, where there
 * is no recipient, something is malformed, or recipients must be sought in a
 * header longer than HEADER_SIZE_MAX; then nothing may be taken, and envelope
 * may hold a part.
 */
bool dropfile_read(struct bytes content, struct envelope *envelope,
    struct dropfile *out_dropfile, struct error *error) MUST_USE;

/*
 * Of this the envelope lines alone, however long they are; without any
 * X-Receiver has_envelope is false, and nothing was read.
 */
bool dropfile_read_envelope(struct bytes content, struct envelope *envelope,
    struct dropfile *out_dropfile, struct error *error) MUST_USE;

/*
 * Append the recipients of To, Cc, Bcc, or of Resent-To/-Cc/-Bcc where any is
 * there; who is in envelope already is not added again.  None is no error.
 */
bool dropfile_header_recipients(struct bytes header, struct envelope *envelope,
    struct error *error) MUST_USE;
/* Append header without Bcc, Resent-Bcc and Return-Path, and without a leading
 * mbox "From " line (which header_len() does not count). */
void dropfile_strip(struct buffer *buffer, struct bytes header);
