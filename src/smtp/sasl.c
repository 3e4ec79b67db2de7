#include "smtp/sasl.h"

#include "base/memory.h"

#include <assert.h>
#include <gsasl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum secret_kind {
	SECRET_NONE,
	SECRET_PASSWORD,
	SECRET_TOKEN
};

/* One step of a mechanism, raw octets both ways; false: cancel. */
typedef bool step_fn(
    struct sasl *sasl, struct bytes challenge, struct buffer *output);

static step_fn step_library, step_scram, step_xoauth2, step_oauthbearer;

struct sasl_mechanism {
	const char *name;
	step_fn *step;
	enum secret_kind secret;
	bool initial; /* the client speaks first */
	bool clear;   /* whoever reads along has the secret */
	bool mutual;  /* the server proves itself too */
	bool bound;   /* to the TLS channel */
};

static const struct sasl_mechanism mechanisms[] = {
    /* name, step, secret, initial, clear, mutual, bound */
    {"SCRAM-SHA-256-PLUS", step_scram, SECRET_PASSWORD, true, false, true,
	true},
    {"SCRAM-SHA-1-PLUS", step_scram, SECRET_PASSWORD, true, false, true, true},
    {"SCRAM-SHA-256", step_scram, SECRET_PASSWORD, true, false, true, false},
    {"SCRAM-SHA-1", step_scram, SECRET_PASSWORD, true, false, true, false},
    {"CRAM-MD5", step_library, SECRET_PASSWORD, false, false, false, false},
    {"PLAIN", step_library, SECRET_PASSWORD, true, true, false, false},
    {"LOGIN", step_library, SECRET_PASSWORD, true, true, false, false},
    {"EXTERNAL", step_library, SECRET_NONE, true, false, false, false},
    {"OAUTHBEARER", step_oauthbearer, SECRET_TOKEN, true, true, false, false},
    {"XOAUTH2", step_xoauth2, SECRET_TOKEN, true, true, false, false},
};

#define MECHANISM_COUNT (sizeof(mechanisms) / sizeof(mechanisms[0]))

struct sasl {
	const struct sasl_mechanism *mechanism;
	const struct sasl_identity *identity;
	unsigned steps; /* responses given */
	bool finished;  /* nothing more to say */
	bool refuted;
	Gsasl *library; /* owned, as session: NULL where we do it ourselves */
	Gsasl_session *session;
};

/* ---- steps ---- */

/* libgsasl may want to keep its property const, but it must not outlive us. */
static void
clear_property(struct sasl *sasl, Gsasl_property property)
{
	const char *value = gsasl_property_fast(sasl->session, property);

	if (value != NULL)
		secret_clear((void *)(uintptr_t)value, strlen(value));
}

static bool
step_library(struct sasl *sasl, struct bytes challenge, struct buffer *output)
{
	char *response = NULL;
	size_t len = 0;

	if (sasl->finished || sasl->session == NULL)
		return false;
	const int result = gsasl_step(
	    sasl->session, challenge.data, challenge.len, &response, &len);
	if (result != GSASL_OK && result != GSASL_NEEDS_MORE)
		return false;
	sasl->finished = result == GSASL_OK;
	if (response != NULL) {
		buffer_append(output, bytes_make(response, len));
		secret_clear(response, len);
		gsasl_free(response);
	}
	return true;
}

/* server-first-message = nonce "," salt "," "i=" posit-number (RFC 5802 7) */
static bool
is_affordable(struct bytes server_first)
{
	unsigned long long iterations = 0;

	while (server_first.len > 0) {
		const struct bytes part = bytes_cut(&server_first, ',');
		if (bytes_has_prefix(part, "i="))
			return bytes_to_u64(bytes_from(part, 2),
			    SASL_ITERATIONS_MAX, &iterations);
	}
	return false;
}

static bool
step_scram(struct sasl *sasl, struct bytes challenge, struct buffer *output)
{
	if (sasl->steps == 1 && !is_affordable(challenge))
		return false;
	return step_library(sasl, challenge, output);
}

/*
 * "user=" user ^A "auth=Bearer " token ^A ^A; a challenge after it tells an
 * error and wants an empty response.
 */
