#include "config/config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "config/check.h"
#include "config/derive.h"
#include "config/diagnose.h"
#include "config/files.h"
#include "config/option.h"
#include "config/setting.h"
#include "config/shortform.h"
#include "config/store.h"

#include <stdlib.h>
#include <string.h>

struct config_origins {
	struct setting *root;
	struct files files;
};

/* Enums are stored as ints (store.c). */
_Static_assert(sizeof(enum config_tls_mode) == sizeof(int), "size of an enum");

#define FIELD(type, field) .offset = offsetof(struct type, field)
#define NO_FIELD           .offset = OPTION_NO_FIELD
#define END                                                                    \
	{                                                                      \
		.name = NULL                                                   \
	}
#define CHOICE(word, value)                                                    \
	{                                                                      \
		word, value                                                    \
	}
#define LATER(name, type)                                                      \
	{                                                                      \
		name, "Not carried out yet.", type, .later = true, NO_FIELD    \
	}

/* ---- the table ---- */

static const struct option identity_options[] = {
    {"hostname",
	"This machine's name in greetings, Received and Message-ID; auto asks "
	"the system.",
	OPTION_TEXT, FIELD(config_identity, hostname), .fallback = "auto"},
    {"origin",
	"The domain of addresses without one; auto is the first line of "
	"/etc/mailname, else hostname.",
	OPTION_TEXT, FIELD(config_identity, origin), .fallback = "auto"},
    {"postmaster", "Who gets reports that can be sent to nobody else.",
	OPTION_TEXT, FIELD(config_identity, postmaster), .fallback = "root"},
    END,
};
static const struct option_group identity_group = {
    identity_options, sizeof(struct config_identity), NULL};

static const struct option_choice protocol_choices[] = {
    CHOICE("smtp", CONFIG_PROTOCOL_SMTP), CHOICE("lmtp", CONFIG_PROTOCOL_LMTP),
    {NULL, 0}};
static const struct option_choice bare_newline_choices[] = {
    CHOICE("auto", CONFIG_BARE_NEWLINE_AUTO),
    CHOICE("normalize", CONFIG_BARE_NEWLINE_NORMALIZE),
    CHOICE("reject", CONFIG_BARE_NEWLINE_REJECT), {NULL, 0}};

static const struct option listen_options[] = {
    {"socket", "Path of a unix socket to listen on.", OPTION_PATH,
	FIELD(config_listen, socket), .fallback = ""},
    {"tcp", "Address and port to listen on.", OPTION_TEXT,
	FIELD(config_listen, tcp), .fallback = ""},
    {"mode", "Permissions of the socket.", OPTION_MODE,
	FIELD(config_listen, mode), .fallback = "0666"},
    {"protocol", "What is spoken.", OPTION_CHOICE,
	FIELD(config_listen, protocol), .fallback = "smtp",
	.choices = protocol_choices},
    {"bare_newline",
	"What happens to content whose lines do not end in CRLF; auto is "
	"normalize for this machine and reject for all others.",
	OPTION_CHOICE, FIELD(config_listen, bare_newline), .fallback = "auto",
	.choices = bare_newline_choices},
    LATER("tls", OPTION_GROUP),
    LATER("auth", OPTION_GROUP),
    LATER("allow", OPTION_TEXTS),
    END,
};
static const struct option_group listen_group = {
    listen_options, sizeof(struct config_listen), NULL};

static const struct option drop_options[] = {
    {"directory", "Where programs drop messages as files; empty is nowhere.",
	OPTION_PATH, FIELD(config_drop, directory),
	.fallback = SPOOLDIR "/drop"},
    {"settle",
	"How long a file must stay unchanged before it is taken, where its "
	"writer did not rename it.",
	OPTION_DURATION, FIELD(config_drop, settle_ms), .fallback = "2s",
	.max = CLOCK_HOUR},
    END,
};
static const struct option_group drop_group = {
    drop_options, sizeof(struct config_drop), NULL};

