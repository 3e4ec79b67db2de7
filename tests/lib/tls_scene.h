/* Two conns that talk TLS with each other, with certificates of the test's own
 * authority. */
#pragma once

#include "lib/conn_probe.h"
#include "lib/tls_authority.h"
#include "net/conn.h"
#include "net/tls.h"

#include <openssl/ssl.h>

/* An authority and two contexts; each test begins and ends with it. */
struct tls_scene {
	int descriptors;
	struct loop *loop;
	struct tls_authority *authority;
	struct tls_context *client;
	struct tls_context *server;
	struct error error;
};

/* Two conns that talk TLS with each other. */
struct tls_talk {
	struct tls_scene *scene;
	struct conn_probe client;
	struct conn_probe server;
};

void tls_scene_init(struct tls_scene *scene);
/* Checks that no descriptor is left open. */
void tls_scene_clear(struct tls_scene *scene);
/* The context of the client, anew. */
void tls_scene_client(
    struct tls_scene *scene, enum tls_verify verify, int version_min);
/* The context of the server, anew, with the chain and key in path. */
void tls_scene_server(struct tls_scene *scene, const char *path);
/* The same with settings of its own; configure may be NULL. */
void tls_scene_server_of(
    struct tls_scene *scene, const char *path, void (*configure)(SSL_CTX *));
void tls_scene_only_tls12(SSL_CTX *ssl_ctx);
/* All good: a client that verifies, a server that is mail.example and
 * two.example. */
void tls_scene_good(struct tls_scene *scene);

void tls_talk_init(struct tls_talk *talk, struct tls_scene *scene);
void tls_talk_start(struct tls_talk *talk, const char *name);
/* Until the client is secured or has failed. */
void tls_talk_shake(struct tls_talk *talk, const char *name);
void tls_talk_clear(struct tls_talk *talk);
/* A whole connection with a line of data, so that sessions are handed out. */
void tls_talk_once(
    struct tls_scene *scene, const char *name, struct tls_summary *out_summary);
