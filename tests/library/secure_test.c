/* TLS and AUTH, as smtplib has them and better. */
#include "lib/library_scene.h"
#include "lib/tls_authority.h"

#include <openssl/ssl.h>
#include <stdio.h>

static const char *const one[] = {"a@y", NULL};

#define OFFER EHLO_OF("S:250-STARTTLS\n")
#define START OFFER "C:STARTTLS\r\nS:220 go\nT\n"
#define PLAIN EHLO_OF("S:250-AUTH PLAIN LOGIN\n")
#define LETTER                                                                 \
	"C:mail from:<x@y>\nS:250 ok\nC:rcpt to:<a@y>\nS:250 ok\n"             \
	"C:data\nS:354 go\nD\nS:250 ok\n"

/* A server with a certificate for 127.0.0.1, and a context that believes it. */
struct secure_scene {
	struct tls_authority *authority;
	SSL_CTX *ssl_ctx;
	struct library_scene scene;
	int connected;
};

static void
secure_init(struct secure_scene *secure, const char *script,
    struct smtp_options options, const char *names)
{
	secure->authority = tls_authority_new();
	secure->ssl_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(secure->ssl_ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_load_verify_locations(
	    secure->ssl_ctx, tls_authority_path(secure->authority), NULL);
	const struct script_options where = {
	    .certificate = tls_authority_issue_for(secure->authority, names)};
	library_scene_begin(&secure->scene, script, &options, &where);
	(void)smtp_set_tls(
	    secure->scene.session, options.tls, secure->ssl_ctx, NULL);
	secure->connected = smtp_connect(secure->scene.session,
	    script_server_host(secure->scene.server), NULL);
}

static void
secure_clear(struct secure_scene *secure)
{
	library_scene_clear(&secure->scene);
	SSL_CTX_free(secure->ssl_ctx);
	tls_authority_free(secure->authority);
}

#define HERE "IP:127.0.0.1"

/* ---- STARTTLS ---- */

/* Row 60. */
Test(starttls, forgets_all_and_says_no_EHLO_by_itself)
{
	struct secure_scene secure;

	secure_init(&secure, GREETING START "C:noop\r\nS:250 ok\n",
	    (struct smtp_options){0}, HERE);
	struct smtp *session = secure.scene.session;
	cr_expect_eq(smtp_starttls(session, NULL, NULL), SMTP_OK, "%s",
	    smtp_last_errmsg(session));
	cr_expect_eq(smtp_last_code(session), 220);
	cr_expect_not(smtp_does_esmtp(session));
	cr_expect_null(smtp_ehlo_resp(session));
	cr_expect_eq(smtp_noop(session), SMTP_OK);
	cr_expect_eq(smtp_starttls(session, NULL, NULL), SMTP_E_INVAL);
	secure_clear(&secure);
}

/* Row 60. */
Test(starttls, is_refused_or_not_offered)
{
	struct library_scene scene;

	library_scene_init(&scene, GREETING EHLO "C:noop\nS:250 ok\n", NULL);
	cr_expect_eq(smtp_starttls(scene.session, NULL, NULL), SMTP_E_NOTSUPP);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	library_scene_clear(&scene);

	library_scene_init(&scene,
	    GREETING OFFER "C:STARTTLS\nS:454 later\nC:noop\nS:250 ok\n", NULL);
	cr_expect_eq(smtp_starttls(scene.session, NULL, NULL), SMTP_E_RESPONSE);
	cr_expect_eq(smtp_last_code(scene.session), 454);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	library_scene_clear(&scene);
}

/* Row 60. */
Test(starttls, ends_where_something_lies_behind_its_220)
{
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING OFFER "C:STARTTLS\nR:220 go\\r\\n250-evil\\r\\n\n", NULL);
	cr_expect_eq(smtp_starttls(scene.session, NULL, NULL), SMTP_E_PROTO);
	cr_expect_eq(smtp_last_stage(scene.session), SMTP_S_STARTTLS);
	cr_expect_not(smtp_connected(scene.session));
	library_scene_clear(&scene);
}

