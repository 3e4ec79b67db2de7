#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "config/config_folder.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(config, .init = config_folder_enter, .fini = config_folder_leave);

static struct config *
load_good(const char *text)
{
	struct config *config;

	config_folder_put("postrider.conf", text, 0600);
	char *said = config_folder_load(NULL, &config);
	cr_assert_not_null(config, "refused: %s", said);
	cr_expect_str_eq(said, "");
	free(said);
	return config;
}

Test(config, takes_the_commonest_case)
{
	config_folder_put("password", "secret\n", 0600);
	struct config *config =
	    load_good("root          = \"ops@example.com\"\n"
		      "smarthost     = \"smtp.example.com\"  // 587, verified\n"
		      "user          = \"mailer@example.com\"\n"
		      "password_file = \"password\"\n");
	char *password = memory_format("%s/password", config_folder_path());

	cr_expect_str_eq(config->root, "ops@example.com");
	cr_assert_eq(config->upstream_count, 1);
	const struct config_upstream *main = &config->upstreams[0];
	cr_expect_str_eq(main->name, "main");
	cr_expect_eq(main->transport, CONFIG_TRANSPORT_SMTP);
	cr_expect_str_eq(main->host, "smtp.example.com");
	cr_expect_eq(main->port, 587);
	cr_expect_eq(main->tls.mode, CONFIG_TLS_STARTTLS);
	cr_expect_eq(main->tls.verify, CONFIG_TLS_VERIFY_FULL);
	cr_expect_eq(main->tls.version_min, 12);
	cr_expect_str_eq(main->tls.ca, "system");
	cr_expect_str_eq(main->tls.name, "smtp.example.com");
	cr_expect_str_eq(main->auth.user, "mailer@example.com");
	cr_expect_str_eq(main->auth.password.file, password);
	cr_expect(main->pipelining);
	cr_expect(main->chunking);
	cr_assert_eq(config->route_count, 1);
	cr_assert_eq(config->routes[0].via.count, 1);
	cr_expect_str_eq(config->routes[0].via.texts[0], "main");
	free(password);
	config_free(config);
}

