/*
 * libpostrider: an SMTP and LMTP client, RFC 5321 and 2033.
 *
 * It speaks the words of Python's smtplib with the state machine of the
 * postrider relay.  Every call has two faces.  The blocking one returns when it
 * is done.  Its asynchronous twin, smtp_xxx_async(), returns at once and tells
 * fn when it is done, on the caller's libevent event_base; a session is made
 * for one face or the other by smtp_new() or smtp_new_in().
 *
 * Results are SMTP_OK or one of the negative enum smtp_err.  For the functions
 * that say a command and nothing more SMTP_OK means that a reply was read,
 * whatever it is: see smtp_last_code().  Details of the last call are told by
 * the smtp_last_*() functions.
 *
 * Strings are octets, never assumed to be UTF-8.  A session is used by one
 * thread at a time; sessions are independent of each other.  Nothing is printed
 * and no signal is raised.  Where memory runs out the process is aborted.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SMTP_PORT            25
#define SMTPS_PORT           465
#define SMTP_SUBMISSION_PORT 587
#define SMTP_ODMR_PORT       366
#define SMTP_LMTP_PORT       2003
#define SMTP_MAXLINE         8192 /* one reply line, octets with CRLF */
#define SMTP_MAXREPLY        1024 /* lines in one reply */
#define SMTP_MAXCHALLENGE    5    /* of AUTH */

/* A session.  The typedefs here are for programs that write "smtp *". */
typedef struct smtp smtp;
/* A message with its envelope: smtp_prepare(). */
typedef struct smtp_msg smtp_msg;
struct event_base; /* libevent */
struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

typedef enum smtp_err {
	SMTP_OK = 0,
	SMTP_E_DISCONNECTED = -1, /* not connected, or not any more */
	SMTP_E_RESPONSE = -2,     /* another reply than was needed */
	SMTP_E_SENDER = -3,       /* MAIL was refused */
	SMTP_E_RECIPIENTS = -4,   /* all recipients were refused */
	SMTP_E_DATA = -5,         /* DATA or the content was refused */
	SMTP_E_CONNECT = -6,      /* the greeting is not 220: smtp_open() */
	SMTP_E_HELO = -7,         /* neither EHLO nor HELO was accepted */
	SMTP_E_AUTH = -8,
	SMTP_E_NOTSUPP = -9,   /* the server does not offer what is needed */
	SMTP_E_NOMECH = -10,   /* no AUTH mechanism that we may use */
	SMTP_E_AUTHLOOP = -11, /* more than SMTP_MAXCHALLENGE challenges */
	/* CR, LF or NUL in a command, a bad argument, a call at a wrong time */
	SMTP_E_INVAL = -12,
	SMTP_E_ENCODING = -13, /* not ASCII without SMTPUTF8 */
	SMTP_E_OS = -14,       /* see smtp_last_errno(); 0: a smtp_read_fn's */
	SMTP_E_RESOLVE = -15,
	SMTP_E_TLS = -16,
	SMTP_E_TIMEOUT = -17,
	SMTP_E_PROTO = -18, /* no SMTP, or out of step; the session is closed */
	SMTP_E_NOMEM = -19  /* never returned */
} smtp_err;

/* What a queue should do. */
typedef enum smtp_class {
	SMTP_C_OK,
	SMTP_C_TEMP, /* try again later; also where it is in doubt whether the
			server has taken the message */
	SMTP_C_PERM, /* give up */
	SMTP_C_CONN  /* this host is of no use now: try the next one */
} smtp_class;

/* Where it happened. */
typedef enum smtp_stage {
	SMTP_S_CONNECT,
	SMTP_S_GREETING,
	SMTP_S_EHLO,
	SMTP_S_STARTTLS,
	SMTP_S_AUTH,
	SMTP_S_MAIL,
	SMTP_S_RCPT,
	SMTP_S_DATA,
	SMTP_S_BODY,
	SMTP_S_DOT, /* the reply to the whole content */
	SMTP_S_RSET,
	SMTP_S_QUIT,
	SMTP_S_CMD
} smtp_stage;

/* MAY and MUST: STARTTLS before a login or a mail, by itself. */
typedef enum smtp_tls {
	SMTP_TLS_OFF,
	SMTP_TLS_MAY,  /* where offered; certificates are not verified */
	SMTP_TLS_MUST, /* verified, or it fails */
	SMTP_TLS_IMPLICIT
} smtp_tls;