static bool
step_xoauth2(struct sasl *sasl, struct bytes challenge, struct buffer *output)
{
	(void)challenge; /* JSON for people; the reply that follows decides */
	if (sasl->steps == 0)
		buffer_printf(output, "user=%s\001auth=Bearer %s\001\001",
		    sasl->identity->user, sasl->identity->password);
	return sasl->steps < 2;
}

/* saslname (RFC 5801 4): "," and "=" are "=2C" and "=3D". */
static void
append_saslname(struct buffer *output, const char *name)
{
	for (const char *p = name; *p != '\0'; p++)
		if (*p == ',')
			buffer_append_text(output, "=2C");
		else if (*p == '=')
			buffer_append_text(output, "=3D");
		else
			buffer_append_char(output, *p);
}

/*
 * RFC 7628 3.1: "n,a=" saslname "," ^A ["host=" host ^A] "auth=Bearer " token
 * ^A ^A; a challenge after it tells an error and wants a lone ^A.
 */
static bool
step_oauthbearer(
    struct sasl *sasl, struct bytes challenge, struct buffer *output)
{
	const struct sasl_identity *identity = sasl->identity;

	(void)challenge; /* as above */
	if (sasl->steps > 0) {
		buffer_append_text(output, "\001");
		return sasl->steps < 2;
	}
	buffer_append_text(output, "n,a=");
	append_saslname(output, identity->user);
	buffer_append_text(output, ",\001");
	if (identity->host != NULL)
		buffer_printf(output, "host=%s\001", identity->host);
	buffer_printf(output, "auth=Bearer %s\001\001", identity->password);
	return true;
}

/* ---- choosing ---- */

static bool
has_binding(const struct sasl_identity *identity)
{
	return identity->exporter_binding.len + identity->unique_binding.len >
	    0;
}

static bool
is_named(const char *names, const char *name)
{
	struct bytes rest = bytes_of(names);

	while (rest.len > 0)
		if (bytes_is_nocase(bytes_cut(&rest, ' '), name))
			return true;
	return false;
}

static bool
is_allowed(const struct sasl_mechanism *mechanism,
    const struct sasl_identity *identity)
{
	const bool has_password = identity->password != NULL;

	if (mechanism->bound && !has_binding(identity))
		return false;
	if (mechanism->clear && !identity->clear_ok)
		return false;
	if (mechanism->secret != SECRET_NONE && !has_password)
		return false;
	if (identity->allowed != NULL)
		return is_named(identity->allowed, mechanism->name);
	return mechanism->secret ==
	    (has_password ? SECRET_PASSWORD : SECRET_NONE);
}

static bool
is_usable(const struct sasl_mechanism *mechanism,
    const struct sasl_identity *identity, const struct extensions *offers,
    unsigned tried)
{
	return (tried & sasl_mechanism_bit(mechanism)) == 0 &&
	    extensions_has_mechanism(offers, mechanism->name) &&
	    is_allowed(mechanism, identity);
}

const struct sasl_mechanism *
sasl_choose(const struct sasl_identity *identity,
    const struct extensions *offers, unsigned tried)
{
	struct bytes names = bytes_of(identity->allowed);

	while (names.len > 0) {
		const struct sasl_mechanism *mechanism =
		    sasl_mechanism_find(bytes_cut(&names, ' '));
		if (mechanism != NULL &&
		    is_usable(mechanism, identity, offers, tried))
			return mechanism;
	}
	if (identity->allowed != NULL)
		return NULL;
	for (size_t i = 0; i < MECHANISM_COUNT; i++)
		if (is_usable(&mechanisms[i], identity, offers, tried))
			return &mechanisms[i];
	return NULL;
}

const struct sasl_mechanism *
sasl_mechanism_find(struct bytes name)
{
	for (size_t i = 0; i < MECHANISM_COUNT; i++)
		if (bytes_is_nocase(name, mechanisms[i].name))
			return &mechanisms[i];
	return NULL;
}

const char *
sasl_mechanism_name(const struct sasl_mechanism *mechanism)
{
	return mechanism->name;
}

unsigned
sasl_mechanism_bit(const struct sasl_mechanism *mechanism)
{
	return 1U << (unsigned)(mechanism - mechanisms);
}

bool
sasl_mechanism_is_initial(const struct sasl_mechanism *mechanism)
{
	return mechanism->initial;
}

/* ---- an exchange ---- */