Test(config, knows_a_local_door_by_its_address_whatever_its_port)
{
	static const struct {
		const char *tcp;
		enum config_bare_newline expected;
	} rows[] = {
	    {"127.0.0.1:25", CONFIG_BARE_NEWLINE_NORMALIZE},
	    {"127.0.0.1:0", CONFIG_BARE_NEWLINE_NORMALIZE},
	    {"[::1]:0", CONFIG_BARE_NEWLINE_NORMALIZE},
	    {"192.0.2.1:25", CONFIG_BARE_NEWLINE_REJECT},
	    {"0.0.0.0:0", CONFIG_BARE_NEWLINE_REJECT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = memory_format(
		    "listen = ( { tcp = \"%s\"; } );\n", rows[i].tcp);
		struct config *config = load_good(text);
		cr_expect_eq(config->listens[0].bare_newline, rows[i].expected,
		    "%s", rows[i].tcp);
		config_free(config);
		free(text);
	}
}

Test(config, has_a_default_for_everything)
{
	struct config *config = load_good("");

	cr_expect_str_neq(config->identity.hostname, "auto");
	cr_expect_str_neq(config->identity.origin, "auto");
	cr_expect_not_null(strchr(config->identity.postmaster, '@'));
	cr_assert_eq(config->listen_count, 3);
	cr_expect_str_eq(config->listens[0].socket, CONFIG_SMTP_SOCKET);
	cr_expect_eq(config->listens[0].mode, 0666);
	cr_expect_str_eq(config->listens[1].tcp, "127.0.0.1:25");
	cr_expect_eq(
	    config->listens[1].bare_newline, CONFIG_BARE_NEWLINE_NORMALIZE);
	cr_expect_str_eq(config->listens[2].tcp, "[::1]:25");
	cr_expect_str_eq(config->drop.directory, SPOOLDIR "/drop");
	cr_expect_eq(config->drop.settle_ms, 2 * CLOCK_SECOND);
	cr_expect_eq(config->limits.message_size_bytes, 50 << 20);
	cr_expect_eq(config->limits.min_free.percent, 5);
	cr_expect_eq(config->limits.min_free.bytes, 0);
	cr_expect_eq(config->queue.expire_ms, 5 * CLOCK_DAY);
	cr_assert_eq(config->queue.retry.count, 8);
	cr_expect_eq(config->queue.retry.ms[0], CLOCK_MINUTE);
	cr_expect_eq(config->queue.retry.ms[7], 4 * CLOCK_HOUR);
	cr_expect_geq(config->workers, 1);
	cr_expect_eq(config->upstream_count, 0);
	cr_expect_eq(config->route_count, 0);
	cr_expect_str_eq(config->admin.socket, CONFIG_ADMIN_SOCKET);
	cr_assert_eq(config->admin.readers.count, 1);
	cr_expect_str_eq(config->admin.readers.texts[0], "adm");
	cr_expect_null(config->admin.readers.texts[1]);
	cr_expect_eq(config->log.to, CONFIG_LOG_AUTO);
	cr_expect_eq(config->log.level, 2);
	config_free(config);
}

static const struct {
	const char *smarthost;
	enum config_transport transport;
	const char *host;
	unsigned port;
	enum config_tls_mode mode;
	const char *path; /* socket or path */
} forms[] = {
    {"mx.example", CONFIG_TRANSPORT_SMTP, "mx.example", 587,
	CONFIG_TLS_STARTTLS, ""},
    {"mx.example:465", CONFIG_TRANSPORT_SMTP, "mx.example", 465,
	CONFIG_TLS_IMPLICIT, ""},
    {"mx.example:2525", CONFIG_TRANSPORT_SMTP, "mx.example", 2525,
	CONFIG_TLS_STARTTLS, ""},
    {"smtps://mx.example", CONFIG_TRANSPORT_SMTP, "mx.example", 465,
	CONFIG_TLS_IMPLICIT, ""},
    {"smtps://mx.example:1465", CONFIG_TRANSPORT_SMTP, "mx.example", 1465,
	CONFIG_TLS_IMPLICIT, ""},
    {"smtp://mx.example:25", CONFIG_TRANSPORT_SMTP, "mx.example", 25,
	CONFIG_TLS_STARTTLS, ""},
    {"smtp://mx.example/", CONFIG_TRANSPORT_SMTP, "mx.example", 587,
	CONFIG_TLS_STARTTLS, ""},
    {"[2001:db8::1]:587", CONFIG_TRANSPORT_SMTP, "2001:db8::1", 587,
	CONFIG_TLS_STARTTLS, ""},
    {"127.0.0.1:2525", CONFIG_TRANSPORT_SMTP, "127.0.0.1", 2525,
	CONFIG_TLS_NONE, ""},
    {"localhost", CONFIG_TRANSPORT_SMTP, "localhost", 587, CONFIG_TLS_NONE, ""},
    {"lmtp:/run/lmtp.sock", CONFIG_TRANSPORT_LMTP, "", 24, CONFIG_TLS_NONE,
	"/run/lmtp.sock"},
    {"maildir:/var/capture", CONFIG_TRANSPORT_MAILDIR, "", 587, CONFIG_TLS_NONE,
	"/var/capture"},
};

Test(config, knows_every_form_of_smarthost)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char *text =
		    memory_format("smarthost = \"%s\";", forms[i].smarthost);
		struct config *config = load_good(text);
		const struct config_upstream *main = &config->upstreams[0];
		const char *name = forms[i].smarthost;

		cr_expect_eq(main->transport, forms[i].transport, "%s", name);
		cr_expect_str_eq(main->host, forms[i].host, "%s", name);
		cr_expect_eq(
		    main->port, forms[i].port, "%s: %d", name, (int)main->port);
		cr_expect_eq(main->tls.mode, forms[i].mode, "%s: %d", name,
		    (int)main->tls.mode);
		bool lmtp = forms[i].transport == CONFIG_TRANSPORT_LMTP;
		cr_expect_str_eq(lmtp ? main->socket : main->path,
		    forms[i].path, "%s", name);
		config_free(config);
		free(text);
	}
}