/* How verbs are written. */
typedef enum smtp_case {
	SMTP_VERB_LOWER, /* mail from: */
	SMTP_VERB_SEED,  /* mail FROM: */
	SMTP_VERB_UPPER  /* MAIL FROM: */
} smtp_case;

/*
 * All zeroes are the defaults.  Strings are copied; ssl_ctx is borrowed as long
 * as the session.
 */
typedef struct smtp_options {
	size_t size;                /* sizeof(smtp_options); 0 as well */
	const char *local_hostname; /* NULL: smtp_default_hostname() */
	const char *source_address; /* "address[:port]" */
	smtp_tls tls;
	/* What decides on certificates; NULL: the system's, verified unless tls
	 * is SMTP_TLS_MAY. */
	struct ssl_ctx_st *ssl_ctx;
	const char *tls_name; /* that the certificate carries; NULL: the host */
	int lmtp;             /* LHLO, and a reply for each recipient */
	smtp_case verbs;
	int pipelining; /* 0 and 1: where offered; -1: never */
	int chunking;   /* 1: BDAT where offered; 0: for BODY=BINARYMIME */
	/* Of a mail, 8-bit content where 8BITMIME is not offered, and lines of
	 * more than 998 octets.  0: it is refused; 1: quoted-printable or
	 * base64, headers folded, but for what is signed or encrypted, which is
	 * refused; 2: the same, text always in base64; 3: in quoted-printable;
	 * -1: as smtplib, it goes out as it is. */
	int convert_8bit;
	int raw_eol; /* 1: bodies as they are, but for the dots, where the
			call's fix_eol is 0 */
	/* Milliseconds; 0: the default of RFC 5321 4.5.3.2; -1: none.  t_block:
	 * without progress; t_session: all from connecting on, 0: none. */
	int64_t t_connect, t_greeting, t_ehlo, t_mail, t_rcpt, t_data, t_block,
	    t_dot, t_quit, t_auth, t_other, t_session;
	int auth_in_clear; /* 1: PLAIN and LOGIN without TLS, too */
	/* Without ssl_ctx: a file or directory of certificates to believe,
	 * NULL: the system's; and 1: verify always, -1: never, 0: as tls says.
	 */
	const char *tls_ca;
	int tls_verify;
} smtp_options;

/* What became of one recipient; valid until the next smtp_mail(), smtp_send-
 * mail() or smtp_free(). */
typedef struct smtp_result {
	const char *addr;
	int code;     /* 0: there was no reply */
	char enh[16]; /* "5.1.1", or "" */
	const char *text;
	smtp_class cls;
	smtp_stage stage;
} smtp_result;

/* err as the call would have returned it.  smtp_free(s) is allowed. */
typedef void (*smtp_done_fn)(smtp *s, int err, void *arg);
/* line: without its end; valid for the call. */
typedef void (*smtp_debug_fn)(void *arg, const char *line);
/* Fill buf with up to cap octets: returns how many, 0 at the end, -1 where it
 * failed.  It must neither wait long nor use the session.  See SMTP_SEND_REWIND
 * for buf NULL. */
typedef int64_t (*smtp_read_fn)(void *arg, void *buf, size_t cap);
/* Write the response to the challenge to out, all of it raw, not base64:
 * returns its length, -1 to give up.  chal NULL asks for the initial response;
 * -1 is then: none. */
typedef int (*smtp_auth_fn)(
    void *arg, const void *chal, size_t n, void *out, size_t cap);

/* ---- sessions ---- */

/* Not connected yet.  o may be NULL; NULL where o cannot be understood. */
smtp *smtp_new(const smtp_options *o);
/* For the asynchronous face, on b, which must outlive the session. */
smtp *smtp_new_in(struct event_base *b, const smtp_options *o);
/* Closes silently.  NULL does nothing.  Not within a smtp_read_fn, smtp_auth_fn
 * or smtp_debug_fn. */
void smtp_free(smtp *s);
/* For every phase, in ms; -1: none.  0 and less are SMTP_E_INVAL. */
int smtp_set_timeout(smtp *s, int64_t ms);
/* As set; 0: the defaults. */
int64_t smtp_get_timeout(const smtp *s);
/* "192.0.2.1", "192.0.2.1:1025", "[2001:db8::1]:1025"; NULL: any. */
int smtp_set_source_address(smtp *s, const char *addr_port);
/* For hosts without a port; else 25, 465 (IMPLICIT) or 2003 (LMTP). */
void smtp_set_default_port(smtp *s, int port);
int smtp_set_tls(
    smtp *s, smtp_tls how, struct ssl_ctx_st *ctx, const char *name);
