#include "smtp/sasl.h"

#include <criterion/criterion.h>
#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#define EVERYTHING                                                             \
	"mx\nAUTH LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 "             \
	"SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS EXTERNAL XOAUTH2 OAUTHBEARER "    \
	"GSSAPI NTLM DIGEST-MD5"

static struct sasl_identity
identity_of(const char *user, const char *password)
{
	return (struct sasl_identity){
	    .user = user,
	    .password = password,
	    .clear_ok = true,
	    .exporter_binding = BYTES_NONE,
	    .unique_binding = BYTES_NONE,
	};
}

static struct sasl *
start(const char *name, const struct sasl_identity *identity)
{
	return sasl_new(sasl_mechanism_find(bytes_of(name)), identity);
}

/* NULL: cancelled. */
static char *
respond(struct sasl *sasl, const char *challenge)
{
	struct buffer response;

	buffer_init(&response, 16384);
	const bool ok = sasl_respond(sasl, bytes_of(challenge), &response);
	char *text = buffer_to_text(&response);
	if (!ok)
		cr_expect_eq(response.len, 0, "output is untouched");
	buffer_clear(&response);
	if (ok)
		return text;
	free(text);
	return NULL;
}

static void
expect_response(struct sasl *sasl, const char *challenge, const char *expected)
{
	char *response = respond(sasl, challenge);

	if (expected == NULL)
		cr_expect_null(response, "\"%s\"", challenge);
	else if (response == NULL)
		cr_expect_fail("no response to \"%s\"", challenge);
	else
		cr_expect_str_eq(response, expected);
	free(response);
}

/* ---- exchanges with known octets ---- */

static const struct {
	const char *name;
	const char *mechanism;
	const char *user;
	const char *password;
	const char *host;
	const char *steps[5][2]; /* challenge, response or NULL: cancelled */
} rows[] = {
    {"PLAIN", "PLAIN", "student@mail.ru", "secret", NULL,
	{{"", "AHN0dWRlbnRAbWFpbC5ydQBzZWNyZXQ="}, {"", NULL}}},
    {"PLAIN in UTF-8", "PLAIN", "\xd1\x8f", "\xd0\xb6", NULL,
	{{"", "ANGPANC2"}}},
    {"LOGIN", "LOGIN", "student", "secret", NULL,
	{{"VXNlcm5hbWU6", "c3R1ZGVudA=="}, {"UGFzc3dvcmQ6", "c2VjcmV0"},
	    {"Pz8=", NULL}}},
    {"LOGIN whatever is asked", "LOGIN", "student", "secret", NULL,
	{{"", "c3R1ZGVudA=="}, {"", "c2VjcmV0"}}},
    {"CRAM-MD5, RFC 2195", "CRAM-MD5", "tim", "tanstaaftanstaaf", NULL,
	{{"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+",
	     "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"},
	    {"YQ==", NULL}}},
    {"EXTERNAL", "EXTERNAL", "me", NULL, NULL, {{"", "bWU="}}},
    {"EXTERNAL as the certificate says", "EXTERNAL", "", NULL, NULL,
	{{"", ""}}},
    {"XOAUTH2", "XOAUTH2", "someuser@example.com", "ya29.vF9d", NULL,
	{{"",
	     "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZG"
	     "OWQBAQ=="},
	    {"eyJzdGF0dXMiOiI0MDEifQ==", ""}, {"e30=", NULL}}},
    {"OAUTHBEARER", "OAUTHBEARER", "user@example.com", "vF9d", "server",
	{{"",
	     "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyAWF1dGg9QmVhcmVy"
	     "IHZGOWQBAQ=="},
	    {"e30=", "AQ=="}, {"e30=", NULL}}},
    {"OAUTHBEARER without a host, a name to be escaped", "OAUTHBEARER", "a,b=c",
	"t", NULL, {{"", "bixhPWE9MkNiPTNEYywBYXV0aD1CZWFyZXIgdAEB"}}},
    {"a challenge that is no base64", "LOGIN", "u", "p", NULL,
	{{"Username:", NULL}}},
    {"base64 with a blank", "CRAM-MD5", "u", "p", NULL,
	{{"PDE4OTYu Njk3", NULL}}},
    {"base64 in two lines", "CRAM-MD5", "u", "p", NULL,
	{{"PDE4OTYu\nNjk3", NULL}}},
    {"base64 that is cut", "CRAM-MD5", "u", "p", NULL, {{"PDE4O", NULL}}},
};

/* Row 65. */
Test(sasl, answers_as_the_mechanisms_say)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sasl_identity identity =
		    identity_of(rows[i].user, rows[i].password);
		identity.host = rows[i].host;
		struct sasl *sasl = start(rows[i].mechanism, &identity);
		cr_log_info("%s", rows[i].name);
		for (size_t j = 0; rows[i].steps[j][0] != NULL; j++)
			expect_response(
			    sasl, rows[i].steps[j][0], rows[i].steps[j][1]);
		cr_expect(sasl_is_proven(sasl), "%s", rows[i].name);
		cr_expect_not(sasl_is_refuted(sasl), "%s", rows[i].name);
		sasl_free(sasl);
	}
}