Test(config, takes_a_comment_without_a_line_end)
{
	struct config *config = load_good("workers = 7; # so many");

	cr_expect_eq(config->workers, 7);
	config_free(config);
}

Test(config, takes_all_groups)
{
	struct config *config = load_good(
	    "identity = { hostname = \"web1.example\"; origin = \"example\";\n"
	    "             postmaster = \"pm\"; };\n"
	    "listen = ( { socket = \"smtp.sock\"; mode = \"0660\"; },\n"
	    "  { tcp = \"0.0.0.0:2525\"; protocol = \"lmtp\"; } );\n"
	    "drop = { directory = \"\"; settle = \"250ms\"; };\n"
	    "relay_domains = [ \"rnd.example\", \"b.example\" ];\n"
	    "limits = { message_size = \"1M\"; min_free = \"10G\"; };\n"
	    "queue = { retry = [ \"1s\", \"1m30s\" ]; delay_notice = \"0\"; "
	    "};\n"
	    "workers = 3;\n"
	    "upstreams = (\n"
	    "  { name = \"a\"; host = \"a.example\"; port = 465;\n"
	    "    auth = { method = \"login\"; user = \"u\";\n"
	    "      password = { command = [ \"/bin/echo\", \"x y\" ]; }; };\n"
	    "    pool = { connections = 2; idle = \"1m\"; };\n"
	    "    source = \"192.0.2.7\"; pipelining = false; },\n"
	    "  { name = \"inner\"; transport = \"lmtp\"; socket = \"l\"; } );\n"
	    "routes = ( { recipient = \"*@rnd.example\"; via = [ \"inner\" ]; }"
	    ");\n"
	    "etrn = ( { host = \"mx.example\"; nodes = [ \"@rnd.example\" ];\n"
	    "    every = \"5m\"; },\n"
	    "  { host = \"a.example\"; nodes = [ \"#q\" ]; upstream = \"a\"; } "
	    ");\n"
	    "log = { to = \"json\"; level = \"debug\"; };\n");
	char *socket = memory_format("%s/smtp.sock", config_folder_path());

	cr_expect_str_eq(config->identity.postmaster, "pm@example");
	cr_assert_eq(config->listen_count, 2);
	cr_expect_str_eq(config->listens[0].socket, socket);
	cr_expect_eq(config->listens[0].mode, 0660);
	cr_expect_eq(config->listens[1].protocol, CONFIG_PROTOCOL_LMTP);
	cr_expect_eq(
	    config->listens[1].bare_newline, CONFIG_BARE_NEWLINE_REJECT);
	cr_expect_str_eq(config->drop.directory, "");
	cr_expect_eq(config->drop.settle_ms, 250);
	cr_assert_eq(config->relay_domains.count, 2);
	cr_expect_str_eq(config->relay_domains.texts[1], "b.example");
	cr_expect_eq(config->limits.min_free.bytes, (int64_t)10 << 30);
	cr_expect_eq(config->limits.min_free.percent, 0);
	cr_assert_eq(config->queue.retry.count, 2);
	cr_expect_eq(config->queue.retry.ms[1], 90 * CLOCK_SECOND);
	cr_expect_eq(config->queue.delay_notice_ms, 0);
	cr_expect_eq(config->workers, 3);

	const struct config_upstream *a = config_find_upstream(config, "a");
	cr_assert_not_null(a);
	cr_expect_eq(a->tls.mode, CONFIG_TLS_IMPLICIT);
	cr_expect_eq(a->auth.method, CONFIG_AUTH_LOGIN);
	cr_assert_eq(a->auth.password.command_len, 2);
	cr_expect_str_eq(a->auth.password.command[1], "x y");
	cr_expect_null(a->auth.password.command[2]);
	cr_expect_eq(a->pool.connections, 2);
	cr_expect_eq(a->pool.idle_ms, CLOCK_MINUTE);
	cr_expect_not(a->pipelining);
	cr_expect_null(config_find_upstream(config, "none"));

	/* The rest goes by the upstreams that no route names. */
	cr_assert_eq(config->route_count, 2);
	cr_assert_eq(config->routes[1].via.count, 1);
	cr_expect_str_eq(config->routes[1].via.texts[0], "a");
	cr_assert_eq(config->etrn_count, 2);
	cr_expect_eq(config->etrns[0].tls.mode, CONFIG_TLS_OPPORTUNISTIC);
	cr_expect_eq(config->etrns[0].tls.verify, CONFIG_TLS_VERIFY_OFF);
	cr_expect_eq(config->etrns[1].tls.mode, CONFIG_TLS_IMPLICIT);
	cr_expect_eq(config->etrns[1].tls.verify, CONFIG_TLS_VERIFY_FULL);
	cr_expect_eq(config->log.to, CONFIG_LOG_JSON);
	cr_expect_eq(config->log.level, 3);
	free(socket);
	config_free(config);
}

