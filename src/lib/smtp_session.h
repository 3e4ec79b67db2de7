/*
 * The inside of a session of the public interface, for the files that make it
 * up:
 *
 *   smtp_session.c   life, settings, what the server said
 *   smtp_call.c      one call: its beginning, its steps, its end
 *   smtp_step.c      the steps, and the pump that takes them
 *   smtp_hear.c      what the client core has to say to one
 *   smtp_link.c      the connection under the core, and its events
 *   smtp_connect.c   from a host to a connection with a greeting
 *   smtp_last.c      what came of it, in the words of the interface
 *   smtp_greet.c     EHLO, HELO, STARTTLS
 *   smtp_login.c     AUTH
 *   smtp_order.c     single commands
 *   smtp_content.c   where content comes from
 *   smtp_param.c     parameters of MAIL and RCPT
 *   smtp_mail.c      sendmail
 *   smtp_split.c     its transactions
 *   smtp_spool.c     content on disk
 *   smtp_atrn.c      the roles turned
 *   smtp_facts.c     what TLS came to
 *   smtp_trace.c     the lines of smtp_set_debug()
 *
 * A call is a row of steps.  Each is begun by an order to the core (or by
 * connecting), and when it is over its smtp_step_fn begins the next one, or
 * ends the call.  A step runs within smtp_step_pump(), whoever called it.
 */
#pragma once

#include "base/buffer.h"
#include "lib/postrider/smtp.h"
#include "lib/smtp_content.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/socket_address.h"
#include "smtp/smtp_client.h"

#include <stdbool.h>

/* err: SMTP_OK where a reply was read, or what it waited for happened. */
typedef void smtp_step_fn(struct smtp *session, int err);
/* True: the event is seen to, and the step goes on. */
typedef bool smtp_hear_fn(
    struct smtp *session, const struct smtp_client_event *event);

/* Octets of our name in EHLO: a domain's, and some more. */
#define SMTP_HELLO_MAX ((size_t)400)

enum smtp_link_state {
	SMTP_LINK_NONE,
	SMTP_LINK_RESOLVING,
	SMTP_LINK_CONNECTING,
	SMTP_LINK_SECURING,
	SMTP_LINK_TALKING,
	SMTP_LINK_SERVING /* smtp_atrn.c */
};

struct smtp_settings {
	char
	    *local_hostname; /* owned, as all texts here; NULL: not yet known */
	char *tls_name;      /* or NULL */
	char *tls_ca;        /* or NULL */
	int tls_verify;
	struct socket_address source;
	bool has_source;
	enum smtp_tls tls;
	struct ssl_ctx_st *ssl_ctx; /* borrowed; or NULL */
	bool lmtp;
	bool chunking;
	bool raw_eol;
	int convert_8bit;
	bool auth_in_clear;
	unsigned default_port; /* 0: by protocol */
	int64_t timeout_ms;    /* smtp_set_timeout(); 0: not called */
	int64_t session_ms;    /* 0: none */
	int64_t phase_ms[SMTP_PHASE_COUNT];
};

struct smtp_debug {
	int level;
	smtp_debug_fn fn;
	void *arg;
	struct buffer reply; /* the lines of the one being read */
	/* Which replies smtplib calls "data:", counted by commands. */
	uint64_t commands; /* said so far; the greeting is answer to none */
	uint64_t replies;
	uint64_t data;   /* the number of DATA */
	bool is_content; /* 354 was said: what goes out is no command */
	bool is_chunk;   /* the same, behind BDAT */
	bool is_asked;   /* by a challenge: the answer is secret */
	char line[5];    /* the front of the line that is being said */
	size_t line_len;
};

/* What a mail or its recipients are; texts are owned. */
struct smtp_mail {
	char *sender;
	char **recipients;
	size_t count;
	char *options; /* parameters of MAIL as given, blanks between */
	char *rcpt_options;
	struct mail_params given; /* what options mean; no texts */
	char *more;               /* those of options that are said */
	char *more_rcpt;
	bool raw;
	struct smtp_client_message message;
	struct smtp_client_recipient *list; /* owned; views of recipients */
	size_t *places;                     /* of list in recipients; owned */
	unsigned char *states;              /* smtp_split.c; owned */
	/* SMTPUTF8 is among options, but domains in ASCII form would do. */
	bool is_utf8_optional;
	bool is_sent;      /* anything of it */
	bool is_accepted;  /* a RCPT of this transaction */
	bool is_left;      /* some recipient is for another one */
	bool may_go_on;    /* this one was no end of all */
	bool is_delivered; /* to someone */
	int err;           /* to be told when the RSET is over */
};

struct smtp {
	struct loop *loop;
	bool is_foreign; /* the loop is on the caller's base */
	struct smtp_settings settings;
	struct smtp_debug debug;