#define KILO ((int64_t)1024)
#define MEGA (1024 * KILO)
#define GIGA (1024 * MEGA)

static const struct option limits_options[] = {
    {"message_size", "The largest message that is accepted.", OPTION_SIZE,
	FIELD(config_limits, message_size_bytes), .fallback = "50M",
	.min = 64 * KILO, .max = 2 * GIGA},
    {"recipients", "Recipients of one message.", OPTION_COUNT,
	FIELD(config_limits, recipients), .fallback = "1000", .min = 100,
	.max = 100000},
    {"connections", "Clients at the same time.", OPTION_COUNT,
	FIELD(config_limits, connections), .fallback = "1000", .min = 1,
	.max = 100000},
    {"connections_per_user", "Clients at the same time of one user or address.",
	OPTION_COUNT, FIELD(config_limits, connections_per_user),
	.fallback = "100", .min = 1, .max = 100000},
    LATER("per_user_rate", OPTION_TEXT),
    {"queue_size", "Disk space of the whole queue.", OPTION_SIZE,
	FIELD(config_limits, queue_size_bytes), .fallback = "10G", .min = MEGA,
	.max = 1024 * 1024 * GIGA},
    {"min_free",
	"Free space on the queue's file system, or a share of it, below which "
	"nothing is accepted.",
	OPTION_FREE, FIELD(config_limits, min_free), .fallback = "5%"},
    {"memory", "Memory for messages that are coming in.", OPTION_SIZE,
	FIELD(config_limits, memory_bytes), .fallback = "256M", .min = MEGA,
	.max = 1024 * GIGA},
    {"hops", "Received fields of a message that is taken for a loop.",
	OPTION_COUNT, FIELD(config_limits, hops), .fallback = "100", .min = 10,
	.max = 1000},
    END,
};
static const struct option_group limits_group = {
    limits_options, sizeof(struct config_limits), NULL};

static const struct option queue_options[] = {
    {"directory", "Where accepted messages are kept.", OPTION_PATH,
	FIELD(config_queue, directory), .fallback = SPOOLDIR "/queue"},
    {"segment_size", "Size of one file of the queue.", OPTION_SIZE,
	FIELD(config_queue, segment_size_bytes), .fallback = "64M", .min = MEGA,
	.max = GIGA},
    {"inline_limit", "Larger messages get a file of their own.", OPTION_SIZE,
	FIELD(config_queue, inline_limit_bytes), .fallback = "256K",
	.min = KILO, .max = 16 * MEGA},
    {"retry",
	"How long to wait after each attempt that failed, give or take a "
	"fifth; the last one repeats.",
	OPTION_DURATIONS, FIELD(config_queue, retry),
	.fallback = "1m 2m 5m 10m 30m 1h 2h 4h", .min = 1,
	.max = 7 * CLOCK_DAY},
    {"expire", "After this time a message is returned to its sender.",
	OPTION_DURATION, FIELD(config_queue, expire_ms), .fallback = "5d",
	.min = 1, .max = 365 * CLOCK_DAY},
    {"delay_notice",
	"After this time the sender is told of the delay; 0 is never.",
	OPTION_DURATION, FIELD(config_queue, delay_notice_ms), .fallback = "4h",
	.max = 365 * CLOCK_DAY},
    END,
};
static const struct option_group queue_group = {
    queue_options, sizeof(struct config_queue), NULL};

static const struct option_choice tls_mode_choices[] = {
    CHOICE("starttls", CONFIG_TLS_STARTTLS),
    CHOICE("implicit", CONFIG_TLS_IMPLICIT),
    CHOICE("opportunistic", CONFIG_TLS_OPPORTUNISTIC),
    CHOICE("none", CONFIG_TLS_NONE), {NULL, 0}};
static const struct option_choice tls_verify_choices[] = {
    CHOICE("full", CONFIG_TLS_VERIFY_FULL), CHOICE("ca", CONFIG_TLS_VERIFY_CA),
    CHOICE("off", CONFIG_TLS_VERIFY_OFF), {NULL, 0}};
