/* What a TLS context is, for tls.c and tls_stream.c alone. */
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
