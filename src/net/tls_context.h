/* What a TLS context is, for tls.c, tls_stream.c and tls_facts.c alone. */
#pragma once

#include "net/tls.h"
#include "net/tls_sessions.h"

#include <openssl/ssl.h>

struct tls_context {
	SSL_CTX *ssl_ctx;   /* one reference */
	BIO_METHOD *method; /* owned */
	bool checks_name;
	bool resumes; /* as a client */
	struct tls_sessions sessions;
};

/* Whom to believe: ca as in struct tls_client_options. */
bool tls_context_authorities(
    X509_STORE *store, const char *ca, struct error *error) MUST_USE;
/* Verification is to find this name, or this IP address, among those of
 * subjectAltName.  False: it is not of that kind. */
bool tls_context_expect_name(
    X509_VERIFY_PARAM *wanted, const char *name, bool is_address) MUST_USE;