static const struct option_choice tls_min_choices[] = {
    CHOICE("1.2", 12), CHOICE("1.3", 13), {NULL, 0}};
static const struct option_choice tls_ca_choices[] = {
    CHOICE("system", 0), {NULL, 0}};

static const struct option tls_options[] = {
    {"mode",
	"starttls and implicit insist on TLS, opportunistic uses it where it "
	"is offered, none never does.",
	OPTION_CHOICE, FIELD(config_tls, mode), .fallback = "starttls",
	.choices = tls_mode_choices},
    {"verify",
	"full checks the certificate and the name in it, ca the certificate "
	"alone, off nothing.",
	OPTION_CHOICE, FIELD(config_tls, verify), .fallback = "full",
	.choices = tls_verify_choices},
    {"min", "The oldest version of TLS.", OPTION_CHOICE,
	FIELD(config_tls, version_min), .fallback = "1.2",
	.choices = tls_min_choices},
    LATER("pins", OPTION_TEXTS),
    {"ca", "A file or directory of certificates to trust, or system.",
	OPTION_PATH, FIELD(config_tls, ca), .fallback = "system",
	.choices = tls_ca_choices},
    {"name", "The name that the certificate must carry; the host otherwise.",
	OPTION_TEXT, FIELD(config_tls, name), .fallback = ""},
    {"certificate", "Our own certificate, where the server wants one.",
	OPTION_PATH, FIELD(config_tls, certificate), .fallback = ""},
    {"key", "The certificate's key.", OPTION_PATH, FIELD(config_tls, key),
	.fallback = ""},
    LATER("dane", OPTION_BOOL),
    END,
};
static const struct option_group tls_group = {
    tls_options, sizeof(struct config_tls), NULL};

static const struct option password_options[] = {
    {"file", "A file whose first line is the password.", OPTION_PATH,
	FIELD(secret, file), .fallback = ""},
    {"credential", "The name of a credential of the service (systemd).",
	OPTION_TEXT, FIELD(secret, credential), .fallback = ""},
    {"value", "The password itself.", OPTION_TEXT, FIELD(secret, value),
	.secret = true, .fallback = ""},
    {"command",
	"A program and its arguments whose first line of output is the "
	"password.",
	OPTION_TEXTS, FIELD(secret, command), .fallback = ""},
    END,
};
static const struct option_group password_group = {
    password_options, sizeof(struct secret), NULL};

static const struct option_choice auth_method_choices[] = {
    CHOICE("auto", CONFIG_AUTH_AUTO), CHOICE("plain", CONFIG_AUTH_PLAIN),
    CHOICE("login", CONFIG_AUTH_LOGIN), CHOICE("cram-md5", OPTION_LATER),
    CHOICE("scram-sha-1", OPTION_LATER), CHOICE("scram-sha-256", OPTION_LATER),
    CHOICE("xoauth2", OPTION_LATER), CHOICE("oauthbearer", OPTION_LATER),
    CHOICE("external", OPTION_LATER), {NULL, 0}};

static const struct option auth_options[] = {
    {"method", "How to log in; auto is the best that both sides know.",
	OPTION_CHOICE, FIELD(config_auth, method), .fallback = "auto",
	.choices = auth_method_choices},
    {"user", "The user to log in as; without one there is no login.",
	OPTION_TEXT, FIELD(config_auth, user), .fallback = ""},
    {"password", "Where the password comes from.", OPTION_GROUP,
	FIELD(config_auth, password), .group = &password_group},
    END,
};
static const struct option_group auth_group = {
    auth_options, sizeof(struct config_auth), NULL};

