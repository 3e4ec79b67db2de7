/*
 * Certificates and handshakes that must not be believed (threats: I12, I15):
 * with STARTTLS and with implicit TLS, under the library's own policy and under
 * an SSL_CTX of the caller's.
 */
#include "lib/hostile_acts.h"
#include "lib/hostile_scene.h"
#include "lib/loop_until.h"
#include "lib/wire_watch.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOOD     .from_days = -1, .to_days = 30
#define HOST     "mail.example"
#define NAMED    "DNS:" HOST
#define SHORT_MS 60

static const char *const one[] = {"a@y", NULL};

/* Who takes what the library's own policy does not. */
enum belief {
	BY_NONE,
	BY_MAY, /* where nothing is verified */
	BY_OWN  /* a caller's context as well */
};

struct row {
	const char *name;
	struct tls_authority_order order;
	const char *host; /* that we want; NULL: HOST; "": the IP address */
	const char *why;  /* part of the reason; NULL: it is good */
	enum belief belief;
};

#define NO_NAMES "no subjectAltName"

static const struct row certificates[] = {
    {"good", {"x", NAMED, GOOD}, NULL, NULL, BY_MAY},
    {"good, among others", {"x", "DNS:a.example," NAMED, GOOD}, NULL, NULL,
	BY_MAY},
    {"expired", {"x", NAMED, .from_days = -30, .to_days = -1}, NULL,
	"has expired", BY_MAY},
    {"not valid yet", {"x", NAMED, .from_days = 1, .to_days = 30}, NULL,
	"not valid yet", BY_MAY},
    {"self-signed", {"x", NAMED, GOOD, .self_signed = true}, NULL,
	"self-signed", BY_MAY},
    {"wrong host", {"x", "DNS:other.example", GOOD}, NULL,
	"for other.example, not for mail.example", BY_MAY},
    {"a host above", {"x", "DNS:example", GOOD}, NULL, "not for mail.example",
	BY_MAY},
    {"a host below", {"x", "DNS:a.mail.example", GOOD}, NULL,
	"not for mail.example", BY_MAY},
    {"a longer host", {"x", "DNS:mail.example.evil.example", GOOD}, NULL,
	"not for mail.example", BY_MAY},
    {"CN only", {HOST, NULL, GOOD}, NULL, NO_NAMES, BY_MAY},
    {"CN beside another name", {HOST, "DNS:other.example", GOOD}, NULL,
	"not for mail.example", BY_MAY},
    {"CN beside an address", {HOST, "IP:127.0.0.1", GOOD}, NULL,
	"not for mail.example", BY_MAY},
    {"CN beside mail", {HOST, "email:a@mail.example", GOOD}, NULL, NO_NAMES,
	BY_MAY},
    {"URI", {"x", "URI:https://mail.example/", GOOD}, NULL, NO_NAMES, BY_MAY},
    {"wildcard", {"x", "DNS:*.mail.example", GOOD}, "a.mail.example", NULL,
	BY_MAY},
    {"wildcard of two labels", {"x", "DNS:*.mail.example", GOOD},
	"a.b.mail.example", "not for a.b.mail.example", BY_MAY},
    {"*.example", {"x", "DNS:*.example", GOOD}, NULL, "not for mail.example",
	BY_MAY},
    {"*.*", {"x", "DNS:*.*", GOOD}, NULL, "not for mail.example", BY_MAY},
    {"*", {"x", "DNS:*", GOOD}, NULL, "not for mail.example", BY_MAY},
    {"f*.x", {"x", "DNS:ma*.mail.example", GOOD}, "max.mail.example",
	"not for max.mail.example", BY_MAY},
    {"*f.x", {"x", "DNS:*x.mail.example", GOOD}, "max.mail.example",
	"not for max.mail.example", BY_MAY},
    {"wildcard behind", {"x", "DNS:mail.*", GOOD}, NULL, "not for mail.example",
	BY_MAY},
    {"NUL in SAN",
	{"x", "mail.example\0.evil.example", GOOD, .raw_name_len = 26}, NULL,
	"not for mail.example", BY_MAY},
    {"NUL in CN",
	{"mail.example\0.evil.example", NULL, GOOD, .common_name_len = 26},
	NULL, NO_NAMES, BY_MAY},
    {"NUL in CN beside a SAN",
	{"mail.example\0.evil.example", "DNS:evil.example", GOOD,
	    .common_name_len = 26},
	NULL, "not for mail.example", BY_MAY},
    {"control characters in SAN",
	{"x", "\x1b[2J\r\n250 ok", GOOD, .raw_name_len = 12}, NULL,
	"not for mail.example", BY_MAY},
    {"IP SAN", {"x", "IP:127.0.0.1", GOOD}, "", NULL, BY_MAY},
    {"wrong IP SAN", {"x", "IP:127.0.0.2", GOOD}, "", "not for 127.0.0.1",
	BY_MAY},
    {"IP as a DNS name", {"x", "DNS:127.0.0.1", GOOD}, "", "not for 127.0.0.1",
	BY_MAY},
    {"IP as CN", {"127.0.0.1", NULL, GOOD}, "", "127.0.0.1", BY_MAY},
    {"wildcard of an IP", {"x", "DNS:*.0.0.1", GOOD}, "", "not for 127.0.0.1",
	BY_MAY},
    {"for clients", {"x", NAMED, GOOD, .usage = "clientAuth"}, NULL,
	"not for a server", BY_MAY},
    {"3 deep", {"x", NAMED, GOOD, .depth = 3}, NULL, NULL, BY_MAY},
    {"100 deep", {"x", NAMED, GOOD, .depth = 100}, NULL, "chain is too long",
	BY_OWN},
    {"1 MB", {"x", NAMED, GOOD, .copies = 3000}, NULL, "chain is too large",
	BY_NONE},
};

