#include "net/tls_sessions.h"

#include "base/clock.h"
#include "base/memory.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <strings.h>

static void
slot_clear(struct tls_sessions_slot *slot)
{
	free(slot->name);
	SSL_SESSION_free(slot->session);
	*slot = (struct tls_sessions_slot){0};
}

static struct tls_sessions_slot *
slot_find(struct tls_sessions *sessions, const char *name)
{
	for (size_t i = 0; i < TLS_SESSIONS_MAX; i++) {
		struct tls_sessions_slot *slot = &sessions->slots[i];
		if (slot->name != NULL && strcasecmp(slot->name, name) == 0)
			return slot;
	}
	return NULL;
}

/* A free slot (never used), or the one used longest ago. */
static struct tls_sessions_slot *
slot_oldest(struct tls_sessions *sessions)
{
	struct tls_sessions_slot *oldest = &sessions->slots[0];

	for (size_t i = 1; i < TLS_SESSIONS_MAX; i++) {
		if (sessions->slots[i].used < oldest->used)
			oldest = &sessions->slots[i];
	}
	return oldest;
}

static bool
is_good(SSL_SESSION *session, int64_t wall_ms)
{
	long age =
	    (long)(wall_ms / CLOCK_SECOND) - SSL_SESSION_get_time(session);
	time_t now = (time_t)(wall_ms / CLOCK_SECOND);
	X509 *certificate = SSL_SESSION_get0_peer(session);

	return age >= 0 && age <= TLS_SESSIONS_LIFETIME &&
	    age <= SSL_SESSION_get_timeout(session) && certificate != NULL &&
	    X509_cmp_time(X509_get0_notAfter(certificate), &now) > 0 &&
	    SSL_SESSION_is_resumable(session);
}

void
tls_sessions_clear(struct tls_sessions *sessions)
{
	for (size_t i = 0; i < TLS_SESSIONS_MAX; i++)
		slot_clear(&sessions->slots[i]);
}

void
tls_sessions_keep(
    struct tls_sessions *sessions, const char *name, SSL_SESSION *session)
{
	struct tls_sessions_slot *slot = slot_find(sessions, name);

	if (slot == NULL)
		slot = slot_oldest(sessions);
	SSL_SESSION_up_ref(session);
	slot_clear(slot);
	*slot = (struct tls_sessions_slot){
	    .name = memory_copy_text(name),
	    .session = session,
	    .used = ++sessions->uses,
	};
}

SSL_SESSION *
tls_sessions_find(
    struct tls_sessions *sessions, const char *name, int64_t wall_ms)
{
	struct tls_sessions_slot *slot = slot_find(sessions, name);

	if (slot == NULL)
		return NULL;
	if (!is_good(slot->session, wall_ms)) {
		slot_clear(slot);
		return NULL;
	}
	slot->used = ++sessions->uses;
	return slot->session;
}

void
tls_sessions_forget(struct tls_sessions *sessions, const char *name)
{
	struct tls_sessions_slot *slot = slot_find(sessions, name);

	if (slot != NULL)
		slot_clear(slot);
}