static void
set_property(struct sasl *sasl, Gsasl_property property, const char *value)
{
	if (value != NULL)
		(void)gsasl_property_set(sasl->session, property, value);
	/* Fails only where memory is out; the step then fails. */
}

static void
set_binding(struct sasl *sasl, Gsasl_property property, struct bytes binding)
{
	char *base64 = NULL;
	size_t len = 0;

	if (binding.len == 0)
		return;
	if (gsasl_base64_to(binding.data, binding.len, &base64, &len) !=
	    GSASL_OK)
		abort(); /* out of memory */
	set_property(sasl, property, base64);
	gsasl_free(base64);
}

static void
start_library(struct sasl *sasl)
{
	const struct sasl_identity *identity = sasl->identity;

	if (gsasl_init(&sasl->library) != GSASL_OK)
		abort(); /* out of memory */
	if (gsasl_client_start(sasl->library, sasl->mechanism->name,
		&sasl->session) != GSASL_OK) {
		sasl->session = NULL; /* built without it: the step fails */
		return;
	}
	if (sasl->mechanism->secret == SECRET_NONE)
		set_property(sasl, GSASL_AUTHZID, identity->user);
	else
		set_property(sasl, GSASL_AUTHID, identity->user);
	set_property(sasl, GSASL_PASSWORD, identity->password);
	/* Told of a channel that it does not bind to, libgsasl 2.2 fails; so
	 * nobody hears that we could have bound (RFC 5802 6, "y"). */
	if (sasl->mechanism->bound) {
		set_binding(
		    sasl, GSASL_CB_TLS_EXPORTER, identity->exporter_binding);
		set_binding(
		    sasl, GSASL_CB_TLS_UNIQUE, identity->unique_binding);
	}
}

struct sasl *
sasl_new(const struct sasl_mechanism *mechanism,
    const struct sasl_identity *identity)
{
	assert(identity->user != NULL);
	assert(mechanism->secret == SECRET_NONE || identity->password != NULL);

	struct sasl *sasl = memory_new(sizeof(*sasl));
	sasl->mechanism = mechanism;
	sasl->identity = identity;
	if (mechanism->secret != SECRET_TOKEN)
		start_library(sasl);
	return sasl;
}

void
sasl_free(struct sasl *sasl)
{
	if (sasl == NULL)
		return;
	if (sasl->session != NULL) {
		clear_property(sasl, GSASL_PASSWORD);
		gsasl_finish(sasl->session);
	}
	if (sasl->library != NULL)
		gsasl_done(sasl->library);
	free(sasl);
}

static bool
respond_raw(struct sasl *sasl, struct bytes challenge, struct buffer *output)
{
	struct buffer response;
	char *base64 = NULL;
	size_t len = 0;

	buffer_init(&response, 64 * 1024);
	const bool ok = sasl->mechanism->step(sasl, challenge, &response) &&
	    !response.overflowed;
	if (ok && response.len > 0) {
		const struct bytes raw = buffer_bytes(&response);
		if (gsasl_base64_to(raw.data, raw.len, &base64, &len) !=
		    GSASL_OK)
			abort(); /* out of memory */
		buffer_append(output, bytes_make(base64, len));
		secret_clear(base64, len);
		gsasl_free(base64);
	}
	buffer_clear_secret(&response);
	sasl->steps++;
	return ok;
}

static bool
respond(struct sasl *sasl, struct bytes challenge, struct buffer *output)
{
	char *raw = NULL;
	size_t len = 0;

	if (challenge.len == 0)
		return respond_raw(sasl, BYTES_NONE, output);
	if (gsasl_base64_from(challenge.data, challenge.len, &raw, &len) !=
	    GSASL_OK)
		return false;
	const bool ok = respond_raw(sasl, bytes_make(raw, len), output);
	gsasl_free(raw);
	return ok;
}

bool
sasl_respond(struct sasl *sasl, struct bytes challenge, struct buffer *output)
{
	/* Behind our first and our final message stands the server's proof. */
	const bool is_proof = sasl->mechanism->mutual && sasl->steps == 2;
	const bool ok = respond(sasl, challenge, output);

	sasl->refuted |= is_proof && !ok;
	return ok;
}

bool
sasl_is_proven(const struct sasl *sasl)
{
	return !sasl->mechanism->mutual || sasl->finished;
}

bool
sasl_is_refuted(const struct sasl *sasl)
{
	return sasl->refuted;
}
