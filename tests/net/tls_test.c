#include "lib/loop_until.h"
#include "lib/tls_scene.h"
#include "net/tls.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ---- threats: I12 ---- */

#define GOOD .from_days = -1, .to_days = 30

struct verify_row {
	const char *name;
	struct tls_authority_order order;
	const char *expects; /* the name the client was told */
	enum tls_verify verify;
	const char *error; /* NULL: secured */
	bool is_verified;
};

#define UNTRUSTED                                                              \
	"certificate is signed by an authority that is not trusted here, "     \
	"or the server does not send the whole chain"
#define NO_NAMES                                                               \
	"certificate has no subjectAltName (its common name does not count), " \
	"not for mail.example"

static const struct verify_row verify_rows[] = {
    {"good", {"x", "DNS:mail.example", GOOD}, "mail.example", TLS_VERIFY_FULL,
	NULL, true},
    {"good, of several",
	{"x", "DNS:a.example,IP:192.0.2.1,DNS:mail.example", GOOD},
	"mail.example", TLS_VERIFY_FULL, NULL, true},
    {"good, other letters", {"x", "DNS:MAIL.example", GOOD}, "mail.EXAMPLE",
	TLS_VERIFY_FULL, NULL, true},
    {"good, final dot", {"x", "DNS:mail.example", GOOD}, "mail.example.",
	TLS_VERIFY_FULL, NULL, true},
    {"good, intermediates", {"x", "DNS:mail.example", GOOD, .depth = 3},
	"mail.example", TLS_VERIFY_FULL, NULL, true},
    {"expired", {"x", "DNS:mail.example", .from_days = -30, .to_days = -1},
	"mail.example", TLS_VERIFY_FULL, "certificate has expired", false},
    {"not valid yet", {"x", "DNS:mail.example", .from_days = 1, .to_days = 30},
	"mail.example", TLS_VERIFY_FULL, "certificate is not valid yet", false},
    {"self-signed", {"x", "DNS:mail.example", GOOD, .self_signed = true},
	"mail.example", TLS_VERIFY_FULL, "certificate is self-signed", false},
    {"wrong host", {"x", "DNS:a.example,DNS:b.example", GOOD}, "mail.example",
	TLS_VERIFY_FULL,
	"certificate is for a.example, b.example, not for mail.example", false},
    {"CN only", {"mail.example", NULL, GOOD}, "mail.example", TLS_VERIFY_FULL,
	NO_NAMES, false},
    {"CN beside a SAN without names",
	{"mail.example", "email:a@mail.example", GOOD}, "mail.example",
	TLS_VERIFY_FULL, NO_NAMES, false},
    {"wildcard", {"x", "DNS:*.mail.example", GOOD}, "a.mail.example",
	TLS_VERIFY_FULL, NULL, true},
    {"wildcard, two labels", {"x", "DNS:*.mail.example", GOOD},
	"a.b.mail.example", TLS_VERIFY_FULL,
	"certificate is for *.mail.example, not for a.b.mail.example", false},
    {"wildcard, no label", {"x", "DNS:*.mail.example", GOOD}, "mail.example",
	TLS_VERIFY_FULL,
	"certificate is for *.mail.example, not for mail.example", false},
    {"wildcard of a whole top", {"x", "DNS:*.example", GOOD}, "mail.example",
	TLS_VERIFY_FULL, "certificate is for *.example, not for mail.example",
	false},
    {"*.*", {"x", "DNS:*.*", GOOD}, "mail.example", TLS_VERIFY_FULL,
	"certificate is for *.*, not for mail.example", false},
    {"*", {"x", "DNS:*", GOOD}, "mail.example", TLS_VERIFY_FULL,
	"certificate is for *, not for mail.example", false},
    {"partial wildcard", {"x", "DNS:ma*.mail.example", GOOD},
	"max.mail.example", TLS_VERIFY_FULL,
	"certificate is for ma*.mail.example, not for max.mail.example", false},
    {"NUL in SAN",
	{"x", "mail.example\0.evil.example", GOOD, .raw_name_len = 26},
	"mail.example", TLS_VERIFY_FULL,
	"certificate is for mail.example?.evil.example, not for mail.example",
	false},
    {"control characters in SAN",
	{"x", "\x1b[2J\r\n250 ok", GOOD, .raw_name_len = 12}, "mail.example",
	TLS_VERIFY_FULL,
	"certificate is for ?[2J??250?ok, not for mail.example", false},
    {"IP SAN", {"x", "IP:127.0.0.1", GOOD}, "127.0.0.1", TLS_VERIFY_FULL, NULL,
	true},
    {"IPv6 SAN, brackets", {"x", "IP:::1", GOOD}, "[::1]", TLS_VERIFY_FULL,
	NULL, true},
    {"wrong IP SAN", {"x", "IP:127.0.0.2,IP:2001:db8::1", GOOD}, "127.0.0.1",
	TLS_VERIFY_FULL,
	"certificate is for 127.0.0.2, 2001:db8::1, not for 127.0.0.1", false},
    {"IP as a DNS name", {"x", "DNS:127.0.0.1", GOOD}, "127.0.0.1",
	TLS_VERIFY_FULL, "certificate is for 127.0.0.1, not for 127.0.0.1",
	false},
    {"for clients", {"x", "DNS:mail.example", GOOD, .usage = "clientAuth"},
	"mail.example", TLS_VERIFY_FULL, "certificate is not for a server",
	false},
    {"chain too deep", {"x", "DNS:mail.example", GOOD, .depth = 20},
	"mail.example", TLS_VERIFY_FULL, "certificate chain is too long",
	false},
    {"chain too large", {"x", "DNS:mail.example", GOOD, .copies = 1000},
	"mail.example", TLS_VERIFY_FULL,
	"TLS handshake: the certificate chain is too large", false},
    {"authority alone: wrong host", {"x", "DNS:a.example", GOOD},
	"mail.example", TLS_VERIFY_CA, NULL, false},
    {"authority alone: expired",
	{"x", "DNS:mail.example", .from_days = -30, .to_days = -1},
	"mail.example", TLS_VERIFY_CA, "certificate has expired", false},
    {"off: expired, wrong host, self-signed",
	{"x", "DNS:a.example", .from_days = -30, .to_days = -1,
	    .self_signed = true},
	"mail.example", TLS_VERIFY_OFF, NULL, false},
};

