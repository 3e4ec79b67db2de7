#include "base/memory.h"
#include "lib/smtp_order.h"
#include "lib/smtp_param.h"
#include "lib/smtp_split.h"
#include "smtp/extensions.h"
#include "smtp/idn.h"

#include <stdlib.h>
#include <string.h>

/* ---- sending ---- */

static void
declare_size(struct smtp *session, struct mail_params *params)
{
	const struct smtp_content *content = &session->content;

	params->has_size = content->has_size && !session->mail.given.has_size;
	params->size_bytes = content->size;
}

static enum transfer_encoding
form_of(const struct smtp_settings *settings)
{
	if (settings->convert_8bit == 2)
		return TRANSFER_BASE64;
	return settings->convert_8bit == 3 ? TRANSFER_QUOTED_PRINTABLE
					   : TRANSFER_OTHER;
}

static bool
convert(struct smtp *session, bool may_be_8bit)
{
	const enum transfer_encoding form = form_of(&session->settings);
	const char *status = "";
	struct error error;

	switch (smtp_content_convert(
	    &session->content, may_be_8bit, form, &status, &error)) {
	case SMTP_CONTENT_CONVERTED:
		return true;
	case SMTP_CONTENT_UNFIT:
		smtp_split_refuse(session, 554, status, error_text(&error));
		return false;
	case SMTP_CONTENT_UNREADABLE:
		break;
	}
	session->number = error.number;
	smtp_call_end(session,
	    smtp_last_fail(
		session, SMTP_E_OS, SMTP_S_BODY, error_text(&error)));
	return false;
}

/* Content that the server need not take is converted; false where it cannot be,
 * and the call is over. */
static bool
make_fit(struct smtp *session, bool may_be_8bit)
{
	struct smtp_content *content = &session->content;
	const bool is_8bit = content->is_8bit && !may_be_8bit;

	if (session->mail.raw || session->settings.convert_8bit < 0)
		return true; /* as smtplib: it goes out as it is */
	if (!is_8bit && !content->has_long_line) {
		smtp_content_watch(content);
		return true;
	}
	if (session->settings.convert_8bit > 0)
		return convert(session, may_be_8bit);
	smtp_split_refuse(session, 554, "5.6.3",
	    is_8bit ? "the server does not take 8-bit content"
		    : "the message has a line of more than 998 octets");
	return false;
}

/* 8-bit content: declared, or converted, as are long lines; false where it
 * cannot be, and the call is over. */
static bool
declare_body(struct smtp *session, struct mail_params *params)
{
	struct smtp_content *content = &session->content;
	const enum mail_body given = session->mail.given.body;
	const bool may_be_8bit =
	    smtp_has_extn(session, "8bitmime") && given != MAIL_BODY_7BIT;

	if (given == MAIL_BODY_BINARYMIME) {
		params->body = given;
		session->options.no_chunking = false;
		smtp_content_keep_as_is(content);
		return true;
	}
	if (!make_fit(session, may_be_8bit))
		return false;
	if (content->is_8bit && may_be_8bit && given == MAIL_BODY_UNDECLARED)
		params->body = MAIL_BODY_8BITMIME;
	return true;
}

static void
send_now(struct smtp *session, int err)
{
	struct mail_params params = MAIL_PARAMS_NONE;
	struct smtp_param_obstacle obstacle;

	if (err == SMTP_OK && !smtp_client_can_send(session->client))
		err = smtp_last_fail(session, SMTP_E_RESPONSE, SMTP_S_EHLO,
		    "the server takes no more messages in this session");
	if (err != SMTP_OK) {
		smtp_last_share(session);
		smtp_call_end(session, err);
		return;
	}
	if (!smtp_param_choose(session, &params, &obstacle)) {
		smtp_split_refuse(
		    session, obstacle.code, obstacle.enhanced, obstacle.text);
		return;
	}
	if (!declare_body(session, &params))
		return;
	declare_size(session, &params);
	smtp_split_begin(session, &params);
}

/* ---- what is to be sent ---- */

/* NULL, told, where address cannot be said. */
static char *
take_address(struct smtp *session, const char *address, int *out_err)
{
	char *bare = smtp_addr_only(address);

	if (bare == NULL) {
		*out_err = smtp_last_fail(session, SMTP_E_INVAL, SMTP_S_MAIL,
		    "several addresses where there should be one");
		return NULL;
	}
	const struct bytes bytes = bytes_of(bare);
	if (bytes_contains(bytes, '\n') || bytes_contains(bytes, '\r'))
		*out_err = smtp_order_check(session, bytes);
	else if (!session->mail.given.utf8 && !idn_is_mailbox_sendable(bytes))
		*out_err = smtp_last_fail(session, SMTP_E_ENCODING, SMTP_S_MAIL,
		    "an address is not ASCII, and SMTPUTF8 was not said");
	if (*out_err == SMTP_OK)
		return bare;
	free(bare);
	return NULL;
}

static int
take_recipients(struct smtp *session, const char *const *to)
{
	struct smtp_mail *mail = &session->mail;
	size_t count = 0;
	int err = SMTP_OK;

	while (to[count] != NULL)
		count++;
	mail->recipients = memory_array(count, sizeof(*mail->recipients));
	smtp_last_clear_results(session);
	for (; mail->count < count; mail->count++) {
		char *address = take_address(session, to[mail->count], &err);
		if (address == NULL)
			return err;
		mail->recipients[mail->count] = address;
		(void)smtp_last_add_result(session, to[mail->count]);
	}
	return SMTP_OK;
}