/*
 * What passes, as smtplib prints it: "send: 'noop\r\n'", "reply: ..." and so
 * on.  Level 0: nothing; 1: lines; 2: with the time; 3: with the secrets.
 */
void smtp_set_debug(smtp *s, int level, smtp_debug_fn fn, void *arg);

/* ---- the connection ---- */

/*
 * host: "h", "h:port", "[v6]", "[v6]:port", "/unix/path"; NULL or "":
 * localhost.  service: a port or one of smtp, smtps, submission, submissions,
 * lmtp, odmr; NULL: the one in host, or the default.  SMTP_OK: the greeting was
 * read, whatever it says.
 */
int smtp_connect(smtp *s, const char *host, const char *service);
/* The same, and where the greeting is not 220 it closes: SMTP_E_CONNECT. */
int smtp_open(smtp *s, const char *host, const char *service);
/* As smtp_connect() on a connected stream socket, which it takes. */
int smtp_attach_fd(smtp *s, int fd);
/* -1: not connected. */
int smtp_fd(const smtp *s);
int smtp_connected(const smtp *s);
/*
 * Silently, without QUIT; what EHLO said stays known.  From within a function
 * of the caller's that a call asks (of smtp_taker, a smtp_read_fn or
 * smtp_auth_fn) it happens when that returns, and a blocking call fails with
 * SMTP_E_DISCONNECTED; smtp_free() has no place there.
 */
void smtp_close(smtp *s);
/* QUIT, then close; what EHLO said is forgotten.  As smtplib's "with" ends: a
 * reply other than 221 is for smtp_last_code() to tell. */
int smtp_quit(smtp *s);
/* The same as smtp_close(): what an asynchronous call is about is given up, and
 * its fn is not called. */
void smtp_cancel(smtp *s);

/* ---- commands ---- */

/* Octets as they are. */
int smtp_send(smtp *s, const void *b, size_t n);
/* A line; the reply is to be fetched by smtp_getreply(). */
int smtp_putcmd(smtp *s, const char *cmd, const char *args);
int smtp_getreply(smtp *s);
int smtp_docmd(smtp *s, const char *cmd, const char *args);
/* name NULL: the local hostname. */
int smtp_helo(smtp *s, const char *name);
int smtp_ehlo(smtp *s, const char *name);
/* EHLO, or HELO where that is refused, unless one of them was said; then
 * STARTTLS where tls is MAY or MUST.  SMTP_E_HELO: both were refused. */
int smtp_ehlo_or_helo(smtp *s);
int smtp_help(smtp *s, const char *arg);
int smtp_noop(smtp *s);
int smtp_rset(smtp *s);
int smtp_vrfy(smtp *s, const char *addr);
int smtp_expn(smtp *s, const char *list);
/* RFC 1985: a node, "@domain" or "#queue". */
int smtp_etrn(smtp *s, const char *node);
/* opts: "BODY=8BITMIME" and so on, ending in NULL, or NULL; left out where the
 * server knows no EHLO. */
int smtp_mail(smtp *s, const char *from, const char *const *opts);
int smtp_rcpt(smtp *s, const char *to, const char *const *opts);
/*
 * DATA and the content; SMTP_E_DATA where DATA is not answered by 354.  fix_eol
 * 0 and raw_eol 1: line ends stay as they are; else they become CRLF.
 */
int smtp_data(smtp *s, const void *msg, size_t n, int fix_eol);
/* EHLO first where need be, not after.  ctx and name as in smtp_options. */
int smtp_starttls(smtp *s, struct ssl_ctx_st *ctx, const char *name);
/*
 * The strongest mechanism offered first, the next where it is refused; EHLO,
 * and STARTTLS where tls asks for it, first.  initial_ok 0: wait for the first
 * challenge.
 */
int smtp_login(smtp *s, const char *user, const char *pass, int initial_ok);
/* With mech alone: "PLAIN", "SCRAM-SHA-256", "XOAUTH2" (pass is the token). */
int smtp_auth(smtp *s, const char *mech, const char *user, const char *pass,
    int initial_ok);
/* With any mechanism at all, its responses by fn. */
int smtp_auth_cb(
    smtp *s, const char *mech, smtp_auth_fn fn, void *arg, int initial_ok);

/* ---- parameters, for opts and mail_opts, rcpt_opts ---- */