static const struct option pool_options[] = {
    {"connections", "Connections at the same time.", OPTION_COUNT,
	FIELD(config_pool, connections), .fallback = "10", .min = 1,
	.max = 1000},
    {"idle", "How long an unused connection is kept.", OPTION_DURATION,
	FIELD(config_pool, idle_ms), .fallback = "30s", .max = CLOCK_HOUR},
    {"per_connection", "Messages over one connection.", OPTION_COUNT,
	FIELD(config_pool, per_connection), .fallback = "1000", .min = 1,
	.max = 1000000},
    LATER("rate", OPTION_TEXT),
    {"recipients", "Recipients in one transaction.", OPTION_COUNT,
	FIELD(config_pool, recipients), .fallback = "100", .min = 1,
	.max = 10000},
    END,
};
static const struct option_group pool_group = {
    pool_options, sizeof(struct config_pool), NULL};

static const struct option_choice transport_choices[] = {
    CHOICE("smtp", CONFIG_TRANSPORT_SMTP),
    CHOICE("lmtp", CONFIG_TRANSPORT_LMTP),
    CHOICE("maildir", CONFIG_TRANSPORT_MAILDIR), CHOICE("mx", OPTION_LATER),
    {NULL, 0}};

static const struct option upstream_options[] = {
    {"name", "What routes and the status call it.", OPTION_TEXT,
	FIELD(config_upstream, name), .fallback = ""},
    {"transport", "smtp and lmtp servers, or a maildir on this machine.",
	OPTION_CHOICE, FIELD(config_upstream, transport), .fallback = "smtp",
	.choices = transport_choices},
    {"host", "The server's name or address.", OPTION_TEXT,
	FIELD(config_upstream, host), .fallback = ""},
    {"port", "The server's port; 587, with implicit TLS 465, for lmtp 24.",
	OPTION_PORT, FIELD(config_upstream, port), .fallback = "587", .min = 1,
	.max = 65535},
    {"socket", "For lmtp: a unix socket instead of host and port.", OPTION_PATH,
	FIELD(config_upstream, socket), .fallback = ""},
    {"path", "For maildir: its directory.", OPTION_PATH,
	FIELD(config_upstream, path), .fallback = ""},
    {"tls",
	"Encryption; within this machine there is none unless mode says so.",
	OPTION_GROUP, FIELD(config_upstream, tls), .group = &tls_group},
    {"auth", "Logging in.", OPTION_GROUP, FIELD(config_upstream, auth),
	.group = &auth_group},
    LATER("sender", OPTION_GROUP),
    {"pool", "Connections to it.", OPTION_GROUP, FIELD(config_upstream, pool),
	.group = &pool_group},
    LATER("proxy", OPTION_TEXT),
    {"source", "Our address to connect from.", OPTION_TEXT,
	FIELD(config_upstream, source), .fallback = ""},
    {"pipelining", "Send commands without waiting, where offered.", OPTION_BOOL,
	FIELD(config_upstream, pipelining), .fallback = "true"},
    {"chunking", "Send content by BDAT, where offered.", OPTION_BOOL,
	FIELD(config_upstream, chunking), .fallback = "true"},
    END,
};
static const struct option_group upstream_group = {
    upstream_options, sizeof(struct config_upstream), "name"};

static const struct option route_options[] = {
    {"recipient", "Pattern of recipients, like *@example.com; all otherwise.",
	OPTION_TEXT, FIELD(config_route, recipient), .fallback = ""},
    {"sender", "Pattern of senders; all otherwise.", OPTION_TEXT,
	FIELD(config_route, sender), .fallback = ""},
    {"via", "Names of upstreams, in order of preference.", OPTION_TEXTS,
	FIELD(config_route, via), .fallback = ""},
    END,
};
static const struct option_group route_group = {
    route_options, sizeof(struct config_route), NULL};