Test(config, merges_conf_d_in_lexical_order)
{
	config_folder_put("conf.d/20-b.conf",
	    "workers = 5; relay_domains = [ \"c\" ];\n"
	    "upstreams = ( { name = \"x\"; port = 26; } );",
	    0644);
	config_folder_put("conf.d/10-a.conf",
	    "workers = 4; relay_domains = [ \"b\" ]; log = { level = "
	    "\"debug\"; "
	    "};\n"
	    "upstreams = ( { name = \"y\"; host = \"y.example\"; } );",
	    0644);
	config_folder_put("conf.d/.hidden.conf", "nonsense", 0644);
	config_folder_put("conf.d/30.conf.bak", "nonsense", 0644);
	struct config *config =
	    load_good("workers = 3; relay_domains = [ \"a\" ];\n"
		      "upstreams = ( { name = \"x\"; host = \"x.example\"; "
		      "port = 25; } );"
		      "\nlog = { to = \"stderr\"; };\n");

	cr_expect_eq(config->workers, 5);
	cr_assert_eq(config->relay_domains.count, 3);
	cr_expect_str_eq(config->relay_domains.texts[0], "a");
	cr_expect_str_eq(config->relay_domains.texts[2], "c");
	cr_assert_eq(config->upstream_count, 2);
	cr_expect_str_eq(config->upstreams[0].host, "x.example");
	cr_expect_eq(config->upstreams[0].port, 26);
	cr_expect_eq(config->log.to, CONFIG_LOG_STDERR);
	cr_expect_eq(config->log.level, 3);
	config_free(config);
}

Test(config, adds_to_the_short_form_in_upstreams)
{
	struct config *config = load_good(
	    "smarthost = \"a.example\";\n"
	    "upstreams = ( { name = \"other\"; host = \"b.example\"; },\n"
	    "  { name = \"main\"; pool = { connections = 1; }; } );\n");

	cr_assert_eq(config->upstream_count, 2);
	const struct config_upstream *main =
	    config_find_upstream(config, "main");
	cr_expect_str_eq(main->host, "a.example");
	cr_expect_eq(main->pool.connections, 1);
	config_free(config);
}

Test(config, lets_the_environment_have_the_last_word)
{
	struct config *config;
	char *environment[] = {(char[]){"PATH=/bin"},
	    (char[]){"POSTRIDER_SMARTHOST=env.example:2525"},
	    (char[]){"POSTRIDER_USER=u"},
	    (char[]){"POSTRIDER_PASSWORD_FILE=password"},
	    (char[]){"POSTRIDER_ROOT=root@env.example"},
	    (char[]){"POSTRIDER_HOSTNAME=c1.example"},
	    (char[]){"POSTRIDER_LISTEN=0.0.0.0:25, /run/x.sock"}, NULL};

	config_folder_put("password", "x\n", 0600);
	config_folder_put(
	    "postrider.conf", "smarthost = \"file.example\";", 0600);
	char *said = config_folder_load(environment, &config);
	cr_assert_not_null(config, "%s", said);
	cr_expect_str_eq(config->upstreams[0].host, "env.example");
	cr_expect_eq(config->upstreams[0].port, 2525);
	cr_expect_str_eq(config->upstreams[0].auth.user, "u");
	cr_expect_str_eq(config->root, "root@env.example");
	cr_expect_str_eq(config->identity.hostname, "c1.example");
	cr_assert_eq(config->listen_count, 2);
	cr_expect_str_eq(config->listens[0].tcp, "0.0.0.0:25");
	cr_expect_str_eq(config->listens[1].socket, "/run/x.sock");
	free(said);
	config_free(config);
}

