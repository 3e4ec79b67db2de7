/*
 * postrider.conf: our table of settings, their defaults, and what they come to.
 *
 * A struct config is plain data, complete (no "auto", no relative path, no
 * short form is left in it) and never changes once loaded.  Only daemon and
 * tools know it; every module below is given a small struct of options.
 *
 * All errors of all files are found in one pass; the syntax, the types and the
 * bounds are checked in option.c, contradictions across settings in check.c.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "config/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where things are when nobody says otherwise; the build defines the three. */
#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#ifndef RUNSTATEDIR
#define RUNSTATEDIR "/run"
#endif
#ifndef SPOOLDIR
#define SPOOLDIR "/var/spool/postrider"
#endif

#define CONFIG_FILE         SYSCONFDIR "/postrider/postrider.conf"
#define CONFIG_SMTP_SOCKET  RUNSTATEDIR "/postrider/smtp.sock"
#define CONFIG_ADMIN_SOCKET RUNSTATEDIR "/postrider/admin.sock"

/* Texts are owned by the config; one that was not given is "", never NULL. */
struct config_texts {
	char **texts;
	size_t count;
};

struct config_identity {
	char *hostname;   /* fully qualified where the system knows it so */
	char *origin;     /* the domain of bare addresses */
	char *postmaster; /* address of the last resort */
};

enum config_protocol {
	CONFIG_PROTOCOL_SMTP,
	CONFIG_PROTOCOL_LMTP
};

enum config_bare_newline {
	CONFIG_BARE_NEWLINE_AUTO, /* never in a loaded config */
	CONFIG_BARE_NEWLINE_NORMALIZE,
	CONFIG_BARE_NEWLINE_REJECT
};

struct config_listen {
	char *socket; /* absolute path, or "" */
	char *tcp;    /* "127.0.0.1:25", "[::1]:25", or ""; one of the two */
	int64_t mode; /* permissions of socket */
	enum config_protocol protocol;
	enum config_bare_newline bare_newline;
};

struct config_drop {
	char *directory; /* "": no drop directory */
	int64_t settle_ms;
};

/* Octets, or a share of the file system: one of the two is 0. */
struct config_free {
	int64_t bytes;
	int64_t percent;
};

struct config_limits {
	int64_t message_size_bytes;
	int64_t recipients;
	int64_t connections;
	int64_t connections_per_user;
	int64_t queue_size_bytes;
	struct config_free min_free;
	int64_t memory_bytes;
	int64_t hops;
};

struct config_durations {
	int64_t *ms;
	size_t count;
};

struct config_queue {
	char *directory;
	int64_t segment_size_bytes;
	int64_t inline_limit_bytes;
	struct config_durations retry; /* at least one; the last one repeats */
	int64_t expire_ms;
	int64_t delay_notice_ms; /* 0: none */
};

enum config_transport {
	CONFIG_TRANSPORT_SMTP,
	CONFIG_TRANSPORT_LMTP,
	CONFIG_TRANSPORT_MAILDIR
};

enum config_tls_mode {
	CONFIG_TLS_STARTTLS,
	CONFIG_TLS_IMPLICIT,
	CONFIG_TLS_OPPORTUNISTIC,
	CONFIG_TLS_NONE
};

enum config_tls_verify {
	CONFIG_TLS_VERIFY_FULL,
	CONFIG_TLS_VERIFY_CA,
	CONFIG_TLS_VERIFY_OFF
};

struct config_tls {
	enum config_tls_mode mode;
	enum config_tls_verify verify;
	int version_min; /* 12 or 13 */
	char *ca;   /* "system", or an absolute path of a file or directory */
	char *name; /* what the certificate must carry; the host by default */
	char *certificate; /* absolute path, or "" */
	char *key;         /* absolute path, or "" */
};

enum config_auth_method {
	CONFIG_AUTH_AUTO, /* the best that both sides know */
	CONFIG_AUTH_PLAIN,
	CONFIG_AUTH_LOGIN
};

struct config_auth {
	enum config_auth_method method;
	char *user; /* "": no AUTH */
	struct secret password;
};

struct config_pool {
	int64_t connections;
	int64_t idle_ms;
	int64_t per_connection; /* messages */
	int64_t recipients;     /* in one transaction */
};

struct config_upstream {
	char *name;
	enum config_transport transport;
	char *host; /* smtp, lmtp: a name or an address without brackets */
	int64_t port;
	char *socket; /* smtp, lmtp: absolute path instead of host, or "" */
	char *path;   /* maildir: absolute path, else "" */
	struct config_tls tls;
	struct config_auth auth;
	struct config_pool pool;
	char *source; /* address to connect from, or "" */
	bool pipelining;
	bool chunking;
};

struct config_route {
	char *recipient;         /* pattern, or "": any */
	char *sender;            /* pattern, or "": any */
	struct config_texts via; /* names of upstreams, at least one */
};

struct config_etrn {
	char *host;
	int64_t port;
	struct config_texts nodes; /* at least one */
	int64_t every_ms;
	int64_t jitter_ms;
	char *upstream;        /* whose tls and auth are taken, or "" */
	struct config_tls tls; /* a copy of the upstream's where one is named */
};

struct config_admin {
	char *socket;
	struct config_texts readers; /* names of groups or users */
	struct config_texts writers;
};

enum config_log_sink {
	CONFIG_LOG_AUTO,
	CONFIG_LOG_JOURNAL,
	CONFIG_LOG_SYSLOG,
	CONFIG_LOG_STDERR,
	CONFIG_LOG_JSON
};

struct config_log {
	enum config_log_sink to;
	int level; /* 0 error, 1 warning, 2 info, 3 debug: as enum log_level */
};

struct config {
	char *file; /* absolute path of the main file, there or not */
	char *root; /* who gets root's mail, or "" */
	struct config_identity identity;
	struct config_listen *listens;
	size_t listen_count;
	struct config_drop drop;
	struct config_texts relay_domains;
	struct config_limits limits;
	struct config_queue queue;
	int64_t workers; /* at least 1 */
	struct config_upstream *upstreams;
	size_t upstream_count;
	/* Never empty where there is an upstream: a last route by all of them,
	 * in order, is added where none was written that takes everything. */
	struct config_route *routes;
	size_t route_count;
	struct config_etrn *etrns;
	size_t etrn_count;
	struct config_admin admin;
	struct config_log log;

	/* What is dangerous though spelt out, a line each: for every start and
	 * for the status. */
	struct config_texts warnings;
	/* The settings with their origins, for config_show(). */
	struct config_origins *origins;
};

/*
 * Read file, the files *.conf of conf.d beside it in lexical order, and the
 * environment (POSTRIDER_SMARTHOST, _USER, _PASSWORD_FILE, _ROOT, _HOSTNAME,
 * _LISTEN).
 *
 * environment   as environ, borrowed for the call; NULL: none
 * out_config    the caller's; set only where true is returned
 * diagnostics   gets every error and warning, as lines for people
 *
 * False: at least one error; nothing may be started or reloaded.  Secrets are
 * not read here, but the permissions of their files are checked.
 */
bool config_load(const char *file, char *const *environment,
    struct config **out_config, struct buffer *diagnostics) MUST_USE;
void config_free(struct config *config);

/*
 * Append the settings as a configuration file, each with its origin as a
 * comment; short forms are written out.  all: defaults too.  Passwords given as
 * values are shown as stars.
 */
void config_show(const struct config *config, bool all, struct buffer *buffer);

/* NULL where there is none of that name. */
const struct config_upstream *config_find_upstream(
    const struct config *config, const char *name);
