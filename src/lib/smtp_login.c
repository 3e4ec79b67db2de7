#include "lib/smtp_login.h"

#include "base/memory.h"
#include "lib/smtp_order.h"
#include "message/transfer.h"
#include "smtp/sasl.h"

#include <stdlib.h>
#include <string.h>

/* Octets of a response, raw. */
#define RESPONSE_MAX ((size_t)8192)
/* Octets of a line with its CRLF, RFC 5321 4.5.3.1.4. */
#define LINE_OCTETS_MAX 512

/* ---- by the core ---- */

static void
logged_in(struct smtp *session, int err)
{
	const bool has_auth = smtp_has_extn(session, "auth");
	/* Or it asks on and on where nothing is left to say, and was told so.
	 */
	const bool is_endless = session->challenges > SMTP_MAXCHALLENGE ||
	    (session->is_cancelled && session->is_asked &&
		session->challenges > 2);

	if (err == SMTP_E_NOTSUPP && has_auth)
		err = smtp_last_fail(session, SMTP_E_NOMECH, SMTP_S_AUTH,
		    "no suitable authentication method found");
	else if ((err == SMTP_OK || err == SMTP_E_PROTO) && is_endless)
		err = smtp_last_fail(session, SMTP_E_AUTHLOOP, SMTP_S_AUTH,
		    "the server asks without end");
	else if (err == SMTP_OK && session->code == 503)
		session->cls = SMTP_C_OK; /* logged in already */
	else if (err == SMTP_OK && session->code / 100 != 2)
		err = smtp_last_refused(session, SMTP_E_AUTH);
	smtp_call_end(session, err);
}

static void
log_in(struct smtp *session, int err)
{
	if (err != SMTP_OK) {
		smtp_call_end(session, err);
		return;
	}
	session->challenges = 0;
	session->is_cancelled = false;
	session->is_asked = false;
	session->options.user = session->user;
	session->options.password = session->password;
	session->options.mechanisms = session->mechanism;
	session->options.no_initial_response = !session->auth_initial;
	smtp_step_phase(session, SMTP_PHASE_AUTH, logged_in);
}

int
smtp_auth_async(struct smtp *s, const char *mech, const char *user,
    const char *pass, int initial_ok, smtp_done_fn cb, void *arg)
{
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	s->stage = SMTP_S_AUTH;
	if (user == NULL)
		return smtp_call_refuse(s, SMTP_E_INVAL, "no user");
	if (mech != NULL && sasl_mechanism_find(bytes_of(mech)) == NULL)
		return smtp_call_refuse(
		    s, SMTP_E_NOMECH, "the mechanism is not known");
	smtp_session_set_secret(&s->user, user);
	smtp_session_set_secret(&s->password, pass);
	smtp_session_set(&s->mechanism, mech);
	s->auth_initial = initial_ok != 0;
	smtp_greet_begin(s, log_in);
	return smtp_call_go(s);
}

int
smtp_auth(struct smtp *s, const char *mech, const char *user, const char *pass,
    int initial_ok)
{
	return smtp_call_wait(
	    s, smtp_auth_async(s, mech, user, pass, initial_ok, NULL, NULL));
}

int
smtp_login_async(struct smtp *s, const char *user, const char *pass,
    int initial_ok, smtp_done_fn cb, void *arg)
{
	return smtp_auth_async(s, NULL, user, pass, initial_ok, cb, arg);
}

int
smtp_login(struct smtp *s, const char *user, const char *pass, int initial_ok)
{
	return smtp_call_wait(
	    s, smtp_login_async(s, user, pass, initial_ok, NULL, NULL));
}

/* ---- base64 ---- */

static int
digit_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	const char *found = c != '\0' ? strchr(digits, c) : NULL;

	return found != NULL ? (int)(found - digits) : -1;
}

/* Four characters to three octets, less for each '=' at the end. */
static bool
decode_group(struct buffer *output, const char group[4])
{
	const int pads = group[3] != '=' ? 0 : group[2] != '=' ? 1 : 2;
	unsigned value = 0;

	for (int i = 0; i < 4; i++) {
		const int digit = i < 4 - pads ? digit_of(group[i]) : 0;
		if (digit < 0)
			return false;
		value = value << 6 | (unsigned)digit;
	}
	for (int i = 0; i < 3 - pads; i++)
		buffer_append_char(
		    output, (char)(unsigned char)(value >> (16 - 8 * i)));
	return true;
}

bool
smtp_login_decode(struct buffer *output, struct bytes base64)
{
	const size_t before = output->len;

	for (size_t i = 0; i < base64.len; i += 4) {
		const bool is_last = i + 4 == base64.len;
		const bool is_whole = i + 4 <= base64.len;
		if (!is_whole || (!is_last && base64.data[i + 3] == '=') ||
		    !decode_group(output, base64.data + i)) {
			buffer_truncate(output, before);
			return false;
		}
	}
	return true;
}

/* ---- by a function of the caller's ---- */

static void auth_said(struct smtp *session, int err);

static void
say_secret(struct smtp *session, struct buffer *line)
{
	smtp_step_command(
	    session, buffer_bytes(line), SMTP_PHASE_AUTH, true, auth_said);
	buffer_clear_secret(line);
}

/* Append the response to challenge in base64; false: there is none. */
static bool
respond(struct smtp *session, const void *challenge, size_t len,
    struct buffer *output)
{
	char response[RESPONSE_MAX];
	const int written = session->auth_fn(
	    session->auth_arg, challenge, len, response, sizeof(response));
	const bool ok = written >= 0 && (size_t)written <= sizeof(response);

