/*
 * SMTP and LMTP on a listening socket: sessions from accept to close.  Content
 * goes to the door as it comes; the 250 goes back when the door says that it is
 * durable.
 */
#pragma once

#include "intake/admission.h"
#include "intake/rewrite.h"
#include "net/loop.h"
#include "net/peer.h"
#include "net/tls.h"
#include "smtp/smtp_server.h"

#include <stdbool.h>
#include <stddef.h>

struct smtp_intake;

/* Borrowed for ever. */
struct smtp_intake_options {
	struct smtp_server_options server;
	struct rewrite_options rewrite;
	struct tls_context *tls; /* for STARTTLS, or NULL */
	bool trusted; /* any recipient is accepted; else only those of
			 the relay domains */
};

struct smtp_intake *smtp_intake_new(struct loop *loop,
    struct admission *admission, const struct smtp_intake_options *options);
/* Sessions that are left are cut off; what they submitted stays accepted. */
void smtp_intake_free(struct smtp_intake *intake);

/* As listener_fn; ctx is the intake. Takes fd. */
void smtp_intake_accept(int fd, const struct peer *peer, void *ctx);
/* The daemon holds too much that is not durable yet: read no more; or read on.
 */
void smtp_intake_pause(struct smtp_intake *intake);
void smtp_intake_resume(struct smtp_intake *intake);
/*
 * The daemon is about to end: sessions without a transaction hear 421 now, the
 * others as soon as theirs is over.
 */
void smtp_intake_shut(struct smtp_intake *intake);
size_t smtp_intake_sessions(const struct smtp_intake *intake);
