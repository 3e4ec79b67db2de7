/*
 * TLS contexts and what a handshake found.  Verification is of the chain and of
 * the configured name (never of a name out of DNS): no CN fallback, no partial
 * wildcards, IP addresses by IP SAN, SNI sent, TLS 1.2 at least, no
 * renegotiation, no compression (threats: section 3).
 *
 * OpenSSL is known only to net/.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct tls_context;
struct ssl_ctx_st;

enum tls_verify {
	TLS_VERIFY_FULL,
	TLS_VERIFY_CA,
	TLS_VERIFY_OFF
};

struct tls_client_options {
	enum tls_verify verify;
	const char *ca; /* file or directory; NULL or "system": the system's */
	const char *certificate; /* PEM chain to show the server, or NULL */
	const char *key;         /* its key, or NULL */
	int version_min;         /* 12 or 13, for TLS 1.2 and 1.3 */
};

/*
 * A context belongs to one thread: it remembers sessions, so each worker makes
 * its own.  It must outlive its connections.
 *
 * Sessions are resumed only with the same name, only within the context and so
 * under the same policy, and only where they were verified: never with
 * TLS_VERIFY_OFF.  ERROR_CONFIG names the file that is wrong; a key that has a
 * passphrase is.  certificate without key: the key is in the same file.
 */
bool tls_client_new(const struct tls_client_options *options,
    struct tls_context **out_context, struct error *error) MUST_USE;
bool tls_server_new(const char *certificate, const char *key,
    struct tls_context **out_context, struct error *error) MUST_USE;
/*
 * The caller's own SSL_CTX (the library's users); a reference is taken.  Its
 * settings stand: whether certificates are verified at all, versions, ciphers.
 * verify_name: check the name as well.  Nothing is resumed by us.
 */
struct tls_context *tls_context_of(
    struct ssl_ctx_st *ssl_ctx, bool verify_name);
void tls_context_free(struct tls_context *context);

/* What a finished handshake agreed on; static or inline text. */
struct tls_summary {
	const char *version; /* "TLSv1.3" */
	const char *cipher;
	bool verified; /* chain and name */
	bool resumed;
};