/*
 * Each makes one, to be released by smtp_free_str(); NULL where a value is out
 * of range.
 *
 * smtp_sendmail() and its like check parameters: one that is wrong is
 * SMTP_E_INVAL; one that the server does not offer, or not so far, is
 * SMTP_E_NOTSUPP before anything is said.  SIZE and BODY of 7 or 8 bits are
 * left out then, for they are declared by themselves; and where the server
 * knows no EHLO all are, except BY, HOLDFOR, HOLDUNTIL, MT-PRIORITY and
 * REQUIRETLS.  What is unknown goes out as it is.
 *
 * "REQUIRETLS" (RFC 8689) goes to a server that offers it over verified TLS, or
 * a unix socket, alone; else 5.7.30.  The header field "TLS-Required: No" means
 * nothing to the session: tls is the caller's word.
 */

/* MAIL: deliver within seconds (RFC 2852); mode 'R': or return it, 'N': or
 * notify of it. */
char *smtp_param_by(int64_t seconds, int mode, int trace);
/* MAIL: not before so many seconds (RFC 4865), */
char *smtp_param_holdfor(int64_t seconds);
/* or not before this time, in seconds since 1970. */
char *smtp_param_holduntil(int64_t time);
/* MAIL: -9 to 9 (RFC 6710). */
char *smtp_param_priority(int priority);
/* MAIL: id will stand in reports (RFC 3461); printable ASCII. */
char *smtp_param_envid(const char *id);
/* RCPT: whom it was sent to first. */
char *smtp_param_orcpt(const char *address);
#define SMTP_NOTIFY_SUCCESS 1
#define SMTP_NOTIFY_FAILURE 2
#define SMTP_NOTIFY_DELAY   4
/* RCPT: when a report is wanted; 0: NEVER. */
char *smtp_param_notify(int when);

/* ---- mail ---- */

/*
 * EHLO where need be, MAIL, RCPT, DATA.  to: ending in NULL, at least one.
 * SMTP_OK: at least one recipient was accepted, and so was the message; the
 * results tell which.  The session stays usable whatever the result, unless the
 * connection is lost.  8-bit content is declared by BODY=8BITMIME where that is
 * offered; for the rest, and for long lines, see convert_8bit, which raw_eol
 * with fix_eol 0 puts out of force.  Refused here: SMTP_E_NOTSUPP, 5.6.3.
 *
 * More than 100 recipients, or than the server's LIMITS, go in several
 * transactions, and so do those that were too many (452 or 552 behind accepted
 * ones): some may have their message where others have not.
 */
int smtp_sendmail(smtp *s, const char *from, const char *const *to,
    const void *msg, size_t n, int fix_eol, const char *const *mail_opts,
    const char *const *rcpt_opts);
/* Flags. */
#define SMTP_SEND_8BIT 1 /* the content has octets above 0x7f */
#define SMTP_SEND_RAW  2 /* as fix_eol 0 */
/* The function can begin again: asked with buf NULL and cap 0 it returns 0, and
 * then gives the same content. */
#define SMTP_SEND_REWIND 4
/* The content has lines of more than 998 octets.  Where one turns up and this
 * was not said: SMTP_E_INVAL, and the connection is closed, unless such lines
 * go out as they are. */
#define SMTP_SEND_LONG 8
/*
 * The content out of rd, in constant memory.  size_hint: octets with CRLF line
 * ends, for SIZE; 0: unknown.  What has to be converted, or is needed for a
 * second transaction and cannot be rewound, lies in a file without a name in
 * $TMPDIR or /tmp meanwhile.
 */
int smtp_sendmail_fn(smtp *s, const char *from, const char *const *to,
    smtp_read_fn rd, void *arg, uint64_t size_hint, int flags,
    const char *const *mail_opts, const char *const *rcpt_opts);
/* One for each recipient of the last mail, in the order given. */
size_t smtp_nresults(const smtp *s);
/* NULL past the last. */
const smtp_result *smtp_result_at(const smtp *s, size_t i);

/*
 * Envelope from the header: from Sender or From, to To, Bcc and Cc, or the same
 * of Resent-… where there is one Resent-Date (two are SMTP_E_INVAL).  from and
 * to, where not NULL, come before the header.  msg is copied, less its Bcc.
 */
int smtp_prepare(const void *msg, size_t n, const char *from,
    const char *const *to, smtp_msg **out);