/* ---- one session ---- */

struct run {
	const char *name;
	enum smtp_tls tls;
	enum hostile_channel channel;
	const char *host; /* as in a row */
	bool is_own;      /* an SSL_CTX of the caller's */
	int err;
	const char *why; /* part of it; or NULL */
	int64_t wait_ms; /* for the handshake; 0: long */
};

static int
log_in_and_send(struct smtp *session, const char *host)
{
	int err = smtp_connect(session, host, NULL);

	if (err == SMTP_OK)
		err = smtp_login(session, "u", HOSTILE_PASSWORD, 1);
	if (err == SMTP_OK)
		err = smtp_sendmail(
		    session, "x@y", one, "Hi\n", 3, 1, NULL, NULL);
	return err;
}

static void
check(const struct smtp *session, int err, const struct run *run)
{
	const char *why = smtp_last_errmsg(session);
	const enum smtp_stage stage = run->channel == HOSTILE_TLS_IMPLICIT
	    ? SMTP_S_CONNECT
	    : SMTP_S_STARTTLS;

	cr_expect_eq(
	    err, run->err, "%s: %d, not %d: %s", run->name, err, run->err, why);
	if (run->err == SMTP_OK)
		return;
	cr_expect_eq(smtp_last_class(session), SMTP_C_CONN, "%s", run->name);
	cr_expect_eq(smtp_last_stage(session), stage, "%s: stage %d", run->name,
	    (int)smtp_last_stage(session));
	cr_expect_not(smtp_connected(session), "%s", run->name);
	if (run->why != NULL)
		cr_expect_not_null(
		    strstr(why, run->why), "%s: %s", run->name, why);
	for (const char *p = why; *p != '\0'; p++)
		cr_expect(*p >= ' ' && *p <= '~', "%s: octet %02x", run->name,
		    (unsigned char)*p);
}

static void
check_server(const struct hostile_server *server, const struct run *run)
{
	const bool is_good = run->err == SMTP_OK;

	hostile_expect_secret(hostile_server_clear(server), run->name);
	cr_expect_eq(hostile_server_taken(server) > 0, is_good, "%s: %u",
	    run->name, hostile_server_taken(server));
	if (!is_good)
		hostile_expect_secret(hostile_server_heard(server), run->name);
	cr_expect_str_empty(hostile_server_faults(server), "%s: %s", run->name,
	    hostile_server_faults(server));
}

static void
try_run(const struct hostile_scene *scene, const struct run *run,
    struct hostile_options where)
{
	const int descriptors = open_descriptors();
	struct smtp_options options =
	    hostile_scene_options(scene, run->channel);

	options.tls = run->tls;
	options.ssl_ctx = run->is_own ? scene->ssl_ctx : NULL;
	options.tls_name = run->host == NULL ? HOST
	    : run->host[0] != '\0'           ? run->host
					     : NULL;
	options.t_other = run->wait_ms;
	where.channel = run->channel;
	where.keywords = "AUTH PLAIN";
	where.allowed = WIRE_FAULT_BIT(WIRE_NO_QUIT);
	struct hostile_server *server = hostile_server_new(&where);
	const size_t memory = hostile_memory_mark();
	struct smtp *session = smtp_new(&options);
	check(session, log_in_and_send(session, hostile_server_host(server)),
	    run);
	hostile_expect_memory(memory, (size_t)8 * 1024 * 1024, run->name);
	smtp_free(session);
	hostile_server_join(server);
	check_server(server, run);
	hostile_server_free(server);
	cr_expect_eq(open_descriptors(), descriptors, "%s", run->name);
}