static void
expect_row(struct tls_scene *scene, const struct verify_row *row)
{
	struct tls_talk talk;

	tls_scene_client(scene, row->verify, 12);
	tls_scene_server(
	    scene, tls_authority_issue(scene->authority, &row->order));
	tls_talk_init(&talk, scene);
	tls_talk_shake(&talk, row->expects);
	if (row->error == NULL) {
		cr_expect_eq(talk.client.counts[CONN_SECURED], 1, "%s: %s",
		    row->name, talk.client.error.text);
		const struct tls_summary *summary = conn_tls(talk.client.conn);
		if (summary != NULL)
			cr_expect_eq(summary->verified, row->is_verified, "%s",
			    row->name);
	} else {
		cr_expect_eq(
		    talk.client.counts[CONN_FAILED], 1, "%s", row->name);
		cr_expect_eq(
		    talk.client.error.kind, ERROR_TLS, "%s", row->name);
		cr_expect_str_eq(
		    talk.client.error.text, row->error, "%s", row->name);
		cr_expect_null(conn_tls(talk.client.conn), "%s", row->name);
	}
	tls_talk_clear(&talk);
}

Test(tls, verifies_chain_and_name)
{
	struct tls_scene scene;

	tls_scene_init(&scene);
	for (size_t i = 0; i < sizeof(verify_rows) / sizeof(verify_rows[0]);
	     i++)
		expect_row(&scene, &verify_rows[i]);
	tls_scene_clear(&scene);
}

Test(tls, does_not_trust_another_authority)
{
	struct tls_scene scene;
	struct tls_authority *other;
	struct tls_talk talk;

	tls_scene_good(&scene);
	other = tls_authority_new();
	tls_scene_server(
	    &scene, tls_authority_issue_for(other, "DNS:mail.example"));
	tls_talk_init(&talk, &scene);
	tls_talk_shake(&talk, "mail.example");
	cr_expect_str_eq(talk.client.error.text, UNTRUSTED);
	tls_talk_clear(&talk);
	tls_authority_free(other);
	tls_scene_clear(&scene);
}

Test(tls, refuses_names_that_would_match_anything)
{
	static const char *const names[] = {"", ".", ".example", "..",
	    "*.example", "[]", "a b", "a\nb", "mail.example\r\n"};
	struct tls_scene scene;
	struct tls_talk talk;

	tls_scene_good(&scene);
	tls_talk_init(&talk, &scene);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_expect_not(conn_start_tls(talk.client.conn, scene.client,
				  names[i], &scene.error),
		    "\"%s\"", names[i]);
	cr_expect_eq(scene.error.kind, ERROR_TLS);
	tls_talk_clear(&talk);
	tls_scene_clear(&scene);
}