const char *smtp_msg_from(const smtp_msg *m);
const char *const *smtp_msg_to(const smtp_msg *m);
/* An address or the header is not ASCII: needs SMTPUTF8. */
int smtp_msg_international(const smtp_msg *m);
const void *smtp_msg_data(const smtp_msg *m, size_t *n);
void smtp_msg_free(smtp_msg *m);
/* smtp_sendmail() of m, with SMTPUTF8 and BODY=8BITMIME where m needs them.
 * Where SMTPUTF8 is not offered domains go in their ASCII form; that does not
 * help a local part or a header: SMTP_E_NOTSUPP. */
int smtp_send_message(smtp *s, const smtp_msg *m, const char *const *mail_opts,
    const char *const *rcpt_opts);

/* ---- fetching mail: ATRN, RFC 2645 ---- */

/*
 * Who takes the messages.  mail, rcpt and end return the code of our reply: 250
 * to accept, 450 or 550 and so on to refuse; mail and rcpt may be NULL, which
 * accepts all.  Addresses are without brackets; params as on the wire, or "".
 */
typedef struct smtp_taker {
	size_t size; /* sizeof(smtp_taker); 0 as well */
	void *arg;
	int (*mail)(void *arg, const char *from, const char *params);
	int (*rcpt)(void *arg, const char *to, const char *params);
	/* The next piece, lines ending in CRLF, dots undone.  Not 0: it cannot
	 * be taken; the message is refused by 451 and reset. */
	int (*content)(void *arg, const void *data, size_t n);
	/* The message is whole.  250 is a promise: it is on stable storage, or
	 * with the next server.  0, in an asynchronous call alone: the code
	 * comes later, by smtp_atrn_answer(). */
	int (*end)(void *arg);
	/* A message that was begun comes to nothing.  May be NULL. */
	void (*reset)(void *arg);
} smtp_taker;

/*
 * ATRN, EHLO and STARTTLS first where need be; a login is the caller's.
 * domains: "a.example,b.example"; NULL: all.  After the 250 the server becomes
 * the client and sends its mail to taker (copied), then says QUIT: SMTP_OK, and
 * the session is closed.  SMTP_E_RESPONSE: see smtp_last_code(); 453 says that
 * there is no mail.  What was taken stays so, whatever the result.  The default
 * port of such servers is the service "odmr", SMTP_ODMR_PORT.
 */
int smtp_atrn(smtp *s, const char *domains, const smtp_taker *taker);
/* SMTP_E_INVAL where none is awaited (any more). */
int smtp_atrn_answer(smtp *s, int code);
/* Messages that the last smtp_atrn() answered by 250. */
size_t smtp_taken(const smtp *s);

/* ---- what the server said ---- */

/* What TLS came to; texts are printable, never NULL. */
typedef struct smtp_tls_facts {
	const char *version; /* "TLSv1.3" */
	const char *cipher;
	const char *subject; /* of the certificate: "CN = mx.example" */
	const char *issuer;
	const char *names;             /* "mx.example, 192.0.2.1" */
	int64_t not_before, not_after; /* seconds since 1970; 0: unknown */
	int trusted; /* would tls_ca's authorities have us believe it, asked for
			or not? */
	const char *problem; /* why not: "certificate has expired"; or "" */
} smtp_tls_facts;
/* Texts are valid until the next call of it, or smtp_free().  SMTP_E_NOTSUPP
 * where the connection is not TLS. */
int smtp_tls_info(smtp *s, smtp_tls_facts *out);
/* Names without case. */
int smtp_has_extn(const smtp *s, const char *name);
/* Its parameters, "" where it has none; NULL: not offered. */
const char *smtp_extn(const smtp *s, const char *name);
/* The i-th name, in lower case; NULL past the last. */
const char *smtp_extn_at(const smtp *s, size_t i);
int smtp_does_esmtp(const smtp *s);
/* The reply's text; NULL: there was none. */
const char *smtp_ehlo_resp(const smtp *s);
const char *smtp_helo_resp(const smtp *s);

/* -1: the last call had no reply. */
int smtp_last_code(const smtp *s);
/* Lines joined by '\n'; valid until the next call.  n may be NULL. */
const char *smtp_last_text(const smtp *s, size_t *n);
const char *smtp_last_enh(const smtp *s);
smtp_class smtp_last_class(const smtp *s);
smtp_stage smtp_last_stage(const smtp *s);
int smtp_last_errno(const smtp *s);
/* Why the last call failed, in one line; "" where it did not. */
const char *smtp_last_errmsg(const smtp *s);
const char *smtp_strerror(int err);

/* ---- helpers; results are released by smtp_free_str() ---- */

