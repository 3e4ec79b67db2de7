#include "lib/smtp_param.h"

#include "base/clock.h"
#include "base/memory.h"
#include "lib/smtp_order.h"
#include "smtp/extensions.h"
#include "smtp/params.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- as they are given ---- */

/* The next word of *rest; empty at the end. */
static struct bytes
next_word(struct bytes *rest)
{
	struct bytes word;

	do
		word = bytes_cut(rest, ' ');
	while (word.len == 0 && rest->len > 0);
	return word;
}

static struct bytes
keyword_of(struct bytes word)
{
	return bytes_cut(&word, '=');
}

static char *
join(const char *const *options)
{
	struct buffer text;

	buffer_init(&text, SMTP_ORDER_MAX);
	smtp_order_options(&text, options);
	char *joined = buffer_to_text(&text);
	buffer_clear(&text);
	return joined;
}

/* Append the words that we know. */
static void
append_known(struct buffer *known, const char *options, bool of_mail)
{
	struct bytes rest = bytes_of(options);

	while (rest.len > 0) {
		const struct bytes word = next_word(&rest);
		const struct bytes keyword = keyword_of(word);
		const enum extension extension = of_mail
		    ? params_mail_extension(keyword)
		    : params_rcpt_extension(keyword);
		if (extension != EXTENSION_COUNT)
			buffer_printf(known, " %.*s", BYTES_ARGS(word));
	}
}

static int
read_known(struct smtp *session, const char *options, bool of_mail)
{
	struct mail_params mail = MAIL_PARAMS_NONE;
	struct rcpt_params rcpt = RCPT_PARAMS_NONE;
	struct buffer known;

	buffer_init(&known, 2 * SMTP_ORDER_MAX);
	append_known(&known, options, of_mail);
	const struct bytes text = buffer_bytes(&known);
	const struct params_problem problem = of_mail
	    ? params_read_mail(text, ~0U, &mail)
	    : params_read_rcpt(text, ~0U, &rcpt);
	int err = SMTP_OK;
	if (problem.code != 0) {
		char *why = memory_format("%s:%.*s", problem.text,
		    BYTES_ARGS(bytes_first(text, 200)));
		err =
		    smtp_last_fail(session, SMTP_E_INVAL, session->stage, why);
		free(why);
	}
	if (of_mail)
		session->mail.given = mail;
	/* They are of known. */
	session->mail.given.envelope_id = BYTES_NONE;
	session->mail.given.auth = BYTES_NONE;
	session->mail.given.hold_until = BYTES_NONE;
	buffer_clear(&known);
	return err;
}

int
smtp_param_take(struct smtp *session, const char *const *mail_options,
    const char *const *rcpt_options)
{
	struct smtp_mail *mail = &session->mail;

	mail->options = join(mail_options);
	mail->rcpt_options = join(rcpt_options);
	if (bytes_has_control(bytes_of(mail->options)) ||
	    bytes_has_control(bytes_of(mail->rcpt_options)))
		return smtp_last_fail(session, SMTP_E_INVAL, session->stage,
		    "a parameter holds control characters");
	int err = read_known(session, mail->options, true);
	if (err == SMTP_OK)
		err = read_known(session, mail->rcpt_options, false);
	return err;
}

/* ---- as they are said ---- */

static bool
obstruct(struct smtp_param_obstacle *obstacle, int code, const char *enhanced,
    const char *text)
{
	obstacle->code = code;
	obstacle->enhanced = enhanced;
	/* Cut where it does not fit. */
	(void)snprintf(obstacle->text, sizeof(obstacle->text), "%s", text);
	return false;
}

bool
smtp_param_may_require_tls(
    struct smtp *session, struct smtp_param_obstacle *out_obstacle)
{
	if (!smtp_link_is_verified(session))
		return obstruct(out_obstacle, 550, "5.7.30",
		    "REQUIRETLS: the connection is not verified TLS");
	if (!smtp_has_extn(session, "requiretls"))
		return obstruct(out_obstacle, 550, "5.7.30",
		    "the server does not offer REQUIRETLS");
	return true;
}

/* BY and the HOLDs against what EHLO said of them. */
static bool
check_limits(const struct smtp *session, struct smtp_param_obstacle *obstacle)
{
	const struct extensions *offers =
	    smtp_client_extensions(session->client);
	const struct mail_params *given = &session->mail.given;

	if (given->by == MAIL_BY_RETURN &&
	    (uint64_t)given->by_s < offers->by_min_s)
		return obstruct(obstacle, 555, "5.4.7",
		    "BY: the server needs more time to deliver");
	if (offers->hold_max_s > 0 &&
	    (uint64_t)given->hold_for_s > offers->hold_max_s)
		return obstruct(obstacle, 555, "5.5.4",
		    "HOLDFOR: the server does not hold mail so long");
	if (offers->hold_until_ms > 0 &&
	    given->hold_until_ms > offers->hold_until_ms)
		return obstruct(obstacle, 555, "5.5.4",
		    "HOLDUNTIL: the server does not hold mail so long");
	return true;
}

