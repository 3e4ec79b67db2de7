/* What a session of the library needs for a hostile server: an authority, a
 * certificate for 127.0.0.1, a context that believes it. */
#pragma once

#include "base/bytes.h"
#include "lib/hostile_server.h"
#include "lib/postrider/smtp.h"
#include "lib/tls_authority.h"

#define HOSTILE_PASSWORD "open-sesame"

struct hostile_scene {
	struct tls_authority *authority;
	const char *certificate;
	struct ssl_ctx_st *ssl_ctx; /* a client's; verifies */
};

void hostile_scene_init(struct hostile_scene *scene);
void hostile_scene_clear(struct hostile_scene *scene);

/* MUST for STARTTLS; in clear logins are allowed. */
struct smtp_options hostile_scene_options(
    const struct hostile_scene *scene, enum hostile_channel channel);
/* Fails the test of that name where clear, what went over a connection before
 * TLS, holds a login, a mail, or the password however encoded. */
void hostile_expect_secret(struct bytes clear, const char *name);

/* Octets resident now; from here on the peak is taken. */
size_t hostile_memory_mark(void);
/* Fails the test of that name where more than limit octets were resident at any
 * time since mark.  A sanitizer's memory does not count. */
void hostile_expect_memory(size_t mark, size_t limit, const char *name);