/* ---- SCRAM, with the other side of libgsasl ---- */

static const char binding_base64[] = "MDEyMzQ1Njc4OWFiY2RlZg==";
static const struct bytes binding = {"0123456789abcdef", 16};

static int
serve_property(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	const char *password = gsasl_callback_hook_get(library);

	switch ((int)property) {
	case GSASL_PASSWORD:
		gsasl_property_set(session, GSASL_PASSWORD, password);
		return GSASL_OK;
	case GSASL_CB_TLS_EXPORTER:
		gsasl_property_set(
		    session, GSASL_CB_TLS_EXPORTER, binding_base64);
		return GSASL_OK;
	default:
		return GSASL_NO_CALLBACK;
	}
}

struct exchange {
	bool client_ok;
	bool is_refuted;
	bool is_proven;
	bool server_ok;
	char gs2_flag; /* how the client begins: n, y or p */
};

/* Both sides until one gives up or both are content. */
static struct exchange
exchange(const char *mechanism, const struct sasl_identity *identity,
    char *server_password, bool spoil_proof)
{
	struct exchange result = {0};
	Gsasl *library = NULL;
	Gsasl_session *session = NULL;
	char *challenge = NULL;
	struct sasl *sasl = start(mechanism, identity);
	char *response = respond(sasl, "");

	cr_assert_eq(gsasl_init(&library), GSASL_OK);
	gsasl_callback_set(library, serve_property);
	gsasl_callback_hook_set(library, server_password);
	cr_assert_eq(
	    gsasl_server_start(library, mechanism, &session), GSASL_OK);
	if (response != NULL) {
		char *raw = NULL;
		size_t len = 0;
		cr_assert_eq(
		    gsasl_base64_from(response, strlen(response), &raw, &len),
		    GSASL_OK);
		result.gs2_flag = raw[0];
		gsasl_free(raw);
	}
	for (int step = 0; response != NULL; step++) {
		const int status = gsasl_step64(session, response, &challenge);
		free(response);
		response = NULL;
		result.server_ok = status == GSASL_OK;
		if (status != GSASL_OK && status != GSASL_NEEDS_MORE)
			break;
		if (status == GSASL_OK && challenge[0] == '\0') {
			gsasl_free(challenge);
			break;
		}
		cr_expect_not(sasl_is_proven(sasl));
		if (spoil_proof && step == 1)
			challenge[10] ^= 1;
		response = respond(sasl, challenge);
		gsasl_free(challenge);
		result.client_ok = response != NULL;
		if (status == GSASL_OK)
			break;
	}
	free(response);
	result.is_proven = sasl_is_proven(sasl);
	result.is_refuted = sasl_is_refuted(sasl);
	gsasl_finish(session);
	gsasl_done(library);
	sasl_free(sasl);
	return result;
}

Test(sasl, proves_both_sides_by_scram)
{
	static const char *const names[] = {"SCRAM-SHA-1", "SCRAM-SHA-256",
	    "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"};

	for (size_t i = 0; i < 4; i++) {
		char password[] = "pencil";
		struct sasl_identity identity =
		    identity_of("user,name=x", "pencil");
		identity.exporter_binding = binding;
		const struct exchange result =
		    exchange(names[i], &identity, password, false);
		cr_expect(result.server_ok, "%s", names[i]);
		cr_expect(result.client_ok, "%s", names[i]);
		cr_expect(result.is_proven, "%s", names[i]);
		cr_expect_not(result.is_refuted, "%s", names[i]);
		cr_expect_eq(
		    result.gs2_flag, i < 2 ? 'n' : 'p', "%s", names[i]);
	}
}

Test(sasl, is_refused_where_the_password_is_wrong)
{
	char password[] = "pen";
	const struct sasl_identity identity = identity_of("user", "pencil");
	const struct exchange result =
	    exchange("SCRAM-SHA-256", &identity, password, false);

	cr_expect_not(result.server_ok);
	cr_expect_not(result.is_proven);
	cr_expect_not(result.is_refuted, "the server has said nothing wrong");
}

Test(sasl, is_refused_on_another_channel)
{
	char password[] = "pencil";
	struct sasl_identity identity = identity_of("user", "pencil");

	identity.exporter_binding = BYTES("another channel");
	const struct exchange result =
	    exchange("SCRAM-SHA-256-PLUS", &identity, password, false);
	cr_expect_not(result.server_ok);
	cr_expect_not(result.is_proven);
}

Test(sasl, knows_an_impostor)
{
	char password[] = "pencil";
	const struct sasl_identity identity = identity_of("user", "pencil");
	const struct exchange result =
	    exchange("SCRAM-SHA-256", &identity, password, true);

	cr_expect(result.server_ok);
	cr_expect_not(result.client_ok);
	cr_expect_not(result.is_proven);
	cr_expect(result.is_refuted);
}