/* Verified, in every way there is. */
static void
try_verified(const struct hostile_scene *scene, struct run run,
    bool is_good_if_own, const struct hostile_options *where)
{
	char name[128];

	for (unsigned i = 0; i < 4; i++) {
		const bool is_first = i % 2 == 1;
		run.tls = is_first ? SMTP_TLS_IMPLICIT : SMTP_TLS_MUST;
		run.channel =
		    is_first ? HOSTILE_TLS_IMPLICIT : HOSTILE_TLS_STARTED;
		run.is_own = i / 2 == 1;
		if (run.is_own && is_good_if_own)
			run.err = SMTP_OK;
		(void)snprintf(name, sizeof(name), "%s, %s%s", run.name,
		    hostile_channel_name(run.channel),
		    run.is_own ? ", own context" : "");
		struct run named = run;
		named.name = name;
		try_run(scene, &named, *where);
	}
}

/* An authority that the library's own policy believes, too. */
static void
init(struct hostile_scene *scene)
{
	hostile_scene_init(scene);
	setenv("SSL_CERT_FILE", tls_authority_path(scene->authority), 1);
	setenv("SSL_CERT_DIR", "/nowhere", 1);
}

Test(certificate, that_is_bad_is_never_told_anything)
{
	struct hostile_scene scene;

	init(&scene);
	for (size_t i = 0; i < sizeof(certificates) / sizeof(certificates[0]);
	     i++) {
		const struct row *row = &certificates[i];
		const struct hostile_options where = {
		    .certificate =
			tls_authority_issue(scene.authority, &row->order)};
		const struct run run = {
		    .name = row->name,
		    .host = row->host,
		    .err = row->why != NULL ? SMTP_E_TLS : SMTP_OK,
		    .why = row->why,
		};
		try_verified(&scene, run, row->belief == BY_OWN, &where);
	}
	hostile_scene_clear(&scene);
}

/* MAY: encrypted, but not verified, as smtp.h says. */
Test(certificate, does_not_matter_where_TLS_is_only_welcome)
{
	struct hostile_scene scene;

	init(&scene);
	for (size_t i = 0; i < sizeof(certificates) / sizeof(certificates[0]);
	     i++) {
		const struct row *row = &certificates[i];
		const struct hostile_options where = {
		    .certificate =
			tls_authority_issue(scene.authority, &row->order)};
		const struct run run = {
		    .name = row->name,
		    .tls = SMTP_TLS_MAY,
		    .channel = HOSTILE_TLS_STARTED,
		    .host = row->host,
		    .err = row->belief != BY_NONE ? SMTP_OK : SMTP_E_TLS,
		};
		try_run(&scene, &run, where);
	}
	hostile_scene_clear(&scene);
}

Test(certificate, of_an_authority_that_is_not_known)
{
	struct tls_authority *other = tls_authority_new();
	struct hostile_scene scene;

	init(&scene);
	const struct hostile_options where = {
	    .certificate = tls_authority_issue_for(other, NAMED)};
	const struct run run = {
	    .name = "another authority",
	    .err = SMTP_E_TLS,
	    .why = "not trusted",
	};
	try_verified(&scene, run, false, &where);
	hostile_scene_clear(&scene);
	tls_authority_free(other);
}

/* ---- handshakes ---- */

static void
only_tls10(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_VERSION);
	SSL_CTX_set_cipher_list(ssl_ctx, "ALL:@SECLEVEL=0");
}

static void
only_tls11(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_1_VERSION);
	SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_1_VERSION);
	SSL_CTX_set_cipher_list(ssl_ctx, "ALL:@SECLEVEL=0");
}

static void
only_anonymous(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(ssl_ctx, "aNULL:@SECLEVEL=0");
}

static void
only_unencrypted(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(ssl_ctx, "eNULL:@SECLEVEL=0");
}

static void
only_tls12(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_2_VERSION);
}

