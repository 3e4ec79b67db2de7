/*
 * Reports to the sender: failures and delays (RFC 3461 to 3464, 6522, 3834),
 * and double bounces to the postmaster.
 */
#pragma once

#include "base/error.h"
#include "message/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum report_kind {
	REPORT_FAILED,
	REPORT_DELAYED,
	REPORT_RELAYED
};

struct report_options {
	const char
	    *hostname; /* Reporting-MTA, and the domain of MAILER-DAEMON */
	const char *postmaster; /* address of the last resort */
};

/*
 * A new message (caller owns it; id 0, ORIGIN_OWN, null sender) that tells the
 * sender of message about the recipients listed (indexes into its envelope;
 * their status, reason and upstream are in its progress).  To the postmaster
 * where the sender is the null sender; *out_report is NULL, and true returned,
 * where there is nobody to tell (the message is itself a report to the
 * postmaster, or NOTIFY forbids it for all).  Reading the content may fail.
 *
 * Text from upstreams is escaped and cut; the original's header alone is
 * returned, or all of it up to 64 KiB for RET=FULL.
 */
bool report_make(const struct report_options *options, enum report_kind kind,
    const struct message *message, const size_t *recipients, size_t count,
    int64_t expires_at, int64_t now_wall, struct message **out_report,
    struct error *error) MUST_USE;
