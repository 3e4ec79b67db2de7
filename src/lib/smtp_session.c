#include "lib/smtp_session.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/loop.h"
#include "net/tls.h"
#include "smtp/extensions.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- for the other files ---- */

void
smtp_session_set(char **field, const char *text)
{
	char *copy = text != NULL ? memory_copy_text(text) : NULL;

	free(*field);
	*field = copy;
}

void
smtp_session_set_secret(char **field, const char *text)
{
	if (*field != NULL)
		secret_clear(*field, strlen(*field));
	smtp_session_set(field, text);
}

const char *
smtp_session_hello(struct smtp *session)
{
	if (session->settings.local_hostname == NULL)
		session->settings.local_hostname = smtp_default_hostname();
	return session->settings.local_hostname;
}

int64_t
smtp_session_timeout(const struct smtp *session, enum smtp_phase phase)
{
	return session->settings.phase_ms[phase];
}

int64_t
smtp_session_timeout_or(
    const struct smtp *session, enum smtp_phase phase, int64_t usual_ms)
{
	const int64_t ms = smtp_session_timeout(session, phase);

	return ms > 0 ? ms : usual_ms;
}

/* ---- settings ---- */

static void
set_phase(struct smtp_settings *settings, enum smtp_phase phase, int64_t ms)
{
	settings->phase_ms[phase] = ms < 0 ? CLOCK_NEVER : ms;
}

