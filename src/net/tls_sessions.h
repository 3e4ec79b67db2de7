/*
 * TLS sessions to resume, by the name they were verified for: a handful, the
 * one used longest ago makes room.
 */
#pragma once

#include <stdint.h>

#define TLS_SESSIONS_MAX 8
/* Verification is repeated after this, in seconds. */
#define TLS_SESSIONS_LIFETIME 3600

struct ssl_session_st;

struct tls_sessions_slot {
	char *name; /* owned; NULL: free */
	struct ssl_session_st *session;
	uint64_t used; /* counts uses */
};

struct tls_sessions {
	struct tls_sessions_slot slots[TLS_SESSIONS_MAX];
	uint64_t uses;
};

void tls_sessions_clear(struct tls_sessions *sessions);
/* Takes a reference to session; replaces what was known under name. */
void tls_sessions_keep(struct tls_sessions *sessions, const char *name,
    struct ssl_session_st *session);
/*
 * Borrowed until the next call, or NULL.  A session too old, or whose server's
 * certificate has expired meanwhile, is forgotten instead.
 */
struct ssl_session_st *tls_sessions_find(
    struct tls_sessions *sessions, const char *name, int64_t wall_ms);
void tls_sessions_forget(struct tls_sessions *sessions, const char *name);
