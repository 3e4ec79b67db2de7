/*
 * What people want to know of a TLS connection: what was agreed on, and whom
 * the peer's certificate is for, by whom, how long, and whether we would
 * believe it.  Only to be looked at: deciding is the handshake's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Texts are owned and printable, never NULL. */
struct tls_facts {
	char *version; /* "TLSv1.3" */
	char *cipher;
	char *subject; /* "CN = mx.example"; "" without a certificate */
	char *issuer;
	char *names;        /* of subjectAltName: "mx.example, 192.0.2.1" */
	int64_t not_before; /* seconds since 1970; 0: unknown */
	int64_t not_after;
	bool is_trusted;
	char *problem; /* why it is not: "certificate has expired"; or "" */
};

struct ssl_st;

/* For tls_stream.c.  name: what the certificate should carry. */
void tls_facts_of(const struct ssl_st *ssl, const char *ca, const char *name,
    struct tls_facts *out_facts);
void tls_facts_clear(struct tls_facts *facts);