	if (ok)
		transfer_base64(output, bytes_make(response, (size_t)written));
	secret_clear(response, sizeof(response));
	return ok;
}

static void
answer(struct smtp *session)
{
	const struct bytes text =
	    bytes_trim(bytes_make(session->text, session->text_len));
	const bool is_empty = bytes_is(text, "(no text)");
	struct buffer challenge;
	struct buffer line;

	buffer_init(&challenge, SMTP_ORDER_MAX);
	buffer_init(&line, SMTP_ORDER_MAX);
	const bool ok = session->challenges <= SMTP_MAXCHALLENGE &&
	    smtp_login_decode(&challenge, is_empty ? BYTES_NONE : text) &&
	    respond(
		session, buffer_bytes(&challenge).data, challenge.len, &line);
	if (!ok)
		buffer_append_text(&line, "*");
	say_secret(session, &line);
	buffer_clear_secret(&challenge);
}

static void
auth_said(struct smtp *session, int err)
{
	const bool asks = err == SMTP_OK && session->code == 334;

	/* The one beyond the limit is answered by giving up. */
	if (asks && !session->is_cancelled &&
	    session->challenges <= SMTP_MAXCHALLENGE + 1) {
		answer(session);
		return;
	}
	if (asks) {
		smtp_link_close(session);
		err = smtp_last_fail(session, SMTP_E_PROTO, SMTP_S_AUTH,
		    "a challenge after the exchange was cancelled");
	}
	logged_in(session, err);
}

static void
begin_exchange(struct smtp *session, int err)
{
	struct buffer line;
	struct buffer initial;

	if (err != SMTP_OK) {
		smtp_call_end(session, err);
		return;
	}
	session->challenges = 0;
	session->is_cancelled = false;
	session->is_asked = false;
	buffer_init(&line, SMTP_ORDER_MAX);
	buffer_init(&initial, SMTP_ORDER_MAX);
	buffer_printf(&line, "AUTH %s", session->mechanism);
	if (session->auth_initial && respond(session, NULL, 0, &initial) &&
	    line.len + 1 + initial.len + 2 <= LINE_OCTETS_MAX)
		buffer_printf(&line, " %.*s",
		    BYTES_ARGS(
			initial.len > 0 ? buffer_bytes(&initial) : BYTES("=")));
	say_secret(session, &line);
	buffer_clear_secret(&initial);
}

int
smtp_auth_cb_async(struct smtp *s, const char *mech, smtp_auth_fn fn,
    void *fnarg, int initial_ok, smtp_done_fn cb, void *arg)
{
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	s->stage = SMTP_S_AUTH;
	if (mech[0] == '\0' || bytes_has_control(bytes_of(mech)) ||
	    bytes_contains(bytes_of(mech), ' '))
		return smtp_call_refuse(
		    s, SMTP_E_INVAL, "no name of a mechanism");
	smtp_session_set(&s->mechanism, mech);
	s->auth_fn = fn;
	s->auth_arg = fnarg;
	s->auth_initial = initial_ok != 0;
	smtp_greet_begin(s, begin_exchange);
	return smtp_call_go(s);
}

int
smtp_auth_cb(struct smtp *s, const char *mech, smtp_auth_fn fn, void *arg,
    int initial_ok)
{
	return smtp_call_wait(
	    s, smtp_auth_cb_async(s, mech, fn, arg, initial_ok, NULL, NULL));
}

/* ---- for such a function ---- */

/* LOGIN's prompts differ from server to server; the second is for a password.
 */
static bool
respond_login(const char *user, const char *pass, struct bytes challenge,
    struct buffer *output)
{
	const bool is_second = bytes_has_prefix_nocase(challenge, "pass");

	buffer_append_text(output, is_second ? pass : user);
	return true;
}

static bool
respond_alone(const char *mech, const struct sasl_identity *identity,
    struct bytes challenge, struct buffer *output)
{
	const struct sasl_mechanism *mechanism =
	    sasl_mechanism_find(bytes_of(mech));
	struct buffer base64;
	struct buffer response;

	if (mechanism == NULL)
		return false;
	struct sasl *sasl = sasl_new(mechanism, identity);
	buffer_init(&base64, SMTP_ORDER_MAX);
	buffer_init(&response, SMTP_ORDER_MAX);
	transfer_base64(&base64, challenge);
	const bool ok = sasl_respond(sasl, buffer_bytes(&base64), &response) &&
	    smtp_login_decode(output, buffer_bytes(&response));
	buffer_clear_secret(&response);
	buffer_clear_secret(&base64);
	sasl_free(sasl);
	return ok;
}

int
smtp_mech_response(const char *mech, const char *user, const char *pass,
    const void *chal, size_t n, char **out, size_t *out_n)
{
	const struct bytes challenge =
	    chal != NULL ? bytes_make(chal, n) : BYTES_NONE;
	const struct sasl_identity identity = {
	    .user = user,
	    .password = pass,
	    .clear_ok = true,
	    .exporter_binding = BYTES_NONE,
	    .unique_binding = BYTES_NONE,
	};
	struct buffer output;

	buffer_init(&output, SMTP_ORDER_MAX);
	const bool ok = bytes_is_nocase(bytes_of(mech), "LOGIN")
	    ? respond_login(user, pass, challenge, &output)
	    : respond_alone(mech, &identity, challenge, &output);
	if (ok) {
		*out_n = output.len;
		*out = buffer_to_text(&output);
	}
	buffer_clear_secret(&output);
	return ok ? SMTP_OK : SMTP_E_NOMECH;
}
