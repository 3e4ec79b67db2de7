/*
 * SASL, the client's side (RFC 4422): mechanisms as challenge -> response.
 *
 * Nothing here knows SMTP: challenges and responses are base64 texts, whatever
 * carries them.  One struct sasl is one exchange.  PLAIN, LOGIN, CRAM-MD5,
 * SCRAM and EXTERNAL are libgsasl's, which only sasl.c includes; XOAUTH2 and
 * OAUTHBEARER (RFC 7628), which it has not, are written here.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "smtp/extensions.h"

#include <stdbool.h>

/* Rounds of SCRAM that we are willing to compute; 4096 to 100000 is usual, and
 * a hostile server could else keep us busy for hours. */
#define SASL_ITERATIONS_MAX 200000

/* Who we are and what we may do with it.  Borrowed as long as an exchange that
 * was made with it. */
struct sasl_identity {
	const char *user;
	const char *password; /* or the token; NULL: a certificate speaks */
	const char *host;     /* the server's name, or NULL */
	/* Mechanisms allowed, best first, blanks between.  NULL: every one that
	 * a password serves, or EXTERNAL where there is no password.  Token
	 * mechanisms are used only where they are named. */
	const char *allowed;
	bool clear_ok; /* the channel is safe for mechanisms that show the
			  secret */
	/* Channel binding data, raw: tls-exporter (RFC 9266), or tls-unique
	 * below TLS 1.3; empty: none, and no mechanism ends in -PLUS. */
	struct bytes exporter_binding;
	struct bytes unique_binding;
};

/* A row of the table in sasl.c, best first. */
struct sasl_mechanism;

/*
 * The best mechanism that offers holds, identity allows and tried (a mask of
 * sasl_mechanism_bit()) does not hold; NULL where there is none.
 */
const struct sasl_mechanism *sasl_choose(const struct sasl_identity *identity,
    const struct extensions *offers, unsigned tried);
/* Without case; NULL where it is none of ours. */
const struct sasl_mechanism *sasl_mechanism_find(struct bytes name);
const char *sasl_mechanism_name(const struct sasl_mechanism *mechanism);
unsigned sasl_mechanism_bit(const struct sasl_mechanism *mechanism);
/* May its first response go along with the command? */
bool sasl_mechanism_is_initial(const struct sasl_mechanism *mechanism);

struct sasl;

/* mechanism and identity are borrowed until free. */
struct sasl *sasl_new(const struct sasl_mechanism *mechanism,
    const struct sasl_identity *identity);
void sasl_free(struct sasl *sasl);

/*
 * Append the response to challenge to output, both in base64.  The initial
 * response answers an empty challenge.
 *
 * False (output untouched): the challenge is no base64, not of the mechanism's
 * form, one too many, or does not prove that the server knows the password;
 * the exchange must be cancelled.
 */
bool sasl_respond(struct sasl *sasl, struct bytes challenge,
    struct buffer *output) __attribute__((warn_unused_result));

/*
 * May success, told by the server now, be believed?  Not where the mechanism
 * has the server prove itself (SCRAM) and it has not done so.
 */
bool sasl_is_proven(const struct sasl *sasl);
/* Was the server's proof wrong?  Then it is an impostor, and no other mechanism
 * should be tried. */
bool sasl_is_refuted(const struct sasl *sasl);
