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

static bool
respond(struct sasl *sasl, struct bytes challenge)
{
	struct buffer output;

	buffer_init(&output, (size_t)1024 * 1024);
	buffer_append_text(&output, "AUTH ");
	const size_t before = output.len;
	const bool ok = sasl_respond(sasl, challenge, &output);
	assert(!output.overflowed);
	assert(ok || output.len == before);
	const struct bytes response = bytes_from(buffer_bytes(&output), before);
	for (size_t i = 0; i < response.len; i++)
		assert(response.data[i] != '\0' &&
		    strchr(alphabet, response.data[i]) != NULL);
	assert(response.len % 4 == 0);
	buffer_clear(&output);
	return ok;
}

/*
 * The server cannot know the password here: it is said to be proven only where
 * the mechanism asks for no proof.
 */
static void
play(struct sasl *sasl, bool is_raw, bool is_mutual, struct bytes challenges)
{
	bool ok = respond(sasl, BYTES_NONE);

	while (ok && challenges.len > 0) {
		const struct bytes line = bytes_cut(&challenges, '\n');
		struct buffer challenge;
		buffer_init(&challenge, (size_t)4 * 1024 * 1024);
		if (is_raw)
			append_base64(&challenge, line);
		else
			buffer_append(&challenge, line);
		ok = respond(sasl, buffer_bytes(&challenge));
		buffer_clear(&challenge);
		assert(sasl_is_proven(sasl) == !is_mutual);
		assert(!ok || !sasl_is_refuted(sasl));
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
	struct extensions offers;

	if (size < 2 || size > (size_t)1024 * 1024)
		return 0;
	const char *name = names[data[0] % NAMES];
	if ((data[1] & 1U) != 0)
		identity.exporter_binding = BYTES("0123456789abcdef");
	extensions_read(&offers, BYTES("mx\nAUTH SCRAM-SHA-1-PLUS"));
	struct sasl *sasl =
	    sasl_new(sasl_mechanism_find(bytes_of(name)), &identity, &offers);
	play(sasl, (data[1] & 2U) != 0,
	    bytes_has_prefix(bytes_of(name), "SCRAM"),
	    bytes_make(data + 2, size - 2));
	sasl_free(sasl);
	return 0;
}