	/* The call under way. */
	bool is_busy;
	smtp_done_fn done; /* NULL: blocking */
	void *done_arg;
	int result;
	struct loop_task done_task;

	/* The step under way; NULL: none, and nothing is read. */
	smtp_step_fn *then;
	struct loop_task pump_task;
	smtp_step_fn *after; /* of a row of steps that serves several calls */
	smtp_hear_fn *hear;  /* or NULL */
	bool drains;         /* over once the output has left */
	bool is_step_over;
	bool keeps_last; /* what comes is not told by smtp_last_*() */
	int step_err;
	enum smtp_phase command; /* what SMTP_PHASE_COMMAND stands for */
	int failure;             /* what SMTP_FAILED stands for */

	/* The connection. */
	enum smtp_link_state state;
	struct resolver *resolver; /* made at need */
	struct resolver_query *query;
	struct loop_timer resolve_timer; /* t_session, while there is no conn */
	struct resolver_address *addresses; /* owned */
	size_t address_count;
	size_t address;
	char *host; /* owned; without port; NULL: unknown */
	bool is_local;
	bool is_secure;
	bool is_first; /* the handshake comes before the greeting */
	bool is_over;  /* the core said so */
	bool is_pumping;
	bool is_close_due; /* once it is over */
	bool wants_220;
	struct conn *conn;
	struct smtp_client *client;
	struct smtp_client_options options; /* of client */
	struct tls_context *tls;            /* made at need */
	bool tls_verifies;                  /* tls was made so */
	bool is_tls_stale;                  /* the settings are others since */
	int64_t session_deadline;

	/* What the server said. */
	char *ehlo_text; /* owned; NULL: none */
	char *helo_text;
	char **names; /* of extensions, and behind each its parameters; owned */
	size_t names_len;
	bool is_esmtp;
	bool is_utf8; /* SMTPUTF8 was said to MAIL */

	/* What came of the last call. */
	int code;
	char *text; /* owned */
	size_t text_len;
	char enhanced[16];
	enum smtp_class cls;
	enum smtp_stage stage;
	int number;
	char *why; /* owned */

	struct smtp_result *results; /* owned, with their texts */
	size_t results_len;
	size_t accepted; /* RCPTs since MAIL */

	/* What calls need while they are under way. */
	struct smtp_mail mail;
	struct smtp_content content;
	size_t finals; /* LMTP: the result that the next final reply is for */
	unsigned finals_due;
	struct bytes raw; /* smtp_send(): what is left */
	char *user;       /* owned, secret */
	char *password;
	char *mechanism; /* or the domains of ATRN */
	smtp_auth_fn auth_fn;
	void *auth_arg;
	bool auth_initial;
	unsigned challenges;
	bool is_cancelled;           /* "*" was said to one of them */
	bool is_asked;               /* by the last reply */
	struct tls_context *tls_now; /* borrowed: of this STARTTLS */
	struct tls_context *tls_own; /* of a caller's SSL_CTX */
	char *tls_name_now;
	struct tls_facts facts; /* owned: of smtp_tls_info() */
	struct smtp_atrn *atrn; /* owned; or NULL */
	size_t taken;           /* messages by it */
};

/* ---- smtp_session.c ---- */

/* Text in place of *field, which is freed; text may be NULL. */
void smtp_session_set(char **field, const char *text);
void smtp_session_set_secret(char **field, const char *text);
const char *smtp_session_hello(struct smtp *session);
/* What EHLO said holds no more. */
void smtp_session_forget_server(struct smtp *session);
/* Take the names of extensions out of an EHLO reply. */
void smtp_session_learn(struct smtp *session);
/* Milliseconds for phase as the core wants them; 0: its default. */
int64_t smtp_session_timeout(const struct smtp *session, enum smtp_phase phase);
/* The same, or usual_ms where nothing was said; CLOCK_NEVER: none. */
int64_t smtp_session_timeout_or(
    const struct smtp *session, enum smtp_phase phase, int64_t usual_ms);

/* ---- smtp_call.c ---- */

/* False where session cannot be used so: *out_err is to be returned. */
bool smtp_call_begin(
    struct smtp *session, smtp_done_fn fn, void *arg, int *out_err);
/* The same, which also needs a connection. */
bool smtp_call_begin_connected(
    struct smtp *session, smtp_done_fn fn, void *arg, int *out_err);
/* It could not be begun after all; returns err, told by why. */
int smtp_call_refuse(struct smtp *session, int err, const char *why);
/* All that the call was given is released; its fn is called later.  Fits as a
 * smtp_step_fn that comes last. */
smtp_step_fn smtp_call_end;
/* Nobody is told. */
void smtp_call_drop(struct smtp *session);
/* After the steps of a call were begun: SMTP_OK. */
int smtp_call_go(struct smtp *session);
/* The blocking face: begun is what the twin returned. */
int smtp_call_wait(struct smtp *session, int begun);

