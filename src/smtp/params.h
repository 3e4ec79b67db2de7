/*
 * ESMTP parameters of MAIL and RCPT (RFC 1870, 2852, 3030, 3461, 4865, 4954,
 * 6152, 6531, 6710, 8689), read and written.
 *
 * Texts are views of the line they were read from, in their wire form (xtext
 * stays xtext); a decoded control character is refused.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "smtp/extensions.h"

#include <stdbool.h>
#include <stdint.h>

#define PARAMS_ENVELOPE_ID_MAX 100 /* octets, RFC 3461 4.4 */
#define PARAMS_ORIGINAL_MAX    500 /* octets, RFC 3461 4.2 */

enum mail_body {
	MAIL_BODY_UNDECLARED,
	MAIL_BODY_7BIT,
	MAIL_BODY_8BITMIME,
	MAIL_BODY_BINARYMIME
};
enum mail_return {
	MAIL_RETURN_UNDECLARED,
	MAIL_RETURN_FULL,
	MAIL_RETURN_HEADERS
};

enum mail_by {
	MAIL_BY_UNDECLARED,
	MAIL_BY_RETURN, /* given back where it was not delivered in time */
	MAIL_BY_NOTIFY  /* the sender is told, and delivery goes on */
};

#define PARAMS_SECONDS_MAX  999999999 /* nine digits, RFC 2852 4, 4865 4 */
#define PARAMS_PRIORITY_MAX 9         /* and at least -9, RFC 6710 3 */

struct mail_params {
	bool has_size;
	uint64_t size_bytes;      /* SIZE=, with CRLF, without dot-stuffing */
	enum mail_body body;      /* BODY= */
	bool utf8;                /* SMTPUTF8 */
	enum mail_return ret;     /* RET= */
	struct bytes envelope_id; /* ENVID=, xtext, at most 100 */
	struct bytes auth;        /* AUTH=, xtext, or "<>" */
	bool require_tls;         /* REQUIRETLS */
	enum mail_by by;          /* BY= */
	int by_s;                 /* RETURN: at least 1 */
	bool by_trace;
	int hold_for_s;          /* HOLDFOR=; 0: undeclared */
	struct bytes hold_until; /* HOLDUNTIL=, RFC 3339; not both */
	int64_t hold_until_ms;   /* the same, wall clock */
	bool has_priority;
	int priority; /* MT-PRIORITY= */
};

/* NOTIFY= as bits; 0 means undeclared. */
#define NOTIFY_NEVER   1U
#define NOTIFY_SUCCESS 2U
#define NOTIFY_FAILURE 4U
#define NOTIFY_DELAY   8U

struct rcpt_params {
	unsigned notify;
	struct bytes original; /* ORCPT=, "type;xtext" */
};

/* Nothing declared. */
#define MAIL_PARAMS_NONE                                                       \
	((struct mail_params){.envelope_id = BYTES_NONE,                       \
	    .auth = BYTES_NONE,                                                \
	    .hold_until = BYTES_NONE})
#define RCPT_PARAMS_NONE ((struct rcpt_params){.original = BYTES_NONE})

/* What was wrong with a parameter, as the reply to it. */
struct params_problem {
	int code; /* 0: nothing; 501, 504, 555 */
	const char *enhanced;
	const char *text; /* static */
};

/*
 * Read all parameters behind the path, text beginning with a blank where there
 * are any.  Each may be there once (501).  A parameter that is unknown, or
 * whose extension is not in allowed (a mask of 1U << enum extension,
 * extensions.h), gives 555; BODY=BINARYMIME without its extension 504.  On a
 * problem out_params is untouched.
 */
struct params_problem params_read_mail(
    struct bytes text, unsigned allowed, struct mail_params *out_params);
struct params_problem params_read_rcpt(
    struct bytes text, unsigned allowed, struct rcpt_params *out_params);

/* The extension that a parameter of MAIL, or of RCPT, belongs to (without
 * case); EXTENSION_COUNT: unknown.  BODY=BINARYMIME needs its own as well. */
enum extension params_mail_extension(struct bytes keyword);
enum extension params_rcpt_extension(struct bytes keyword);

/*
 * Append " SIZE=... BODY=..." for what is set and whose extension is in
 * offered; the rest is left out (what that means is the caller's decision).
 */
void params_write_mail(
    struct buffer *buffer, const struct mail_params *params, unsigned offered);
void params_write_rcpt(
    struct buffer *buffer, const struct rcpt_params *params, unsigned offered);

/* xtext (RFC 3461 4). */
void xtext_append(struct buffer *buffer, struct bytes text);
/* False on bad xtext or a decoded control character; buffer then holds a part
 * of it. */
bool xtext_decode(struct buffer *buffer, struct bytes xtext);