/* ---- versions and ciphers ---- */

static void
only_tls11(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_1_VERSION);
	SSL_CTX_set_cipher_list(ssl_ctx, "ALL:@SECLEVEL=0");
}

static void
only_anonymous(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(ssl_ctx, "aNULL:@SECLEVEL=0");
}

struct version_row {
	const char *name;
	void (*configure)(SSL_CTX *);
	int version_min;
	const char *version; /* NULL: fails */
	const char *error;
};

Test(tls, speaks_no_version_or_cipher_too_weak)
{
	static const struct version_row rows[] = {
	    {"all", NULL, 12, "TLSv1.3", NULL},
	    {"TLS 1.2", tls_scene_only_tls12, 12, "TLSv1.2", NULL},
	    {"TLS 1.2, but 1.3 is wanted", tls_scene_only_tls12, 13, NULL,
		"TLS handshake: no TLS version in common"},
	    {"TLS 1.1", only_tls11, 12, NULL,
		"TLS handshake: no TLS version in common"},
	    {"no cipher in common", only_anonymous, 12, NULL,
		"TLS handshake: the peer finds nothing in common, or wants a "
		"certificate of ours"},
	};
	struct tls_scene scene;

	tls_scene_good(&scene);
	const char *path =
	    tls_authority_issue_for(scene.authority, "DNS:mail.example");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_talk talk;
		tls_scene_client(&scene, TLS_VERIFY_FULL, rows[i].version_min);
		tls_scene_server_of(&scene, path, rows[i].configure);
		tls_talk_init(&talk, &scene);
		tls_talk_shake(&talk, "mail.example");
		const struct tls_summary *summary = conn_tls(talk.client.conn);
		if (rows[i].version == NULL) {
			cr_expect_null(summary, "%s", rows[i].name);
			cr_expect_str_eq(talk.client.error.text, rows[i].error,
			    "%s", rows[i].name);
		} else {
			cr_assert_not_null(summary, "%s: %s", rows[i].name,
			    talk.client.error.text);
			cr_expect_str_eq(summary->version, rows[i].version);
			cr_expect_gt(strlen(summary->cipher), 0);
		}
		tls_talk_clear(&talk);
	}
	tls_scene_clear(&scene);
}

/* ---- files ---- */

Test(tls, names_the_file_that_is_wrong)
{
	struct tls_scene scene;
	char expected[300];

	tls_scene_init(&scene);
	const char *good =
	    tls_authority_issue_for(scene.authority, "DNS:mail.example");
	const char *other_key = tls_authority_key(scene.authority, NULL);
	const char *locked_key = tls_authority_key(scene.authority, "secret");
	const char *nowhere = tls_authority_nowhere(scene.authority);
	struct tls_client_options options = {
	    .verify = TLS_VERIFY_FULL, .ca = nowhere, .version_min = 12};

	cr_expect_not(tls_client_new(&options, &scene.client, &scene.error));
	snprintf(expected, sizeof(expected),
	    "authorities %s: No such file or directory", nowhere);
	cr_expect_eq(scene.error.kind, ERROR_CONFIG);
	cr_expect_str_eq(scene.error.text, expected);

	cr_expect_not(
	    tls_server_new(nowhere, NULL, &scene.server, &scene.error));
	snprintf(expected, sizeof(expected),
	    "certificate %s: No such file or directory", nowhere);
	cr_expect_str_eq(scene.error.text, expected);

	cr_expect_not(
	    tls_server_new(good, nowhere, &scene.server, &scene.error));
	cr_expect_not(
	    tls_server_new(good, other_key, &scene.server, &scene.error));
	snprintf(expected, sizeof(expected), "key %s: key values mismatch",
	    other_key);
	cr_expect_str_eq(scene.error.text, expected);
	cr_expect_not(
	    tls_server_new(good, locked_key, &scene.server, &scene.error));
	cr_expect_eq(scene.error.kind, ERROR_CONFIG);

	options.ca = NULL;
	cr_expect(tls_client_new(&options, &scene.client, &scene.error), "%s",
	    scene.error.text);
	tls_scene_clear(&scene);
}
