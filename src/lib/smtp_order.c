#include "lib/smtp_order.h"

#include "base/memory.h"
#include "lib/smtp_param.h"

#include <stdlib.h>
#include <string.h>

static char
to_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

void
smtp_order_verb(
    const struct smtp *session, struct buffer *line, const char *verb)
{
	bool upper = session->options.verbs == SMTP_VERBS_UPPER;

	for (const char *p = verb; *p != '\0'; p++) {
		upper |= *p == ' ' && session->options.verbs == SMTP_VERBS_SEED;
		buffer_append_char(line, upper ? to_upper(*p) : *p);
	}
}

void
smtp_order_options(struct buffer *line, const char *const *options)
{
	for (; options != NULL && *options != NULL; options++)
		buffer_printf(line, " %s", *options);
}

bool
smtp_order_has_option(const char *const *options, const char *name)
{
	for (; options != NULL && *options != NULL; options++) {
		struct bytes rest = bytes_of(*options);
		if (bytes_is_nocase(bytes_cut(&rest, '='), name))
			return true;
	}
	return false;
}

/* What stands in a message of ours: line ends as people write them. */
static char *
shown(struct bytes line)
{
	struct buffer text;

	buffer_init(&text, 8 * SMTP_ORDER_MAX);
	for (size_t i = 0; i < line.len && i < 200; i++) {
		const char c = line.data[i];
		if (c == '\n' || c == '\r')
			buffer_append_text(&text, c == '\n' ? "\\n" : "\\r");
		else
			buffer_append_char(
			    &text, c >= ' ' && c <= '~' ? c : '?');
	}
	char *copy = buffer_to_text(&text);
	buffer_clear(&text);
	return copy;
}

int
smtp_order_check(struct smtp *session, struct bytes line)
{
	if (!session->is_utf8 && !bytes_is_ascii(line))
		return smtp_last_fail(session, SMTP_E_ENCODING, session->stage,
		    "not ASCII, and SMTPUTF8 was not said");
	if (!bytes_contains(line, '\n') && !bytes_contains(line, '\r'))
		return SMTP_OK;
	char *text = shown(line);
	char *why = memory_format("command and arguments contain prohibited "
				  "newline characters: %s",
	    text);
	const int err =
	    smtp_last_fail(session, SMTP_E_INVAL, session->stage, why);
	free(why);
	free(text);
	return err;
}

/* ---- a line, or octets, without waiting for a reply ---- */

static void
compose(struct buffer *line, const char *cmd, const char *args)
{
	buffer_init(line, SMTP_ORDER_MAX);
	buffer_append_text(line, cmd);
	if (args != NULL && args[0] != '\0')
		buffer_printf(line, " %s", args);
}

static void
written(struct smtp *session, int err)
{
	free(session->user);
	session->user = NULL;
	smtp_call_end(session, err);
}

int
smtp_send_async(
    struct smtp *s, const void *b, size_t n, smtp_done_fn cb, void *arg)
{
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	s->raw = bytes_make(b, n);
	smtp_step_write(s, written);
	return smtp_call_go(s);
}

int
smtp_send(struct smtp *s, const void *b, size_t n)
{
	return smtp_call_wait(s, smtp_send_async(s, b, n, NULL, NULL));
}

int
smtp_putcmd_async(struct smtp *s, const char *cmd, const char *args,
    smtp_done_fn cb, void *arg)
{
	struct buffer line;
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	compose(&line, cmd, args);
	err = smtp_order_check(s, buffer_bytes(&line));
	if (err == SMTP_OK && line.overflowed)
		err = smtp_last_fail(
		    s, SMTP_E_INVAL, SMTP_S_CMD, "the line is too long");
	if (err != SMTP_OK) {
		buffer_clear(&line);
		return smtp_call_refuse(s, err, smtp_last_errmsg(s));
	}
	buffer_append_text(&line, "\r\n");
	s->user = buffer_to_text(&line); /* until it is written */
	s->raw = bytes_of(s->user);
	buffer_clear(&line);
	smtp_step_write(s, written);
	return smtp_call_go(s);
}

int
smtp_putcmd(struct smtp *s, const char *cmd, const char *args)
{
	return smtp_call_wait(s, smtp_putcmd_async(s, cmd, args, NULL, NULL));
}

int
smtp_getreply_async(struct smtp *s, smtp_done_fn cb, void *arg)
{
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	smtp_step_reply(s, smtp_call_end);
	return smtp_call_go(s);
}

int
smtp_getreply(struct smtp *s)
{
	return smtp_call_wait(s, smtp_getreply_async(s, NULL, NULL));
}