Test(config, needs_no_file_where_the_environment_says_it_all)
{
	struct config *config;
	char *environment[] = {
	    (char[]){"POSTRIDER_SMARTHOST=env.example"}, NULL};

	char *said = config_folder_load(environment, &config);
	cr_assert_not_null(config, "%s", said);
	cr_expect_str_eq(config->upstreams[0].host, "env.example");
	config_free(config);
	free(said);

	said = config_folder_load(NULL, &config);
	cr_expect_null(config);
	cr_expect_str_eq(
	    said, "error: postrider.conf: No such file or directory\n");
	free(said);
}

Test(config, shows_origins_and_hides_passwords)
{
	struct buffer shown;
	struct config *config =
	    load_good("workers = 2;\n"
		      "upstreams = ( { name = \"a\"; host = \"a.example\";\n"
		      "  auth = { user = \"u\"; password = { value = "
		      "\"hunter2\"; }; }; } "
		      ");\n");

	cr_expect_str_eq(config->upstreams[0].auth.password.value, "hunter2");
	buffer_init(&shown, 1 << 20);
	config_show(config, false, &shown);
	char *text = buffer_to_text(&shown);
	char *origin = memory_format(
	    "workers = 2;  // %s/postrider.conf:1\n", config_folder_path());
	cr_expect_not_null(strstr(text, origin), "%s", text);
	cr_expect_not_null(strstr(text, "value = \"********\";"), "%s", text);
	cr_expect_null(strstr(text, "hunter2"), "%s", text);
	cr_expect_null(strstr(text, "queue"), "%s", text);
	free(origin);
	free(text);
	buffer_clear(&shown);
	config_free(config);
}

Test(config, shows_a_file_that_reads_the_same)
{
	struct buffer first;
	struct buffer second;

	buffer_init(&first, 1 << 20);
	buffer_init(&second, 1 << 20);
	struct config *config = load_good(
	    "smarthost = \"[2001:db8::1]:465\"; root = \"a\\\"b\\\\c@d\";\n"
	    "etrn = ( { host = \"mx.example\"; nodes = [ \"x.example\" ]; } "
	    ");\n"
	    "identity = { hostname = \"h.example\"; };");
	config_show(config, true, &first);
	config_free(config);

	char *text = buffer_to_text(&first);
	config = load_good(text);
	config_show(config, true, &second);
	config_free(config);
	/* All but the origins. */
	struct bytes a = buffer_bytes(&first);
	struct bytes b = buffer_bytes(&second);
	while (a.len > 0 || b.len > 0) {
		struct bytes line_a = bytes_cut(&a, '\n');
		struct bytes line_b = bytes_cut(&b, '\n');
		struct bytes mark = BYTES("  //");

		line_a = bytes_first(line_a, bytes_search(line_a, mark));
		line_b = bytes_first(line_b, bytes_search(line_b, mark));
		cr_expect(bytes_equal(line_a, line_b), "%.*s | %.*s",
		    BYTES_ARGS(line_a), BYTES_ARGS(line_b));
	}
	free(text);
	buffer_clear(&first);
	buffer_clear(&second);
}

Test(config, warns_of_what_is_dangerous_though_spelt_out)
{
	struct config *config;

	config_folder_put("postrider.conf",
	    "upstreams = ( { name = \"a\"; host = \"a.example\";\n"
	    "  tls = { mode = \"none\"; }; },\n"
	    "  { name = \"b\"; host = \"b.example\";\n"
	    "  tls = { verify = \"off\"; }; } );\n",
	    0600);
	char *said = config_folder_load(NULL, &config);
	cr_assert_not_null(config, "%s", said);
	cr_expect_not_null(strstr(said, "postrider.conf:2:18: warning: "));
	cr_assert_eq(config->warnings.count, 2);
	cr_expect_str_eq(config->warnings.texts[0],
	    "mail to a.example goes in clear text over the network");
	free(said);
	config_free(config);
}