static void
set_phases(struct smtp_settings *settings, const struct smtp_options *options)
{
	const struct {
		enum smtp_phase phase;
		int64_t ms;
	} rows[] = {
	    {SMTP_PHASE_CONNECT, options->t_connect},
	    {SMTP_PHASE_GREETING, options->t_greeting},
	    {SMTP_PHASE_EHLO, options->t_ehlo},
	    {SMTP_PHASE_HELO, options->t_ehlo},
	    {SMTP_PHASE_STARTTLS, options->t_other},
	    {SMTP_PHASE_TLS, options->t_other},
	    {SMTP_PHASE_AUTH, options->t_auth},
	    {SMTP_PHASE_MAIL, options->t_mail},
	    {SMTP_PHASE_RCPT, options->t_rcpt},
	    {SMTP_PHASE_DATA, options->t_data},
	    {SMTP_PHASE_CONTENT, options->t_block},
	    {SMTP_PHASE_END, options->t_dot},
	    {SMTP_PHASE_RSET, options->t_other},
	    {SMTP_PHASE_COMMAND, options->t_other},
	    {SMTP_PHASE_QUIT, options->t_quit},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		set_phase(settings, rows[i].phase, rows[i].ms);
}

static enum smtp_verbs
verbs_of(enum smtp_case verbs)
{
	switch (verbs) {
	case SMTP_VERB_LOWER:
		return SMTP_VERBS_LOWER;
	case SMTP_VERB_SEED:
		return SMTP_VERBS_SEED;
	case SMTP_VERB_UPPER:
		return SMTP_VERBS_UPPER;
	}
	return SMTP_VERBS_LOWER;
}

/* What a caller who knows fewer fields did not set is zero. */
static struct smtp_options
known_options(const struct smtp_options *given)
{
	struct smtp_options options = {0};
	size_t size = sizeof(options);

	if (given == NULL)
		return options;
	if (given->size > 0 && given->size < size)
		size = given->size;
	memcpy(&options, given, size);
	return options;
}

static bool
take_options(struct smtp *session, const struct smtp_options *given)
{
	const struct smtp_options options = known_options(given);
	struct smtp_settings *settings = &session->settings;

	const struct bytes name = bytes_of(options.local_hostname);
	if (bytes_has_control(name) || !bytes_is_ascii(name) ||
	    name.len > SMTP_HELLO_MAX)
		return false;
	smtp_session_set(&settings->local_hostname, options.local_hostname);
	smtp_session_set(&settings->tls_name, options.tls_name);
	smtp_session_set(&settings->tls_ca, options.tls_ca);
	settings->tls_verify = options.tls_verify;
	settings->tls = options.tls;
	settings->ssl_ctx = options.ssl_ctx;
	settings->lmtp = options.lmtp != 0;
	settings->raw_eol = options.raw_eol != 0;
	settings->convert_8bit = options.convert_8bit;
	settings->auth_in_clear = options.auth_in_clear != 0;
	settings->session_ms = options.t_session;
	set_phases(settings, &options);
	session->options.verbs = verbs_of(options.verbs);
	session->options.no_pipelining = options.pipelining < 0;
	settings->chunking = options.chunking != 0;
	session->options.no_chunking = !settings->chunking;
	return smtp_set_source_address(session, options.source_address) ==
	    SMTP_OK;
}

/* ---- life ---- */

/* Takes loop. */
static struct smtp *
new_on(struct loop *loop, bool is_foreign, const struct smtp_options *options)
{
	struct smtp *session = memory_new(sizeof(*session));

	session->loop = loop;
	session->is_foreign = is_foreign;
	session->session_deadline = CLOCK_NEVER;
	buffer_init(&session->debug.reply, (size_t)1024 * 1024);
	smtp_content_init(&session->content);
	smtp_last_clear(session);
	smtp_connect_init(session);
	smtp_step_init(session);
	if (take_options(session, options))
		return session;
	smtp_free(session);
	return NULL;
}

struct smtp *
smtp_new(const struct smtp_options *o)
{
	return new_on(loop_new(), false, o);
}

struct smtp *
smtp_new_in(struct event_base *b, const struct smtp_options *o)
{
	return new_on(loop_new_in(b), true, o);
}

void
smtp_free(struct smtp *s)
{
	if (s == NULL)
		return;
	smtp_cancel(s);
	smtp_session_forget_server(s);
	smtp_last_clear(s);
	smtp_last_clear_results(s);
	smtp_facts_forget(s);
	resolver_free(s->resolver);
	loop_timer_clear(&s->resolve_timer);
	tls_context_free(s->tls);
	buffer_clear(&s->debug.reply);
	free(s->settings.local_hostname);
	free(s->settings.tls_name);
	free(s->settings.tls_ca);
	free(s->text);
	free(s->host);
	loop_free(s->loop);
	free(s);
}

int
smtp_set_timeout(struct smtp *s, int64_t ms)
{
	if (ms == 0 || ms < -1)
		return SMTP_E_INVAL;
	s->settings.timeout_ms = ms;
	for (int phase = 0; phase < SMTP_PHASE_COUNT; phase++)
		set_phase(&s->settings, (enum smtp_phase)phase, ms);
	return SMTP_OK;
}

int64_t
smtp_get_timeout(const struct smtp *s)
{
	return s->settings.timeout_ms;
}

int
smtp_set_source_address(struct smtp *s, const char *addr_port)
{
	struct socket_address address;
	struct error error;

	s->settings.has_source = false;
	if (addr_port == NULL)
		return SMTP_OK;
	if (!socket_address_of_literal(addr_port, 0, &address) &&
	    (addr_port[0] == '/' ||
		!socket_address_parse(addr_port, &address, &error)))
		return SMTP_E_INVAL;
	s->settings.source = address;
	s->settings.has_source = true;
	return SMTP_OK;
}

void
smtp_set_default_port(struct smtp *s, int port)
{
	s->settings.default_port =
	    port > 0 && port <= UINT16_MAX ? (unsigned)port : 0;
}

int
smtp_set_tls(
    struct smtp *s, enum smtp_tls how, struct ssl_ctx_st *ctx, const char *name)
{
	if (s->is_busy)
		return SMTP_E_INVAL;
	s->settings.tls = how;
	s->settings.ssl_ctx = ctx;
	smtp_session_set(&s->settings.tls_name, name);
	/* A connection may still be using it. */
	s->is_tls_stale = true;
	return SMTP_OK;
}

void
smtp_set_debug(struct smtp *s, int level, smtp_debug_fn fn, void *arg)
{
	s->debug.level = fn != NULL ? level : 0;
	s->debug.fn = fn;
	s->debug.arg = arg;
}

/* ---- what the server said ---- */

void
smtp_session_forget_server(struct smtp *session)
{
	for (size_t i = 0; i < 2 * session->names_len; i++)
		free(session->names[i]);
	free(session->names);
	session->names = NULL;
	session->names_len = 0;
	session->is_esmtp = false;
	session->is_utf8 = false;
	smtp_session_set(&session->ehlo_text, NULL);
	smtp_session_set(&session->helo_text, NULL);
}

static char *
lower_copy(struct bytes text)
{
	char *copy = memory_copy(text);

	for (char *p = copy; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return copy;
}

/* Index of name, or names_len. */
static size_t
find_name(const struct smtp *session, const char *name)
{
	size_t i = 0;

	while (i < session->names_len &&
	    strcasecmp(session->names[2 * i], name) != 0)
		i++;
	return i;
}

/* Lines of AUTH add up; of the others the last one counts. */
static void
learn_name(struct smtp *session, struct bytes keyword, struct bytes parameters)
{
	char *name = lower_copy(keyword);
	char *text = memory_copy(parameters);
	const size_t i = find_name(session, name);

	if (i == session->names_len) {
		session->names_len++;
		session->names = memory_resize_array(
		    session->names, 2 * session->names_len, sizeof(char *));
		session->names[2 * i] = name;
		session->names[2 * i + 1] = text;
		return;
	}
	char *old = session->names[2 * i + 1];
	session->names[2 * i + 1] = strcmp(name, "auth") != 0
	    ? memory_copy_text(text)
	    : memory_format("%s %s", old, text);
	free(old);
	free(text);
	free(name);
}

void
smtp_session_learn(struct smtp *session)
{
	struct bytes rest =
	    extensions_lines(bytes_make(session->text, session->text_len));
	struct bytes keyword;
	struct bytes parameters;

	while (extensions_next_line(&rest, &keyword, &parameters))
		learn_name(session, keyword, parameters);
}

int
smtp_has_extn(const struct smtp *s, const char *name)
{
	return find_name(s, name) < s->names_len;
}

const char *
smtp_extn(const struct smtp *s, const char *name)
{
	const size_t i = find_name(s, name);

	return i < s->names_len ? s->names[2 * i + 1] : NULL;
}

const char *
smtp_extn_at(const struct smtp *s, size_t i)
{
	return i < s->names_len ? s->names[2 * i] : NULL;
}

int
smtp_does_esmtp(const struct smtp *s)
{
	return s->is_esmtp;
}

const char *
smtp_ehlo_resp(const struct smtp *s)
{
	return s->ehlo_text;
}

const char *
smtp_helo_resp(const struct smtp *s)
{
	return s->helo_text;
}