/* ---- smtp_step.c ---- */

/* The steps.  Each calls then once, never at once. */
void smtp_step_phase(
    struct smtp *session, enum smtp_phase phase, smtp_step_fn *then);
/* line is without its end; phase tells how long to wait. */
void smtp_step_command(struct smtp *session, struct bytes line,
    enum smtp_phase phase, bool secret, smtp_step_fn *then);
void smtp_step_reply(struct smtp *session, smtp_step_fn *then);
void smtp_step_content(
    struct smtp *session, unsigned replies, smtp_step_fn *then);
void smtp_step_message(
    struct smtp *session, smtp_hear_fn *hear, smtp_step_fn *then);
void smtp_step_quit(struct smtp *session, smtp_step_fn *then);
/* session->raw, as it is. */
void smtp_step_write(struct smtp *session, smtp_step_fn *then);
/* The core goes, smtp_atrn.c takes its place. */
void smtp_step_serve(struct smtp *session, smtp_step_fn *then);
/* Nothing to wait for: then is called in the pump. */
void smtp_step_nothing(struct smtp *session, int err, smtp_step_fn *then);

void smtp_step_init(struct smtp *session);
/* Read, write, and take the steps that are over. */
void smtp_step_pump(struct smtp *session);

/* ---- smtp_hear.c ---- */

/* Take what the core says of the step under way, which may be over by it. */
void smtp_hear_event(
    struct smtp *session, const struct smtp_client_event *event);

/* ---- smtp_link.c ---- */

int64_t smtp_link_now(const struct smtp *session); /* monotonic ms */
/* Set the connection's deadline to wait_ms from now, or to that of the
 * session. */
void smtp_link_wait(struct smtp *session, int64_t wait_ms);
/* A core on a connection that is there; and the greeting. */
void smtp_link_talk(struct smtp *session);
/* Handshake; *out_error says why it cannot be. */
bool smtp_link_start_tls(struct smtp *session, struct error *out_error);
/* The certificate was verified, or nobody is between. */
bool smtp_link_is_verified(const struct smtp *session);
/* Close silently. */
void smtp_link_close(struct smtp *session);
/* A failure of ours, in phase: of the handshake, of the content, of time.  The
 * core, which is there, ends its session for it; why is copied, and err is what
 * the step then ends with. */
void smtp_link_fail(
    struct smtp *session, int err, enum smtp_phase phase, const char *why);
conn_fn smtp_link_hear;

/* ---- smtp_connect.c ---- */

void smtp_connect_init(struct smtp *session);
void smtp_connect_opened(struct smtp *session);
void smtp_connect_failed(struct smtp *session, const struct error *error);
void smtp_connect_secured(struct smtp *session);
/* The handshake before the greeting failed. */
void smtp_connect_tls_failed(struct smtp *session, const struct error *error);
/* For this handshake; false where there is none. */
bool smtp_connect_tls_context(struct smtp *session, struct ssl_ctx_st *ssl_ctx,
    bool verify, struct error *error);

/* ---- smtp_last.c ---- */

void smtp_last_clear(struct smtp *session);
/* Keep what the core said; the err it stands for, SMTP_OK where it is a reply.
 */
int smtp_last_keep(struct smtp *session, const struct smtp_outcome *outcome);
/* A failure of ours; returns err. */
int smtp_last_fail(
    struct smtp *session, int err, enum smtp_stage stage, const char *why);
/* The last reply is why the call fails with err, which is returned. */
int smtp_last_refused(struct smtp *session, int err);
enum smtp_stage smtp_last_stage_of(enum smtp_phase phase);
void smtp_last_clear_results(struct smtp *session);
struct smtp_result *smtp_last_add_result(
    struct smtp *session, const char *address);
void smtp_last_set_result(struct smtp *session, struct smtp_result *result,
    const struct smtp_outcome *outcome);
/* What ended it before anyone was asked for is what came of every recipient. */
void smtp_last_share(struct smtp *session);

/* ---- smtp_prepare.c ---- */

/* SMTPUTF8 is needed, not only for domains. */
bool smtp_msg_needs_utf8(const struct smtp_msg *msg);

/* ---- smtp_greet.c ---- */

/* EHLO or HELO unless said, STARTTLS where the settings ask for it.  then's err
 * is final: SMTP_E_HELO and so on. */
void smtp_greet_begin(struct smtp *session, smtp_step_fn *then);

/* ---- smtp_facts.c ---- */

void smtp_facts_forget(struct smtp *session);

/* ---- smtp_trace.c ---- */

smtp_trace_fn smtp_trace_pass;
/* Before the first line of a connection. */
void smtp_trace_begin(struct smtp *session);
void smtp_trace_connect(struct smtp *session, const char *where);