/* ---- a line and its reply ---- */

/* The call is begun; line is released. */
static int
say(struct smtp *session, struct buffer *line, enum smtp_phase phase,
    smtp_step_fn *then)
{
	session->stage = smtp_last_stage_of(phase);
	int err = smtp_order_check(session, buffer_bytes(line));
	if (err == SMTP_OK && line->overflowed)
		err = smtp_last_fail(session, SMTP_E_INVAL, session->stage,
		    "the line is too long");
	if (err == SMTP_OK)
		smtp_step_command(
		    session, buffer_bytes(line), phase, false, then);
	buffer_clear(line);
	if (err == SMTP_OK)
		return smtp_call_go(session);
	return smtp_call_refuse(session, err, smtp_last_errmsg(session));
}

static int
say_verb(struct smtp *session, const char *verb, const char *args,
    smtp_step_fn *then, smtp_done_fn fn, void *arg)
{
	struct buffer line;
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(session, fn, arg, &err))
		return err;
	buffer_init(&line, SMTP_ORDER_MAX);
	smtp_order_verb(session, &line, verb);
	if (args != NULL && args[0] != '\0')
		buffer_printf(&line, " %s", args);
	return say(session, &line, SMTP_PHASE_COMMAND, then);
}

int
smtp_docmd_async(struct smtp *s, const char *cmd, const char *args,
    smtp_done_fn cb, void *arg)
{
	struct buffer line;
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	compose(&line, cmd, args);
	return say(s, &line, SMTP_PHASE_COMMAND, smtp_call_end);
}

int
smtp_docmd(struct smtp *s, const char *cmd, const char *args)
{
	return smtp_call_wait(s, smtp_docmd_async(s, cmd, args, NULL, NULL));
}

int
smtp_help_async(struct smtp *s, const char *about, smtp_done_fn cb, void *arg)
{
	return say_verb(s, "help", about, smtp_call_end, cb, arg);
}

int
smtp_help(struct smtp *s, const char *arg)
{
	return smtp_call_wait(s, smtp_help_async(s, arg, NULL, NULL));
}

int
smtp_noop_async(struct smtp *s, smtp_done_fn cb, void *arg)
{
	return say_verb(s, "noop", NULL, smtp_call_end, cb, arg);
}

int
smtp_noop(struct smtp *s)
{
	return smtp_call_wait(s, smtp_noop_async(s, NULL, NULL));
}

int
smtp_rset_async(struct smtp *s, smtp_done_fn cb, void *arg)
{
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	s->is_utf8 = false;
	s->accepted = 0;
	smtp_step_phase(s, SMTP_PHASE_RSET, smtp_call_end);
	return smtp_call_go(s);
}

int
smtp_rset(struct smtp *s)
{
	return smtp_call_wait(s, smtp_rset_async(s, NULL, NULL));
}

static int
say_address(struct smtp *session, const char *verb, const char *address,
    smtp_done_fn fn, void *arg)
{
	char *bare = smtp_addr_only(address);
	const int err = bare == NULL
	    ? SMTP_E_INVAL
	    : say_verb(session, verb, bare, smtp_call_end, fn, arg);

	free(bare);
	return err;
}

int
smtp_vrfy_async(struct smtp *s, const char *addr, smtp_done_fn cb, void *arg)
{
	return say_address(s, "vrfy", addr, cb, arg);
}

int
smtp_vrfy(struct smtp *s, const char *addr)
{
	return smtp_call_wait(s, smtp_vrfy_async(s, addr, NULL, NULL));
}

int
smtp_expn_async(struct smtp *s, const char *list, smtp_done_fn cb, void *arg)
{
	return say_address(s, "expn", list, cb, arg);
}

int
smtp_expn(struct smtp *s, const char *list)
{
	return smtp_call_wait(s, smtp_expn_async(s, list, NULL, NULL));
}

int
smtp_etrn_async(struct smtp *s, const char *node, smtp_done_fn cb, void *arg)
{
	return say_verb(s, "etrn", node, smtp_call_end, cb, arg);
}

int
smtp_etrn(struct smtp *s, const char *node)
{
	return smtp_call_wait(s, smtp_etrn_async(s, node, NULL, NULL));
}

/* ---- MAIL, RCPT, DATA ---- */

/* NULL where it is several, or what it needs is not offered. */
static bool
compose_path(struct smtp *session, struct buffer *line, const char *verb,
    const char *address, const char *const *options)
{
	char *path = smtp_quoteaddr(address);

	buffer_init(line, SMTP_ORDER_MAX);
	if (path == NULL)
		return false;
	smtp_order_verb(session, line, verb);
	buffer_append_text(line, path);
	if (session->is_esmtp)
		smtp_order_options(line, options);
	free(path);
	return true;
}