/* Nothing is lost without it: the core declares both by itself. */
static bool
is_dispensable(struct bytes word)
{
	return bytes_is_nocase(keyword_of(word), "SIZE") ||
	    bytes_is_nocase(word, "BODY=7BIT") ||
	    bytes_is_nocase(word, "BODY=8BITMIME");
}

/* The core writes it, or says why it cannot be. */
static bool
is_of_core(struct bytes word)
{
	return bytes_is_nocase(word, "SMTPUTF8") ||
	    bytes_is_nocase(word, "REQUIRETLS") ||
	    bytes_is_nocase(word, "BODY=BINARYMIME");
}

static bool
refuse_word(struct smtp_param_obstacle *obstacle, struct bytes word,
    enum extension extension)
{
	const struct bytes keyword = bytes_first(keyword_of(word), 40);

	(void)snprintf(obstacle->text, sizeof(obstacle->text),
	    "%.*s: the server does not offer %s", BYTES_ARGS(keyword),
	    extension_name(extension));
	obstacle->code = 555;
	obstacle->enhanced = "5.5.4";
	return false;
}

/* Append the words of options that are said; false: one cannot be. */
static bool
choose_words(const struct smtp *session, const char *options, bool of_mail,
    struct buffer *more, struct smtp_param_obstacle *obstacle)
{
	const struct extensions *offers =
	    smtp_client_extensions(session->client);
	struct bytes rest = bytes_of(options);

	while (rest.len > 0) {
		const struct bytes word = next_word(&rest);
		const struct bytes keyword = keyword_of(word);
		const enum extension extension = of_mail
		    ? params_mail_extension(keyword)
		    : params_rcpt_extension(keyword);
		const bool is_taken = extension == EXTENSION_COUNT ||
		    extensions_has(offers, extension);
		if (word.len == 0 || is_of_core(word))
			continue;
		if (is_taken)
			buffer_printf(more, "%s%.*s", more->len > 0 ? " " : "",
			    BYTES_ARGS(word));
		else if (!is_dispensable(word))
			return refuse_word(obstacle, word, extension);
	}
	return true;
}

/* Without EHLO there are no parameters (RFC 5321 3.2), and those that ask for
 * less than delivery as usual are left out, as smtplib does. */
static bool
choose_none(const struct smtp *session, struct smtp_param_obstacle *obstacle)
{
	const struct mail_params *given = &session->mail.given;

	if (given->by != MAIL_BY_UNDECLARED)
		return refuse_word(obstacle, BYTES("BY"), EXTENSION_DELIVERBY);
	if (given->hold_for_s > 0 || given->hold_until_ms > 0)
		return refuse_word(
		    obstacle, BYTES("HOLD"), EXTENSION_FUTURERELEASE);
	if (given->has_priority)
		return refuse_word(
		    obstacle, BYTES("MT-PRIORITY"), EXTENSION_MT_PRIORITY);
	return true;
}

static bool
choose(struct smtp *session, struct smtp_param_obstacle *obstacle)
{
	struct smtp_mail *mail = &session->mail;
	struct buffer more;
	struct buffer more_rcpt;

	buffer_init(&more, SMTP_ORDER_MAX);
	buffer_init(&more_rcpt, SMTP_ORDER_MAX);
	const bool ok =
	    choose_words(session, mail->options, true, &more, obstacle) &&
	    choose_words(
		session, mail->rcpt_options, false, &more_rcpt, obstacle) &&
	    check_limits(session, obstacle);
	if (ok) {
		mail->more = buffer_to_text(&more);
		mail->more_rcpt = buffer_to_text(&more_rcpt);
	}
	buffer_clear(&more);
	buffer_clear(&more_rcpt);
	return ok;
}

bool
smtp_param_choose(struct smtp *session, struct mail_params *params,
    struct smtp_param_obstacle *out_obstacle)
{
	const struct mail_params *given = &session->mail.given;
	const bool has_utf8 = smtp_has_extn(session, "smtputf8");

	if (given->require_tls &&
	    !smtp_param_may_require_tls(session, out_obstacle))
		return false;
	if (!session->is_esmtp)
		return choose_none(session, out_obstacle);
	if (given->utf8 && !has_utf8 && !session->mail.is_utf8_optional)
		return obstruct(out_obstacle, 553, "5.6.7",
		    "SMTPUTF8 not supported by server");
	params->utf8 = given->utf8 && has_utf8;
	params->require_tls = given->require_tls;
	return choose(session, out_obstacle);
}