/* "r=<our nonce>x,s=c2FsdA==,i=<rounds>" in base64. */
static char *
server_first(const char *client_first, const char *rounds)
{
	char *raw = NULL, *base64 = NULL;
	size_t len = 0;
	struct buffer text;

	cr_assert_eq(
	    gsasl_base64_from(client_first, strlen(client_first), &raw, &len),
	    GSASL_OK);
	const struct bytes first = bytes_make(raw, len);
	const size_t nonce = bytes_search(first, BYTES("r="));
	buffer_init(&text, 1000);
	buffer_append(&text, bytes_from(first, nonce));
	buffer_printf(&text, "x,s=c2FsdA==%s", rounds);
	cr_assert_eq(
	    gsasl_base64_to(buffer_bytes(&text).data, text.len, &base64, &len),
	    GSASL_OK);
	gsasl_free(raw);
	buffer_clear(&text);
	return base64;
}

Test(sasl, computes_no_more_rounds_than_are_affordable)
{
	static const struct {
		const char *rounds;
		bool ok;
	} cases[] = {
	    {",i=4096", true},
	    {",i=200000", true},
	    {",i=200001", false},
	    {",i=4294967296000000000000", false},
	    {",i=-1", false},
	    {",i=", false},
	    {"", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sasl_identity identity = identity_of("u", "p");
		struct sasl *sasl = start("SCRAM-SHA-256", &identity);
		char *first = respond(sasl, "");
		char *challenge = server_first(first, cases[i].rounds);
		char *final = respond(sasl, challenge);
		cr_expect_eq(final != NULL, cases[i].ok, "%s", cases[i].rounds);
		cr_expect_not(sasl_is_refuted(sasl));
		free(final);
		gsasl_free(challenge);
		free(first);
		sasl_free(sasl);
	}
}

/* ---- choosing ---- */

static const struct {
	const char *name;
	const char *offers;
	const char *password;
	const char *allowed;
	bool clear_ok;
	bool has_binding;
	const char *expected; /* all in their order */
} choices[] = {
    {"all that a password serves, in TLS", EVERYTHING, "p", NULL, true, true,
	"SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 "
	"CRAM-MD5 PLAIN LOGIN "},
    {"without channel binding", EVERYTHING, "p", NULL, true, false,
	"SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN "},
    {"in clear", EVERYTHING, "p", NULL, false, false,
	"SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 "},
    {"a certificate", EVERYTHING, NULL, NULL, true, false, "EXTERNAL "},
    {"a token", EVERYTHING, "t", "xoauth2 OAUTHBEARER", true, false,
	"XOAUTH2 OAUTHBEARER "},
    {"a token in clear", EVERYTHING, "t", "xoauth2 OAUTHBEARER", false, false,
	""},
    {"as the administrator orders", EVERYTHING, "p",
	" LOGIN  NONSENSE plain GSSAPI ", true, true, "LOGIN PLAIN "},
    {"one that is not offered", "mx\nAUTH PLAIN", "p", "CRAM-MD5", true, false,
	""},
    {"nothing is offered", "mx\nSIZE 1", "p", NULL, true, true, ""},
    {"only what we cannot do", "mx\nAUTH GSSAPI NTLM", "p", NULL, true, true,
	""},
};

Test(sasl, chooses_the_strongest_first)
{
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		struct extensions offers;
		struct sasl_identity identity =
		    identity_of("u", choices[i].password);
		char found[256] = "";
		size_t len = 0;
		unsigned tried = 0;

		extensions_read(&offers, bytes_of(choices[i].offers));
		identity.allowed = choices[i].allowed;
		identity.clear_ok = choices[i].clear_ok;
		if (choices[i].has_binding)
			identity.exporter_binding = binding;
		for (;;) {
			const struct sasl_mechanism *mechanism =
			    sasl_choose(&identity, &offers, tried);
			if (mechanism == NULL)
				break;
			len +=
			    (size_t)snprintf(found + len, sizeof(found) - len,
				"%s ", sasl_mechanism_name(mechanism));
			tried |= sasl_mechanism_bit(mechanism);
		}
		cr_expect_str_eq(found, choices[i].expected, "%s: %s",
		    choices[i].name, found);
	}
}

Test(sasl, knows_which_mechanisms_speak_first)
{
	cr_expect(
	    sasl_mechanism_is_initial(sasl_mechanism_find(BYTES("plain"))));
	cr_expect(sasl_mechanism_is_initial(
	    sasl_mechanism_find(BYTES("SCRAM-SHA-1"))));
	cr_expect_not(
	    sasl_mechanism_is_initial(sasl_mechanism_find(BYTES("CRAM-MD5"))));
	cr_expect_null(sasl_mechanism_find(BYTES("NTLM")));
	cr_expect_null(sasl_mechanism_find(BYTES_NONE));
}
