/*
 * SASL exchanges with a hostile server: responses are base64, a refusal leaves
 * no trace, and no proof is believed that was not given.
 *
 * Input: an octet that chooses the mechanism, one of flags (1: channel binding,
 * 2: challenges are raw and put into base64 here), then challenges, a line
 * each.
 */
#include "smtp/sasl.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789+/=";

static const char *const names[] = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN", "EXTERNAL",
    "OAUTHBEARER", "XOAUTH2"};

#define NAMES (sizeof(names) / sizeof(names[0]))

static void
append_base64(struct buffer *buffer, struct bytes raw)
{
	while (raw.len > 0) {
		unsigned bits = 0;
		for (size_t i = 0; i < 3; i++)
			bits = bits << 8 |
			    (i < raw.len ? (unsigned char)raw.data[i] : 0U);
		for (size_t i = 0; i < 4; i++)
			buffer_append_char(buffer,
			    i <= raw.len ? alphabet[bits >> (18 - 6 * i) & 63U]
					 : '=');
		raw = bytes_from(raw, 3);
	}
}

static void
append_decoded(struct buffer *buffer, struct bytes base64)
{
	unsigned bits = 0;
	int count = 0;

	for (size_t i = 0; i < base64.len && base64.data[i] != '='; i++) {
		const char *found = strchr(alphabet, base64.data[i]);
		bits = bits << 6 | (unsigned)(found - alphabet);
		count += 6;
		if (count >= 8) {
			count -= 8;
			buffer_append_char(
			    buffer, (char)(bits >> count & 0xffU));
		}
	}
}

struct exchange {
	struct sasl *sasl;
	bool is_raw;
	bool is_mutual;
	struct buffer first; /* our first response, decoded */
};

static bool
respond(struct exchange *exchange, struct bytes challenge)
{
	struct buffer output;

	buffer_init(&output, (size_t)1024 * 1024);
	buffer_append_text(&output, "AUTH ");
	const size_t before = output.len;
	const bool ok = sasl_respond(exchange->sasl, challenge, &output);
	assert(!output.overflowed);
	assert(ok || output.len == before);
	const struct bytes response = bytes_from(buffer_bytes(&output), before);
	for (size_t i = 0; i < response.len; i++)
		assert(response.data[i] != '\0' &&
		    strchr(alphabet, response.data[i]) != NULL);
	assert(response.len % 4 == 0);
	if (exchange->first.len == 0)
		append_decoded(&exchange->first, response);
	buffer_clear(&output);
	return ok;
}

static void
append_challenge(const struct exchange *exchange, struct bytes line,
    struct buffer *challenge)
{
	const struct bytes first = buffer_bytes(&exchange->first);
	const struct bytes nonce =
	    bytes_from(first, bytes_search(first, BYTES("r=")) + 2);
	struct buffer raw;

	buffer_init(&raw, (size_t)2 * 1024 * 1024);
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] == '@' && exchange->is_mutual)
			buffer_append(&raw, nonce);
		else
			buffer_append_char(&raw, line.data[i]);
	if (exchange->is_raw)
		append_base64(challenge, buffer_bytes(&raw));
	else
		buffer_append(challenge, line);
	buffer_clear(&raw);
}

/*
 * The server cannot know the password here: it is said to be proven only where
 * the mechanism asks for no proof.
 */
static void
play(struct exchange *exchange, struct bytes challenges)
{
	bool ok = respond(exchange, BYTES_NONE);

	while (ok && challenges.len > 0) {
		const struct bytes line = bytes_cut(&challenges, '\n');
		struct buffer challenge;
		buffer_init(&challenge, (size_t)4 * 1024 * 1024);
		append_challenge(exchange, line, &challenge);
		ok = respond(exchange, buffer_bytes(&challenge));
		buffer_clear(&challenge);
		assert(sasl_is_proven(exchange->sasl) == !exchange->is_mutual);
		assert(!ok || !sasl_is_refuted(exchange->sasl));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sasl_identity identity = {
	    .user = "user",
	    .password = "a password of the upstream",
	    .host = "mx.example",
	    .clear_ok = true,
	    .exporter_binding = BYTES_NONE,
	    .unique_binding = BYTES_NONE,
	};

	if (size < 2 || size > (size_t)16 * 1024)
		return 0;
	const char *name = names[data[0] % NAMES];
	if ((data[1] & 1U) != 0)
		identity.exporter_binding = BYTES("0123456789abcdef");
	struct exchange exchange = {
	    .sasl = sasl_new(sasl_mechanism_find(bytes_of(name)), &identity),
	    .is_raw = (data[1] & 2U) != 0,
	    .is_mutual = bytes_has_prefix(bytes_of(name), "SCRAM"),
	};
	buffer_init(&exchange.first, 4096);
	play(&exchange, bytes_make(data + 2, size - 2));
	buffer_clear(&exchange.first);
	sasl_free(exchange.sasl);
	return 0;
}