/* "<a@b>" of "A <a@b>"; what is no address stays as it is; NULL where addr is
 * several. */
char *smtp_quoteaddr(const char *addr);
/* The same without brackets. */
char *smtp_addr_only(const char *addr);
/* CRLF line ends, leading dots doubled.  out_n may be NULL. */
char *smtp_quotedata(const void *d, size_t n, size_t *out_n);
/* This machine's qualified name, or "[192.0.2.1]"; asks no name server. */
char *smtp_default_hostname(void);
/* For a smtp_auth_fn: the response of a mechanism that we know, all raw; an
 * exchange of more than one step only where they do not depend on each other.
 */
int smtp_mech_response(const char *mech, const char *user, const char *pass,
    const void *chal, size_t n, char **out, size_t *out_n);
void smtp_free_str(char *p);

/*
 * ---- the asynchronous twins ----
 *
 * A negative result: nothing was begun, and fn is not called.  Otherwise fn is
 * called once, never before the call returns.  One call at a time.  What they
 * are given is copied, but for the content and what a smtp_read_fn or
 * smtp_auth_fn needs: that must last until fn.
 */

int smtp_connect_async(
    smtp *s, const char *host, const char *service, smtp_done_fn cb, void *arg);
int smtp_open_async(
    smtp *s, const char *host, const char *service, smtp_done_fn cb, void *arg);
int smtp_attach_fd_async(smtp *s, int fd, smtp_done_fn cb, void *arg);
int smtp_quit_async(smtp *s, smtp_done_fn cb, void *arg);
int smtp_send_async(
    smtp *s, const void *b, size_t n, smtp_done_fn cb, void *arg);
int smtp_putcmd_async(
    smtp *s, const char *cmd, const char *args, smtp_done_fn cb, void *arg);
int smtp_getreply_async(smtp *s, smtp_done_fn cb, void *arg);
int smtp_docmd_async(
    smtp *s, const char *cmd, const char *args, smtp_done_fn cb, void *arg);
int smtp_helo_async(smtp *s, const char *name, smtp_done_fn cb, void *arg);
int smtp_ehlo_async(smtp *s, const char *name, smtp_done_fn cb, void *arg);
int smtp_ehlo_or_helo_async(smtp *s, smtp_done_fn cb, void *arg);
int smtp_help_async(smtp *s, const char *about, smtp_done_fn cb, void *arg);
int smtp_noop_async(smtp *s, smtp_done_fn cb, void *arg);
int smtp_rset_async(smtp *s, smtp_done_fn cb, void *arg);
int smtp_vrfy_async(smtp *s, const char *addr, smtp_done_fn cb, void *arg);
int smtp_expn_async(smtp *s, const char *list, smtp_done_fn cb, void *arg);
int smtp_etrn_async(smtp *s, const char *node, smtp_done_fn cb, void *arg);
int smtp_atrn_async(smtp *s, const char *domains, const smtp_taker *taker,
    smtp_done_fn cb, void *arg);
int smtp_mail_async(smtp *s, const char *from, const char *const *opts,
    smtp_done_fn cb, void *arg);
int smtp_rcpt_async(smtp *s, const char *to, const char *const *opts,
    smtp_done_fn cb, void *arg);
int smtp_data_async(smtp *s, const void *msg, size_t n, int fix_eol,
    smtp_done_fn cb, void *arg);
int smtp_starttls_async(smtp *s, struct ssl_ctx_st *ctx, const char *name,
    smtp_done_fn cb, void *arg);
int smtp_login_async(smtp *s, const char *user, const char *pass,
    int initial_ok, smtp_done_fn cb, void *arg);
int smtp_auth_async(smtp *s, const char *mech, const char *user,
    const char *pass, int initial_ok, smtp_done_fn cb, void *arg);
int smtp_auth_cb_async(smtp *s, const char *mech, smtp_auth_fn fn, void *fnarg,
    int initial_ok, smtp_done_fn cb, void *arg);
/* The twin of smtp_sendmail_fn(). */
int smtp_sendmail_async(smtp *s, const char *from, const char *const *to,
    smtp_read_fn rd, void *rdarg, uint64_t size_hint, int flags,
    const char *const *mail_opts, const char *const *rcpt_opts, smtp_done_fn cb,
    void *arg);
int smtp_send_message_async(smtp *s, const smtp_msg *m,
    const char *const *mail_opts, const char *const *rcpt_opts, smtp_done_fn cb,
    void *arg);

#ifdef __cplusplus
}
#endif