static const struct option etrn_options[] = {
    {"host", "The server that holds our mail.", OPTION_TEXT,
	FIELD(config_etrn, host), .fallback = ""},
    {"port", "Its port.", OPTION_PORT, FIELD(config_etrn, port),
	.fallback = "25", .min = 1, .max = 65535},
    {"nodes", "What to ask for: domain, @domain or #queue.", OPTION_TEXTS,
	FIELD(config_etrn, nodes), .fallback = ""},
    {"every", "How often to ask.", OPTION_DURATION,
	FIELD(config_etrn, every_ms), .fallback = "15m", .min = 1,
	.max = 28 * CLOCK_DAY},
    {"jitter", "Up to this much later, at random.", OPTION_DURATION,
	FIELD(config_etrn, jitter_ms), .fallback = "1m", .max = CLOCK_DAY},
    {"upstream", "The upstream whose tls and auth are used.", OPTION_TEXT,
	FIELD(config_etrn, upstream), .fallback = ""},
    {"tls", "Encryption; opportunistic unless mode says so.", OPTION_GROUP,
	FIELD(config_etrn, tls), .group = &tls_group},
    END,
};
static const struct option_group etrn_group = {
    etrn_options, sizeof(struct config_etrn), NULL};

static const struct option admin_options[] = {
    {"socket", "Where postrider(1) and mailq(1) find the daemon.", OPTION_PATH,
	FIELD(config_admin, socket), .fallback = CONFIG_ADMIN_SOCKET},
    {"readers", "Groups or users that may see everything.", OPTION_TEXTS,
	FIELD(config_admin, readers), .fallback = "adm"},
    {"writers", "Groups or users that may change the queue.", OPTION_TEXTS,
	FIELD(config_admin, writers), .fallback = "root"},
    END,
};
static const struct option_group admin_group = {
    admin_options, sizeof(struct config_admin), NULL};

static const struct option_choice log_sink_choices[] = {
    CHOICE("auto", CONFIG_LOG_AUTO), CHOICE("journal", CONFIG_LOG_JOURNAL),
    CHOICE("syslog", CONFIG_LOG_SYSLOG), CHOICE("stderr", CONFIG_LOG_STDERR),
    CHOICE("json", CONFIG_LOG_JSON), {NULL, 0}};
static const struct option_choice log_level_choices[] = {CHOICE("error", 0),
    CHOICE("warning", 1), CHOICE("info", 2), CHOICE("debug", 3), {NULL, 0}};

static const struct option log_options[] = {
    {"to", "Where events go; auto is the journal under systemd, else stderr.",
	OPTION_CHOICE, FIELD(config_log, to), .fallback = "auto",
	.choices = log_sink_choices},
    {"level", "The least important events that are logged.", OPTION_CHOICE,
	FIELD(config_log, level), .fallback = "info",
	.choices = log_level_choices},
    END,
};
static const struct option_group log_group = {
    log_options, sizeof(struct config_log), NULL};

static const struct option root_options[] = {
    {"root", "Who gets root's mail; empty is root's own address.", OPTION_TEXT,
	FIELD(config, root), .fallback = ""},
    {"smarthost", "The server that takes all mail: an upstream in short.",
	OPTION_TEXT, NO_FIELD, .fallback = ""},
    {"user", "The user to log in as at the smarthost.", OPTION_TEXT, NO_FIELD,
	.fallback = ""},
    {"password_file", "A file whose first line is the user's password.",
	OPTION_PATH, NO_FIELD, .fallback = ""},
    {"identity", "Names of this machine.", OPTION_GROUP,
	FIELD(config, identity), .group = &identity_group},
    {"listen", "Doors for SMTP; not used where systemd passes sockets.",
	OPTION_GROUPS, FIELD(config, listens), .group = &listen_group},
    {"drop", "The drop directory.", OPTION_GROUP, FIELD(config, drop),
	.group = &drop_group},
    {"relay_domains", "Domains whose mail is taken from anyone at a tcp door.",
	OPTION_TEXTS, FIELD(config, relay_domains), .fallback = ""},
    LATER("aliases", OPTION_GROUP),
    {"limits", "Ceilings.", OPTION_GROUP, FIELD(config, limits),
	.group = &limits_group},
    {"queue", "The queue on disk, and its patience.", OPTION_GROUP,
	FIELD(config, queue), .group = &queue_group},
    {"workers", "Threads that deliver; 0 is one for each core.", OPTION_COUNT,
	FIELD(config, workers), .fallback = "0", .max = 256},
    {"upstreams", "Servers and maildirs that mail goes to.", OPTION_GROUPS,
	FIELD(config, upstreams), .group = &upstream_group},
    {"routes", "Which mail goes to which upstreams; the first that fits.",
	OPTION_GROUPS, FIELD(config, routes), .group = &route_group},
    {"etrn", "Servers to ask for mail that they hold for us.", OPTION_GROUPS,
	FIELD(config, etrns), .group = &etrn_group},
    {"admin", "The socket for administration.", OPTION_GROUP,
	FIELD(config, admin), .group = &admin_group},
    LATER("http", OPTION_GROUP),
    {"log", "Logging.", OPTION_GROUP, FIELD(config, log), .group = &log_group},
    END,
};
static const struct option_group root_group = {
    root_options, sizeof(struct config), NULL};