static void
wants_certificate(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(
	    ssl_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

struct handshake {
	const char *name;
	void (*configure)(SSL_CTX *ssl_ctx);
	const char *why; /* NULL: it is good */
};

static const struct handshake handshakes[] = {
    {"TLS 1.2", only_tls12, NULL},
    {"TLS 1.0", only_tls10, "TLS"},
    {"TLS 1.1", only_tls11, "TLS"},
    {"no cipher in common", only_anonymous, "TLS"},
    {"no encryption", only_unencrypted, "TLS"},
    {"wants a certificate of ours", wants_certificate, "TLS"},
};

Test(certificate, is_not_enough_for_a_handshake)
{
	struct hostile_scene scene;

	init(&scene);
	const char *path = tls_authority_issue_for(scene.authority, NAMED);
	for (size_t i = 0; i < sizeof(handshakes) / sizeof(handshakes[0]);
	     i++) {
		const struct handshake *row = &handshakes[i];
		const struct hostile_options where = {
		    .certificate = path, .configure = row->configure};
		struct run run = {
		    .name = row->name,
		    .err = row->why != NULL ? SMTP_E_TLS : SMTP_OK,
		    .why = row->why,
		};
		try_verified(&scene, run, false, &where);
		run.tls = SMTP_TLS_MAY;
		run.channel = HOSTILE_TLS_STARTED;
		try_run(&scene, &run, where);
	}
	hostile_scene_clear(&scene);
}

#define SAYS(text)      .says = {text, sizeof(text) - 1}
#define A5_16           "\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5"
#define IT(name, then_) name, "I12", .then = HOSTILE_##then_

static const struct broken_row {
	struct hostile_act act;
	int err;
	const char *why;
} broken[] = {
    {{IT("close", CLOSE), SAYS("")}, SMTP_E_TLS, "closed"},
    {{IT("reset", RESET), SAYS("")}, SMTP_E_TLS, "reset"},
    {{IT("close within a record", CLOSE), SAYS("\x16\x03\x03\x00\x7a\x02")},
	SMTP_E_TLS, "closed"},
    {{IT("4 KiB of garbage", HANG), SAYS(A5_16), .times = 256}, SMTP_E_TLS,
	"does not speak TLS"},
    {{IT("4 KiB of NUL", HANG), SAYS("\0\0\0\0\0\0\0\0"), .times = 512},
	SMTP_E_TLS, "does not speak TLS"},
    {{IT("16 MB of garbage", HANG), SAYS(A5_16), .times = 1 << 20}, SMTP_E_TLS,
	"does not speak TLS"},
    {{IT("SMTP", HANG), SAYS("220 mail.example ESMTP\r\n")}, SMTP_E_TLS,
	"does not speak TLS"},
    {{IT("HTTP", CLOSE), SAYS("HTTP/1.1 400 Bad Request\r\n\r\n")}, SMTP_E_TLS,
	"does not speak TLS"},
    {{IT("an alert", HANG), SAYS("\x15\x03\x03\x00\x02\x02\x28")}, SMTP_E_TLS,
	"nothing in common"},
    {{IT("alerts without end", HANG), SAYS("\x15\x03\x03\x00\x02\x01\x5a"),
	 .times = 100000},
	SMTP_E_TLS, "TLS"},
    {{IT("empty records without end", HANG), SAYS("\x16\x03\x03\x00\x00"),
	 .times = 100000},
	SMTP_E_TLS, "TLS"},
    {{IT("a record too large", HANG), SAYS("\x16\x03\x03\xff\xff" A5_16),
	 .times = 5000},
	SMTP_E_TLS, "TLS"},
    {{IT("silence", HANG), SAYS("")}, SMTP_E_TIMEOUT, "timed out"},
    {{IT("silence within a record", HANG), SAYS("\x16\x03\x03\x00\x7a\x02")},
	SMTP_E_TIMEOUT, "timed out"},
    {{IT("drops within a record", DRIP), SAYS("\x16\x03\x03\x40\x00\x02")},
	SMTP_E_TIMEOUT, "timed out"},
};

Test(certificate, never_comes_from_who_speaks_no_TLS)
{
	struct hostile_scene scene;

	init(&scene);
	const char *path = tls_authority_issue_for(scene.authority, NAMED);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		const bool is_late = broken[i].err == SMTP_E_TIMEOUT;
		const struct hostile_options where = {.certificate = path,
		    .act = &broken[i].act,
		    .stage = HOSTILE_HANDSHAKE};
		struct run run = {
		    .name = broken[i].act.name,
		    .err = broken[i].err,
		    .why = broken[i].why,
		    .wait_ms = is_late ? SHORT_MS : 0,
		};
		try_verified(&scene, run, false, &where);
		/* Even then: nothing goes on in clear by itself. */
		run.tls = SMTP_TLS_MAY;
		run.channel = HOSTILE_TLS_STARTED;
		try_run(&scene, &run, where);
	}
	hostile_scene_clear(&scene);
}

/* ---- I15: what was believed once ---- */

/* Twice to the same server, with other settings; what comes of each. */
struct again {
	const char *name;
	enum smtp_tls first;
	const char *first_host;
	enum smtp_tls then;
	const char *then_host;
	int err; /* of the second */
};

static const struct again agains[] = {
    {"the same", SMTP_TLS_MUST, HOST, SMTP_TLS_MUST, HOST, SMTP_OK},
    {"another name", SMTP_TLS_MUST, HOST, SMTP_TLS_MUST, "other.example",
	SMTP_E_TLS},
    {"not verified before", SMTP_TLS_MAY, "other.example", SMTP_TLS_MUST,
	"other.example", SMTP_E_TLS},
    {"verified before", SMTP_TLS_MUST, HOST, SMTP_TLS_MAY, "other.example",
	SMTP_OK},
};

static void
try_again(const struct hostile_scene *scene, const struct again *row,
    void (*configure)(SSL_CTX *), const char *path)
{
	const struct hostile_options where = {.certificate = path,
	    .channel = HOSTILE_TLS_STARTED,
	    .keywords = "AUTH PLAIN",
	    .configure = configure,
	    .allowed = WIRE_FAULT_BIT(WIRE_NO_QUIT)};
	struct smtp_options options =
	    hostile_scene_options(scene, HOSTILE_TLS_STARTED);
	struct hostile_server *server = hostile_server_new(&where);

	options.ssl_ctx = NULL;
	struct smtp *session = smtp_new(&options);
	(void)smtp_set_tls(session, row->first, NULL, row->first_host);
	int err = log_in_and_send(session, hostile_server_host(server));
	cr_expect_eq(
	    err, SMTP_OK, "%s: %s", row->name, smtp_last_errmsg(session));
	(void)smtp_quit(session);
	(void)smtp_set_tls(session, row->then, NULL, row->then_host);
	err = log_in_and_send(session, hostile_server_host(server));
	cr_expect_eq(err, row->err, "%s: %d %s", row->name, err,
	    smtp_last_errmsg(session));
	smtp_free(session);
	hostile_server_join(server);
	cr_expect_eq(hostile_server_taken(server),
	    row->err == SMTP_OK ? 2U : 1U, "%s", row->name);
	hostile_expect_secret(hostile_server_clear(server), row->name);
	hostile_server_free(server);
}

Test(certificate, is_believed_again_only_for_the_same_name_and_policy)
{
	struct hostile_scene scene;

	init(&scene);
	const char *path = tls_authority_issue_for(scene.authority, NAMED);
	for (size_t i = 0; i < sizeof(agains) / sizeof(agains[0]); i++) {
		try_again(&scene, &agains[i], NULL, path);
		try_again(&scene, &agains[i], only_tls12, path);
	}
	hostile_scene_clear(&scene);
}

/* The session is resumable, the server is another one with a bad one. */
Test(certificate, that_has_changed_is_looked_at)
{
	static const char *const names[] = {NAMED, "DNS:other.example"};
	struct hostile_scene scene;

	init(&scene);
	struct smtp_options options =
	    hostile_scene_options(&scene, HOSTILE_TLS_STARTED);
	options.ssl_ctx = NULL;
	options.tls_name = HOST;
	struct smtp *session = smtp_new(&options);
	for (size_t i = 0; i < 2; i++) {
		const struct hostile_options where = {
		    .certificate =
			tls_authority_issue_for(scene.authority, names[i]),
		    .channel = HOSTILE_TLS_STARTED,
		    .keywords = "AUTH PLAIN",
		    .allowed = WIRE_FAULT_BIT(WIRE_NO_QUIT)};
		struct hostile_server *server = hostile_server_new(&where);
		const int err =
		    log_in_and_send(session, hostile_server_host(server));
		cr_expect_eq(err, i == 0 ? SMTP_OK : SMTP_E_TLS, "%zu: %s", i,
		    smtp_last_errmsg(session));
		smtp_close(session);
		hostile_server_join(server);
		cr_expect_eq(hostile_server_taken(server), i == 0 ? 1U : 0U);
		hostile_expect_secret(hostile_server_clear(server), names[i]);
		hostile_server_free(server);
	}
	smtp_free(session);
	hostile_scene_clear(&scene);
}