/* The call is begun, the content known. */
static int
begin_mail(struct smtp *session, const char *from, const char *const *to,
    bool raw, const char *const *mail_opts, const char *const *rcpt_opts)
{
	struct smtp_mail *mail = &session->mail;
	int err = SMTP_OK;

	session->stage = SMTP_S_MAIL;
	mail->raw = session->settings.raw_eol && raw;
	err = smtp_param_take(session, mail_opts, rcpt_opts);
	if (err == SMTP_OK)
		mail->sender = take_address(session, from, &err);
	if (err == SMTP_OK)
		err = take_recipients(session, to);
	if (err != SMTP_OK)
		return smtp_call_refuse(
		    session, err, smtp_last_errmsg(session));
	smtp_greet_begin(session, send_now);
	return smtp_call_go(session);
}

/* ---- the interface ---- */

/* Nothing to do is an error before anything else is looked at. */
static bool
begin_call(struct smtp *session, const char *const *to, smtp_done_fn fn,
    void *arg, int *out_err)
{
	if (to != NULL && to[0] != NULL)
		return smtp_call_begin_connected(session, fn, arg, out_err);
	if (smtp_call_begin(session, fn, arg, out_err)) {
		session->stage = SMTP_S_RCPT;
		*out_err =
		    smtp_call_refuse(session, SMTP_E_INVAL, "no recipients");
	}
	return false;
}

static int
begin_memory(struct smtp *session, const char *from, const char *const *to,
    struct bytes content, bool raw, const char *const *mail_opts,
    const char *const *rcpt_opts, smtp_done_fn fn, void *arg)
{
	int err = SMTP_OK;

	if (!begin_call(session, to, fn, arg, &err))
		return err;
	smtp_content_of_memory(
	    &session->content, content, raw && session->settings.raw_eol);
	return begin_mail(session, from, to, raw, mail_opts, rcpt_opts);
}

int
smtp_sendmail(struct smtp *s, const char *from, const char *const *to,
    const void *msg, size_t n, int fix_eol, const char *const *mail_opts,
    const char *const *rcpt_opts)
{
	return smtp_call_wait(s,
	    begin_memory(s, from, to, bytes_make(msg, n), fix_eol == 0,
		mail_opts, rcpt_opts, NULL, NULL));
}

int
smtp_sendmail_async(struct smtp *s, const char *from, const char *const *to,
    smtp_read_fn rd, void *rdarg, uint64_t size_hint, int flags,
    const char *const *mail_opts, const char *const *rcpt_opts, smtp_done_fn cb,
    void *arg)
{
	const bool raw = (flags & SMTP_SEND_RAW) != 0;
	int err = SMTP_OK;

	if (!begin_call(s, to, cb, arg, &err))
		return err;
	smtp_content_of_function(&s->content, rd, rdarg, size_hint, flags);
	return begin_mail(s, from, to, raw, mail_opts, rcpt_opts);
}

int
smtp_sendmail_fn(struct smtp *s, const char *from, const char *const *to,
    smtp_read_fn rd, void *arg, uint64_t size_hint, int flags,
    const char *const *mail_opts, const char *const *rcpt_opts)
{
	return smtp_call_wait(s,
	    smtp_sendmail_async(s, from, to, rd, arg, size_hint, flags,
		mail_opts, rcpt_opts, NULL, NULL));
}

/* SMTPUTF8 and BODY=8BITMIME behind options, where not there; to be freed. */
static const char **
international_options(const char *const *options)
{
	size_t count = 0;

	while (options != NULL && options[count] != NULL)
		count++;
	const char **all = memory_array(count + 3, sizeof(*all));
	for (size_t i = 0; i < count; i++)
		all[i] = options[i];
	if (!smtp_order_has_option(options, "SMTPUTF8"))
		all[count++] = "SMTPUTF8";
	if (!smtp_order_has_option(options, "BODY"))
		all[count++] = "BODY=8BITMIME";
	return all;
}

int
smtp_send_message_async(struct smtp *s, const struct smtp_msg *m,
    const char *const *mail_opts, const char *const *rcpt_opts, smtp_done_fn cb,
    void *arg)
{
	const char **options =
	    smtp_msg_international(m) ? international_options(mail_opts) : NULL;
	size_t len = 0;
	const void *data = smtp_msg_data(m, &len);
	int err = SMTP_OK;

	if (begin_call(s, smtp_msg_to(m), cb, arg, &err)) {
		smtp_content_of_memory(
		    &s->content, bytes_make(data, len), false);
		s->mail.is_utf8_optional = !smtp_msg_needs_utf8(m) &&
		    !smtp_order_has_option(mail_opts, "SMTPUTF8");
		err = begin_mail(s, smtp_msg_from(m), smtp_msg_to(m), false,
		    options != NULL ? options : mail_opts, rcpt_opts);
	}

	free(options);
	return err;
}

int
smtp_send_message(struct smtp *s, const struct smtp_msg *m,
    const char *const *mail_opts, const char *const *rcpt_opts)
{
	return smtp_call_wait(
	    s, smtp_send_message_async(s, m, mail_opts, rcpt_opts, NULL, NULL));
}