int
smtp_mail_async(struct smtp *s, const char *from, const char *const *opts,
    smtp_done_fn cb, void *arg)
{
	const bool wants_utf8 = smtp_order_has_option(opts, "SMTPUTF8");
	struct smtp_param_obstacle obstacle;
	struct buffer line;
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	s->stage = SMTP_S_MAIL;
	if (wants_utf8 && s->is_esmtp && !smtp_has_extn(s, "smtputf8"))
		return smtp_call_refuse(
		    s, SMTP_E_NOTSUPP, "SMTPUTF8 not supported by server");
	if (smtp_order_has_option(opts, "REQUIRETLS") &&
	    !smtp_param_may_require_tls(s, &obstacle))
		return smtp_call_refuse(s, SMTP_E_NOTSUPP, obstacle.text);
	s->is_utf8 |= wants_utf8 && s->is_esmtp;
	smtp_last_clear_results(s);
	if (!compose_path(s, &line, "mail from:", from, opts))
		return smtp_call_refuse(
		    s, SMTP_E_INVAL, "the sender is several addresses");
	return say(s, &line, SMTP_PHASE_MAIL, smtp_call_end);
}

int
smtp_mail(struct smtp *s, const char *from, const char *const *opts)
{
	return smtp_call_wait(s, smtp_mail_async(s, from, opts, NULL, NULL));
}

static void
rcpt_said(struct smtp *session, int err)
{
	struct smtp_result *result =
	    &session->results[session->results_len - 1];
	const struct smtp_outcome outcome = {
	    .kind = SMTP_REPLIED,
	    .phase = SMTP_PHASE_RCPT,
	    .code = session->code,
	    .enhanced = bytes_of(session->enhanced),
	    .text = bytes_make(session->text, session->text_len),
	};

	if (err == SMTP_OK) {
		smtp_last_set_result(session, result, &outcome);
		session->accepted += session->code / 100 == 2;
	}
	smtp_call_end(session, err);
}

int
smtp_rcpt_async(struct smtp *s, const char *to, const char *const *opts,
    smtp_done_fn cb, void *arg)
{
	struct buffer line;
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	s->stage = SMTP_S_RCPT;
	if (!compose_path(s, &line, "rcpt to:", to, opts))
		return smtp_call_refuse(
		    s, SMTP_E_INVAL, "the recipient is several addresses");
	(void)smtp_last_add_result(s, to);
	return say(s, &line, SMTP_PHASE_RCPT, rcpt_said);
}

int
smtp_rcpt(struct smtp *s, const char *to, const char *const *opts)
{
	return smtp_call_wait(s, smtp_rcpt_async(s, to, opts, NULL, NULL));
}

static void
data_said(struct smtp *session, int err)
{
	const unsigned replies = session->settings.lmtp && session->accepted > 0
	    ? (unsigned)session->accepted
	    : 1;

	if (err == SMTP_OK && session->code != 354)
		err = smtp_last_refused(session, SMTP_E_DATA);
	if (err != SMTP_OK) {
		smtp_call_end(session, err);
		return;
	}
	session->finals = 0;
	session->finals_due = replies;
	session->accepted = 0;
	smtp_step_content(session, replies, smtp_call_end);
}

int
smtp_data_async(struct smtp *s, const void *msg, size_t n, int fix_eol,
    smtp_done_fn cb, void *arg)
{
	const bool raw = s->settings.raw_eol && fix_eol == 0;
	struct buffer line;
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	smtp_content_of_memory(&s->content, bytes_make(msg, n), raw);
	s->options.raw_lines = raw;
	buffer_init(&line, SMTP_ORDER_MAX);
	smtp_order_verb(s, &line, "data");
	return say(s, &line, SMTP_PHASE_DATA, data_said);
}

int
smtp_data(struct smtp *s, const void *msg, size_t n, int fix_eol)
{
	return smtp_call_wait(
	    s, smtp_data_async(s, msg, n, fix_eol, NULL, NULL));
}

/* ---- QUIT ---- */

static void
quit_said(struct smtp *session, int err)
{
	smtp_link_close(session);
	smtp_session_forget_server(session);
	smtp_call_end(session, err);
}

int
smtp_quit_async(struct smtp *s, smtp_done_fn cb, void *arg)
{
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	smtp_step_quit(s, quit_said);
	return smtp_call_go(s);
}

int
smtp_quit(struct smtp *s)
{
	return smtp_call_wait(s, smtp_quit_async(s, NULL, NULL));
}
