/*
 * A queued message as a file of its own: a drop file (dropfile.h) with one line
 * more, and the content octet for octet.
 *
 *   X-Sender: <a@x.example> BODY=8BITMIME RET=HDRS ENVID=e1
 *   X-Receiver: <b@y.example> NOTIFY=FAILURE ORCPT=rfc822;b@y.example
 *   X-Postrider: id=4bXkzM2wQ1t arrived=1763877120123 size=1234
 *       check=0123456789abcdef held
 *
 * (the last one is one line).  X-Receiver lines are of the recipients that are
 * still waiting; lines end in CRLF.  Then follow size octets, the message as it
 * will go out.  arrived is wall clock ms; check is the queue's check of the
 * content (record.h), 16 hexadecimal digits; held says that it was on hold.
 * Words of that line that are unknown are passed over.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "message/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parcel {
	uint64_t id;
	int64_t arrived_at; /* wall clock, ms */
	uint64_t size;      /* octets of content */
	uint64_t check;
	bool is_held;
	size_t content_from; /* where the content begins in the file */
};

/*
 * Append the lines in front of the content.  message's envelope, progress, id,
 * check and body.len are read; some recipient is waiting.
 */
void parcel_write(struct buffer *buffer, const struct message *message);
/*
 * Read the lines at the front of file, which is the whole file; envelope has
 * been initialised, and is to be cleared in any case.
 *
 * ERROR_DATA, with the line, where something is malformed or missing, or where
 * the content has not its size.  The check is the caller's business.
 */
bool parcel_read(struct bytes file, struct envelope *envelope,
    struct parcel *out_parcel, struct error *error) MUST_USE;