/* Row 61. */
Test(starttls, fails_for_ever_where_the_handshake_does)
{
	static const struct {
		const char *script;
		const char *names;
		int own; /* our context */
	} rows[] = {
	    {GREETING START, "DNS:other.example", 1},
	    {GREETING START, HERE, 0},
	    {GREETING OFFER "C:STARTTLS\nS:220 go\nB5\nS:garbage\n", HERE, 1},
	    {GREETING OFFER "C:STARTTLS\nS:220 go\nB5\nX\n", HERE, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct secure_scene secure;
		secure_init(&secure, rows[i].script, (struct smtp_options){0},
		    rows[i].names);
		struct smtp *session = secure.scene.session;
		if (rows[i].own == 0)
			(void)smtp_set_tls(session, SMTP_TLS_OFF, NULL, NULL);
		cr_expect_eq(smtp_starttls(session, NULL, NULL), SMTP_E_TLS,
		    "%zu: %s", i, smtp_last_errmsg(session));
		cr_expect_eq(smtp_last_class(session), SMTP_C_CONN);
		cr_expect_not(smtp_connected(session));
		cr_expect_null(
		    strstr(library_scene_heard(&secure.scene), "mail"));
		secure_clear(&secure);
	}
}

/* Row 61. */
Test(tls, comes_by_itself_before_a_mail)
{
	static const struct {
		enum smtp_tls tls;
		const char *script;
		int err;
	} rows[] = {
	    {SMTP_TLS_MUST, GREETING START EHLO LETTER, SMTP_OK},
	    {SMTP_TLS_MAY, GREETING START EHLO LETTER, SMTP_OK},
	    {SMTP_TLS_MAY, GREETING EHLO LETTER, SMTP_OK},
	    {SMTP_TLS_MAY, GREETING OFFER "C:STARTTLS\nS:454 no\n" LETTER,
		SMTP_OK},
	    {SMTP_TLS_MUST, GREETING EHLO, SMTP_E_NOTSUPP},
	    {SMTP_TLS_MUST, GREETING OFFER "C:STARTTLS\nS:454 no\n",
		SMTP_E_RESPONSE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct secure_scene secure;
		secure_init(&secure, rows[i].script,
		    (struct smtp_options){.tls = rows[i].tls}, HERE);
		struct smtp *session = secure.scene.session;
		const int err = smtp_sendmail(
		    session, "x@y", one, "hi\n", 3, 1, NULL, NULL);
		cr_expect_eq(err, rows[i].err, "%zu: %d %s", i, err,
		    smtp_last_errmsg(session));
		if (err != SMTP_OK)
			cr_expect_eq(smtp_last_class(session), SMTP_C_CONN);
		secure_clear(&secure);
	}
}

/* Row 62. */
Test(tls, is_there_before_the_greeting_where_implicit)
{
	const struct smtp_options options = {.tls = SMTP_TLS_IMPLICIT};
	struct secure_scene secure;

	secure_init(&secure, "T\n" GREETING EHLO LETTER QUIT, options, HERE);
	struct smtp *session = secure.scene.session;
	cr_expect_eq(secure.connected, SMTP_OK);
	cr_expect_eq(
	    smtp_sendmail(session, "x@y", one, "hi\n", 3, 1, NULL, NULL),
	    SMTP_OK);
	cr_expect_eq(smtp_quit(session), SMTP_OK);
	secure_clear(&secure);

	secure_init(&secure, "T\n" GREETING, options, "DNS:other.example");
	cr_expect_eq(secure.connected, SMTP_E_TLS);
	cr_expect_not(smtp_connected(secure.scene.session));
	secure_clear(&secure);

	secure_init(&secure, GREETING, options, HERE);
	cr_expect_eq(secure.connected, SMTP_E_TLS);
	secure_clear(&secure);
}

/* ---- AUTH ---- */

struct login {
	const char *name;
	const char *script;
	int err;
	int code;
	enum smtp_class cls;
	int waits; /* for the first challenge */
};

static void
check_login(const struct login *row)
{
	const struct smtp_options options = {.auth_in_clear = 1};
	struct library_scene scene;

	library_scene_init(&scene, row->script, &options);
	struct smtp *session = scene.session;
	const int err = smtp_login(session, "u", "p", !row->waits);
	cr_expect_eq(err, row->err, "%s: %d %s", row->name, err,
	    smtp_last_errmsg(session));
	cr_expect_eq(smtp_last_code(session), row->code, "%s: %d", row->name,
	    smtp_last_code(session));
	cr_expect_eq(smtp_last_class(session), row->cls, "%s", row->name);
	cr_expect(smtp_connected(session), "%s", row->name);
	library_scene_clear(&scene);
}

#define ASK "S:334 bG9vcA==\n"

/* Rows 63, 66. */
Test(login, tries_what_is_offered)
{
	static const struct login rows[] = {
	    {"PLAIN", GREETING PLAIN "C:AUTH PLAIN AHUAcA==\nS:235 in\n",
		SMTP_OK, 235, SMTP_C_OK, 0},
	    {"PLAIN, asked for",
		GREETING PLAIN "C:AUTH PLAIN\r\nS:334 \nC:AHUAcA==\nS:235 in\n",
		SMTP_OK, 235, SMTP_C_OK, 1},
	    {"without case",
		GREETING EHLO_OF("S:250-auth plain\n") "C:AUTH PLAIN "
						       "AHUAcA==\nS:235 in\n",
		SMTP_OK, 235, SMTP_C_OK, 0},
	    {"the next one",
		GREETING PLAIN "C:AUTH PLAIN AHUAcA==\nS:504 no\n"
			       "C:AUTH LOGIN dQ==\nS:334 UGFzc3dvcmQ6\n"
			       "C:cA==\nS:235 in\n",
		SMTP_OK, 235, SMTP_C_OK, 0},
	    {"CRAM-MD5",
		GREETING EHLO_OF("S:250-AUTH CRAM-MD5\n") "C:AUTH CRAM-MD5\r\n"
							  "S:334 PDEuMkB4Pg==\n"
							  "C:dS\nS:235 in\n",
		SMTP_OK, 235, SMTP_C_OK, 0},
	    {"503: in already",
		GREETING PLAIN "C:AUTH PLAIN AHUAcA==\nS:503 in\n", SMTP_OK,
		503, SMTP_C_OK, 0},
	    {"wrong password",
		GREETING PLAIN "C:AUTH PLAIN AHUAcA==\nS:535 5.7.8 no\n"
			       "C:AUTH LOGIN dQ==\nS:535 5.7.8 no\n",
		SMTP_E_AUTH, 535, SMTP_C_TEMP, 0},
	    {"later, by the next one",
		GREETING PLAIN "C:AUTH PLAIN AHUAcA==\nS:454 no\n"
			       "C:AUTH LOGIN dQ==\nS:334 UGFzc3dvcmQ6\n"
			       "C:cA==\nS:235 in\n",
		SMTP_OK, 235, SMTP_C_OK, 0},
	    {"later",
		GREETING EHLO_OF("S:250-AUTH PLAIN\n") "C:AUTH PLAIN "
						       "AHUAcA==\nS:454 no\n",
		SMTP_E_AUTH, 454, SMTP_C_TEMP, 0},
	    {"not offered", GREETING EHLO, SMTP_E_NOTSUPP, 454, SMTP_C_TEMP, 0},
	    {"none of ours", GREETING EHLO_OF("S:250-AUTH NTLM\n"),
		SMTP_E_NOMECH, 454, SMTP_C_TEMP, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_login(&rows[i]);
}

/* Row 63. */
Test(login, never_shows_the_password_in_clear)
{
	struct library_scene scene;

	library_scene_init(&scene, GREETING PLAIN "C:noop\nS:250 ok\n", NULL);
	cr_expect_eq(smtp_login(scene.session, "u", "p", 1), SMTP_E_NOMECH);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	library_scene_clear(&scene);
}

/* Row 65. */
Test(login, may_name_its_mechanism)
{
	const struct smtp_options options = {.auth_in_clear = 1};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING PLAIN "C:AUTH LOGIN dQ==\nS:334 x\nC:*\nS:501 no\n"
			   "C:AUTH LOGIN dQ==\nS:334 UA==\nC:cA==\nS:235 in\n",
	    &options);
	struct smtp *session = scene.session;
	cr_expect_eq(smtp_auth(session, "NOSUCH", "u", "p", 1), SMTP_E_NOMECH);
	cr_expect_eq(smtp_auth(session, "LOGIN", NULL, "p", 1), SMTP_E_INVAL);
	cr_expect_eq(smtp_auth(session, "LOGIN", "u", "p", 1), SMTP_E_AUTH);
	cr_expect_eq(smtp_auth(session, "LOGIN", "u", "p", 1), SMTP_OK, "%s",
	    smtp_last_errmsg(session));
	library_scene_clear(&scene);
}

/* ---- by a function of the caller's ---- */

struct teller {
	int calls;
	int gives_up_at;
	char heard[64];
};

static int
tell(void *arg, const void *chal, size_t n, void *out, size_t cap)
{
	struct teller *teller = arg;

	teller->calls++;
	if (teller->calls == teller->gives_up_at)
		return -1;
	if (chal != NULL && n < sizeof(teller->heard))
		memcpy(teller->heard, chal, n);
	cr_expect(cap >= 512);
	memcpy(out, chal == NULL ? "ir" : "r", chal == NULL ? 2 : 1);
	return chal == NULL ? 2 : 1;
}

/* Row 64. */
Test(login, asks_a_function)
{
	static const struct {
		const char *script;
		int gives_up_at;
		int initial;
		int err;
		int calls;
	} rows[] = {
	    {"C:AUTH X-MECH aXI=\r\nS:334 bG9vcA==\nC:cg==\r\nS:235 in\n", 0, 1,
		SMTP_OK, 2},
	    {"C:AUTH X-MECH\r\nS:334 bG9vcA==\nC:cg==\r\nS:235 in\n", 0, 0,
		SMTP_OK, 1},
	    {"C:AUTH X-MECH\r\n" ASK "C:*\r\nS:501 no\n", 1, 0, SMTP_E_AUTH, 1},
	    {"C:AUTH X-MECH\r\nS:334 !\nC:*\r\nS:501 no\n", 0, 0, SMTP_E_AUTH,
		0},
	    {"C:AUTH X-MECH\r\n" ASK "C:cg==\n" ASK "C:cg==\n" ASK
	     "C:cg==\n" ASK "C:cg==\n" ASK "C:cg==\n" ASK "C:*\r\nS:501 no\n",
		0, 0, SMTP_E_AUTHLOOP, SMTP_MAXCHALLENGE},
	};
	char script[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct teller teller = {.gives_up_at = rows[i].gives_up_at};
		struct library_scene scene;
		(void)snprintf(script, sizeof(script), "%s%s%s", GREETING, EHLO,
		    rows[i].script);
		library_scene_init(&scene, script, NULL);
		const int err = smtp_auth_cb(
		    scene.session, "X-MECH", tell, &teller, rows[i].initial);
		cr_expect_eq(err, rows[i].err, "%zu: %d", i, err);
		cr_expect_eq(
		    teller.calls, rows[i].calls, "%zu: %d", i, teller.calls);
		if (err == SMTP_OK)
			cr_expect_str_eq(teller.heard, "loop");
		library_scene_clear(&scene);
	}
}

/* Whoever gave up is not asked again: what he would say now is no answer. */
Test(login, asks_no_function_again_that_gave_up)
{
	struct teller teller = {.gives_up_at = 1};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO "C:AUTH X-MECH\r\nS:334 bG9vcA==\nC:*\r\n"
			  "S:334 bG9vcA==\n",
	    NULL);
	cr_expect_eq(smtp_auth_cb(scene.session, "X-MECH", tell, &teller, 0),
	    SMTP_E_PROTO);
	cr_expect_eq(teller.calls, 1);
	cr_expect_not(smtp_connected(scene.session));
	library_scene_clear(&scene);
}

/* RFC 4954 4: a response has 12288 octets at most, also one that was too long
 * for the line of AUTH and was asked for. */
Test(login, cancels_where_the_response_is_too_long)
{
	const struct smtp_options options = {.auth_in_clear = 1};
	static char password[20001];
	struct library_scene scene;

	memset(password, 'p', sizeof(password) - 1);
	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-AUTH PLAIN\n") "C:AUTH PLAIN\r\nS:334 \n"
						   "C:*\r\nS:501 no\n",
	    &options);
	cr_expect_eq(smtp_login(scene.session, "u", password, 1), SMTP_E_AUTH);
	cr_expect_eq(smtp_last_code(scene.session), 501);
	library_scene_clear(&scene);
}

/* ---- REQUIRETLS, RFC 8689 4.2.1 ---- */

#define REQUIRE                                                                \
	"C:mail from:<x@y> REQUIRETLS\r\nS:250 ok\nC:rcpt to:<a@y>\n"          \
	"S:250 ok\nC:data\nS:354 go\nD\nS:250 ok\n"

Test(requiretls, is_passed_on_over_verified_TLS_alone)
{
	static const char *const options[] = {"REQUIRETLS", NULL};
	static const char letter[] = "TLS-Required: No\n\nhi\n";
	static const struct {
		const char *script;
		enum smtp_tls tls;
		int own; /* our context */
		int err;
	} rows[] = {
	    {GREETING START EHLO_OF("S:250-REQUIRETLS\n") REQUIRE,
		SMTP_TLS_MUST, 1, SMTP_OK},
	    {GREETING START EHLO_OF("S:250-DSN\n"), SMTP_TLS_MUST, 1,
		SMTP_E_NOTSUPP},
	    {GREETING START EHLO_OF("S:250-REQUIRETLS\n"), SMTP_TLS_MAY, 0,
		SMTP_E_NOTSUPP},
	    {GREETING EHLO_OF("S:250-REQUIRETLS\n"), SMTP_TLS_OFF, 1,
		SMTP_E_NOTSUPP},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct secure_scene secure;
		secure_init(&secure, rows[i].script,
		    (struct smtp_options){.tls = rows[i].tls}, HERE);
		struct smtp *session = secure.scene.session;
		if (rows[i].own == 0)
			(void)smtp_set_tls(session, rows[i].tls, NULL, NULL);
		cr_expect_eq(smtp_sendmail(session, "x@y", one, letter,
				 strlen(letter), 1, options, NULL),
		    rows[i].err, "%zu: %s", i, smtp_last_errmsg(session));
		if (rows[i].err != SMTP_OK)
			cr_expect_str_eq(smtp_last_enh(session), "5.7.30");
		secure_clear(&secure);
	}
}

/* RFC 8689 5: the field asks relays to deliver without TLS; what the caller
 * asks of this session stands. */
Test(requiretls, is_not_undone_by_the_header_field)
{
	static const char letter[] = "TLS-Required: No\n\nhi\n";
	struct library_scene scene;

	library_scene_init(&scene, GREETING EHLO,
	    &(struct smtp_options){.tls = SMTP_TLS_MUST});
	cr_expect_eq(smtp_sendmail(scene.session, "x@y", one, letter,
			 strlen(letter), 1, NULL, NULL),
	    SMTP_E_NOTSUPP);
	cr_expect_eq(smtp_last_stage(scene.session), SMTP_S_STARTTLS);
	library_scene_clear(&scene);

	library_scene_init(&scene, GREETING EHLO LETTER, NULL);
	cr_expect_eq(smtp_sendmail(scene.session, "x@y", one, letter,
			 strlen(letter), 1, NULL, NULL),
	    SMTP_OK);
	cr_expect_not_null(
	    strstr(library_scene_heard(&scene), "\r\nTLS-Required: No\r\n"));
	library_scene_clear(&scene);
}

/* ---- tls_ca and tls_verify ---- */

/* Row 61. */
Test(starttls, believes_whom_the_options_say)
{
	static const struct {
		const char *names;
		bool has_ca;
		int verify;
		enum smtp_tls tls;
		int err;
	} rows[] = {
	    {HERE, true, 0, SMTP_TLS_MUST, SMTP_OK},
	    {HERE, false, 0, SMTP_TLS_MUST, SMTP_E_TLS},
	    {HERE, false, -1, SMTP_TLS_MUST, SMTP_OK},
	    {"DNS:other.example", true, 0, SMTP_TLS_MUST, SMTP_E_TLS},
	    {"DNS:other.example", true, 0, SMTP_TLS_MAY, SMTP_OK},
	    {"DNS:other.example", true, 1, SMTP_TLS_MAY, SMTP_E_TLS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_authority *authority = tls_authority_new();
		const struct smtp_options options = {.tls = rows[i].tls,
		    .tls_verify = rows[i].verify,
		    .tls_ca =
			rows[i].has_ca ? tls_authority_path(authority) : NULL};
		const struct script_options where = {
		    .certificate =
			tls_authority_issue_for(authority, rows[i].names)};
		struct library_scene scene;
		library_scene_begin(&scene,
		    rows[i].err == SMTP_OK ? GREETING START EHLO
					   : GREETING START,
		    &options, &where);
		cr_assert_eq(smtp_connect(scene.session,
				 script_server_host(scene.server), NULL),
		    SMTP_OK);
		cr_expect_eq(smtp_ehlo_or_helo(scene.session), rows[i].err,
		    "%zu: %s", i, smtp_last_errmsg(scene.session));
		library_scene_clear(&scene);
		tls_authority_free(authority);
	}
}

/* Row 64: smtplib gives up at the sixth challenge; ours sees earlier that there
 * will be no end. */
Test(login, ends_where_the_server_asks_without_end)
{
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-AUTH LOGIN\n") "C:AUTH LOGIN dQ==\r\n" ASK
						   "C:cA==\r\n" ASK
						   "C:*\r\n" ASK,
	    &(struct smtp_options){.auth_in_clear = 1});
	cr_expect_eq(smtp_auth(scene.session, "LOGIN", "u", "p", 1),
	    SMTP_E_AUTHLOOP, "%s", smtp_last_errmsg(scene.session));
	cr_expect_eq(smtp_last_stage(scene.session), SMTP_S_AUTH);
	cr_expect_eq(smtp_last_class(scene.session), SMTP_C_TEMP);
	cr_expect_not(smtp_connected(scene.session));
	library_scene_clear(&scene);
}

/* The settings are those of the next handshake. */
Test(tls, goes_on_where_the_settings_change)
{
	struct tls_authority *authority = tls_authority_new();
	const struct smtp_options options = {
	    .tls = SMTP_TLS_IMPLICIT, .tls_ca = tls_authority_path(authority)};
	const struct script_options where = {
	    .certificate = tls_authority_issue_for(authority, HERE)};
	struct library_scene scene;

	library_scene_begin(
	    &scene, "T\n" GREETING "C:noop\nS:250 ok\n" QUIT, &options, &where);
	cr_assert_eq(
	    smtp_connect(scene.session, script_server_host(scene.server), NULL),
	    SMTP_OK, "%s", smtp_last_errmsg(scene.session));
	cr_expect_eq(
	    smtp_set_tls(scene.session, SMTP_TLS_OFF, NULL, NULL), SMTP_OK);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	cr_expect_eq(smtp_quit(scene.session), SMTP_OK);
	library_scene_clear(&scene);
	tls_authority_free(authority);
}
