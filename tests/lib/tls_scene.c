#include "lib/tls_scene.h"

#include "lib/loop_until.h"

#include <criterion/criterion.h>
#include <string.h>

void
tls_scene_init(struct tls_scene *scene)
{
	*scene = (struct tls_scene){.descriptors = open_descriptors()};
	scene->loop = loop_new();
	scene->authority = tls_authority_new();
}

void
tls_scene_clear(struct tls_scene *scene)
{
	tls_context_free(scene->client);
	tls_context_free(scene->server);
	tls_authority_free(scene->authority);
	loop_free(scene->loop);
	cr_expect_eq(open_descriptors(), scene->descriptors);
}

void
tls_scene_client(
    struct tls_scene *scene, enum tls_verify verify, int version_min)
{
	struct tls_client_options options = {
	    .verify = verify,
	    .ca = tls_authority_path(scene->authority),
	    .version_min = version_min,
	};

	tls_context_free(scene->client);
	cr_assert(tls_client_new(&options, &scene->client, &scene->error), "%s",
	    scene->error.text);
}

void
tls_scene_server(struct tls_scene *scene, const char *path)
{
	tls_context_free(scene->server);
	cr_assert(tls_server_new(path, NULL, &scene->server, &scene->error),
	    "%s", scene->error.text);
}

/* A server with settings of its own; configure may be NULL. */
void
tls_scene_server_of(
    struct tls_scene *scene, const char *path, void (*configure)(SSL_CTX *))
{
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());

	cr_assert_eq(SSL_CTX_use_certificate_chain_file(ssl_ctx, path), 1);
	cr_assert_eq(
	    SSL_CTX_use_PrivateKey_file(ssl_ctx, path, SSL_FILETYPE_PEM), 1);
	if (configure != NULL)
		configure(ssl_ctx);
	tls_context_free(scene->server);
	scene->server = tls_context_of(ssl_ctx, false);
	SSL_CTX_free(ssl_ctx);
}

void
tls_scene_good(struct tls_scene *scene)
{
	tls_scene_init(scene);
	tls_scene_client(scene, TLS_VERIFY_FULL, 12);
	tls_scene_server(scene,
	    tls_authority_issue_for(
		scene->authority, "DNS:mail.example,DNS:two.example"));
}

void
tls_talk_init(struct tls_talk *talk, struct tls_scene *scene)
{
	int fds[2];

	talk->scene = scene;
	conn_probe_init(&talk->client, scene->loop);
	conn_probe_init(&talk->server, scene->loop);
	tcp_pair(&fds[0], &fds[1]);
	conn_probe_accept(&talk->client, fds[0]);
	conn_probe_accept(&talk->server, fds[1]);
}

void
tls_talk_start(struct tls_talk *talk, const char *name)
{
	struct error error;

	cr_assert(conn_start_tls(
		      talk->client.conn, talk->scene->client, name, &error),
	    "%s", error.text);
	cr_assert(conn_start_tls(
		      talk->server.conn, talk->scene->server, NULL, &error),
	    "%s", error.text);
	cr_expect_null(conn_tls(talk->client.conn));
}

static bool
is_decided(void *ctx)
{
	struct tls_talk *talk = ctx;

	return talk->client.counts[CONN_SECURED] +
	    talk->client.counts[CONN_FAILED] >
	    0;
}

void
tls_talk_shake(struct tls_talk *talk, const char *name)
{
	tls_talk_start(talk, name);
	loop_until(talk->scene->loop, is_decided, talk);
}

void
tls_talk_clear(struct tls_talk *talk)
{
	conn_probe_clear(&talk->client);
	conn_probe_clear(&talk->server);
}

/* A whole connection: so that sessions are handed out. */
void
tls_talk_once(
    struct tls_scene *scene, const char *name, struct tls_summary *out_summary)
{
	struct tls_talk talk;

	tls_talk_init(&talk, scene);
	tls_talk_shake(&talk, name);
	cr_assert_eq(
	    talk.client.counts[CONN_SECURED], 1, "%s", talk.client.error.text);
	*out_summary = *conn_tls(talk.client.conn);
	conn_probe_until(&talk.server, CONN_SECURED, 1);
	conn_probe_send(&talk.server, "220 hello\r\n");
	conn_probe_until_read(&talk.client, strlen("220 hello\r\n"));
	tls_talk_clear(&talk);
}

void
tls_scene_only_tls12(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_2_VERSION);
}
