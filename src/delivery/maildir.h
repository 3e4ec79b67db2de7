/*
 * Delivery into a maildir: a file of its own for each message, in tmp, then
 * moved to new.  Blocks on the disk.
 *
 * A mail reader expects Unix lines: CRLF becomes LF.  Above the content stand
 *
 *   Return-Path: <sender>
 *   Delivered-To: recipient          each recipient, in their order
 *   X-Original-To: recipient         where ORCPT names another one
 */
#pragma once

#include "base/error.h"
#include "message/message.h"

#include <stddef.h>
#include <stdint.h>

enum maildir_result {
	MAILDIR_DELIVERED, /* and on stable storage, its name too */
	MAILDIR_FAILED,    /* the maildir's fault; nothing was delivered */
	MAILDIR_UNREADABLE /* the content could not be read; the same */
};

/* What makes the name of a message unique. */
struct maildir_stamp {
	int64_t wall_ms;
	uint64_t count;       /* of this writer, never twice */
	const char *hostname; /* ours */
};

/*
 * Deliver message to the recipients listed (indexes) by one file.  The maildir
 * at path is made (0700) where it is missing.  error is set unless DELIVERED.
 */
enum maildir_result maildir_deliver(const char *path,
    const struct maildir_stamp *stamp, const struct message *message,
    const size_t *recipients, size_t count, struct error *error) MUST_USE;