/* ---- loading ---- */

/* Everything that can be wrong is told; NULL where nothing more can be said. */
static struct setting *
read_settings(const char *file, char *const *environment, struct files *files,
    struct diagnose *diagnose)
{
	struct setting *root =
	    files_read(files, file, environment, &root_group, diagnose);

	if (root == NULL)
		return NULL;
	shortform_expand(root, files->folder, diagnose);
	derive_settings(root);
	check_settings(root, diagnose);
	return root;
}

static void
keep_warnings(struct config *config, const struct diagnose *diagnose)
{
	struct config_texts *warnings = &config->warnings;

	warnings->texts =
	    memory_array(diagnose->count, sizeof(*warnings->texts));
	for (size_t i = 0; i < diagnose->count; i++)
		if (!diagnose->list[i].is_error)
			warnings->texts[warnings->count++] =
			    memory_copy_text(diagnose->list[i].text);
}

/* Passwords are in the struct now, and need be nowhere else. */
static void
forget_secrets(struct setting *setting)
{
	if (setting == NULL)
		return;
	for (size_t i = 0; i < setting->count; i++)
		forget_secrets(setting->items[i]);
	if (setting->text != NULL && setting->option->secret)
		for (char *c = setting->text; *c != '\0'; c++)
			*c = '*';
}

static struct config *
make(struct setting *root, struct files *files, const struct diagnose *diagnose)
{
	struct config *config = memory_new(sizeof(*config));

	store_settings(&root_group, root, config);
	config->file = memory_copy_text(files->path);
	keep_warnings(config, diagnose);
	forget_secrets(root);
	files_forget(files);
	config->origins = memory_new(sizeof(*config->origins));
	config->origins->root = root;
	config->origins->files = *files;
	return config;
}

bool
config_load(const char *file, char *const *environment,
    struct config **out_config, struct buffer *diagnostics)
{
	struct files files;
	struct diagnose diagnose;

	diagnose_init(&diagnose);
	struct setting *root =
	    read_settings(file, environment, &files, &diagnose);
	diagnose_print(&diagnose, diagnostics);
	bool good = root != NULL && diagnose.errors == 0;
	if (good)
		*out_config = make(root, &files, &diagnose);
	else {
		setting_free(root);
		files_clear(&files);
	}
	diagnose_clear(&diagnose);
	return good;
}

void
config_free(struct config *config)
{
	if (config == NULL)
		return;
	store_release(&root_group, config);
	setting_free(config->origins->root);
	files_clear(&config->origins->files);
	free(config->origins);
	for (size_t i = 0; i < config->warnings.count; i++)
		free(config->warnings.texts[i]);
	free(config->warnings.texts);
	free(config->file);
	free(config);
}

void
config_show(const struct config *config, bool all, struct buffer *buffer)
{
	setting_show(config->origins->root, all, buffer);
}

const struct config_upstream *
config_find_upstream(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->upstream_count; i++)
		if (strcmp(config->upstreams[i].name, name) == 0)
			return &config->upstreams[i];
	return NULL;
}
