/* smtp_tls_info(): what TLS came to, whatever was asked for. */
#include "lib/library_scene.h"
#include "lib/tls_authority.h"

#include <stdlib.h>
#include <time.h>

#define SCRIPT                                                                 \
	GREETING EHLO_OF("S:250-STARTTLS\n") "C:STARTTLS\r\nS:220 "            \
					     "go\nT\n" QUIT

Test(facts, tell_whom_a_certificate_is_for_and_why_it_is_not_believed)
{
	static const struct {
		const char *name;
		struct tls_authority_order order;
		bool has_ca;
		const char *names;
		const char *problem; /* begins so; "": none */
	} rows[] = {
	    {"good",
		{.common_name = "mx",
		    .names = "IP:127.0.0.1,DNS:mx.example",
		    .from_days = -1,
		    .to_days = 9},
		true, "127.0.0.1, mx.example", ""},
	    {"not ours",
		{.common_name = "mx",
		    .names = "IP:127.0.0.1",
		    .from_days = -1,
		    .to_days = 9},
		false, "127.0.0.1",
		"certificate is signed by an authority that is not trusted"},
	    {"another's",
		{.common_name = "mx",
		    .names = "DNS:mx.example",
		    .from_days = -1,
		    .to_days = 9},
		true, "mx.example",
		"certificate is for mx.example, not for 127.0.0.1"},
	    {"over",
		{.common_name = "mx",
		    .names = "IP:127.0.0.1",
		    .from_days = -9,
		    .to_days = -1},
		true, "127.0.0.1", "certificate has expired"},
	    {"its own",
		{.common_name = "mx",
		    .names = "IP:127.0.0.1",
		    .from_days = -1,
		    .to_days = 9,
		    .self_signed = true},
		true, "127.0.0.1", "certificate is self-signed"},
	    {"nobody's", {.common_name = "mx", .from_days = -1, .to_days = 9},
		true, "", "certificate has no subjectAltName"},
	    {"a client's",
		{.common_name = "mx",
		    .names = "IP:127.0.0.1",
		    .from_days = -1,
		    .to_days = 9,
		    .usage = "clientAuth"},
		true, "127.0.0.1", "certificate is not for a server"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_authority *authority = tls_authority_new();
		const struct smtp_options options = {.tls = SMTP_TLS_MAY,
		    .tls_ca =
			rows[i].has_ca ? tls_authority_path(authority) : NULL};
		const struct script_options where = {
		    .certificate =
			tls_authority_issue(authority, &rows[i].order)};
		struct library_scene scene;
		smtp_tls_facts facts;

		library_scene_begin(&scene, SCRIPT, &options, &where);
		cr_assert_eq(smtp_connect(scene.session,
				 script_server_host(scene.server), NULL),
		    SMTP_OK);
		cr_expect_eq(
		    smtp_tls_info(scene.session, &facts), SMTP_E_NOTSUPP);
		cr_assert_eq(smtp_starttls(scene.session, NULL, NULL), SMTP_OK);
		cr_assert_eq(smtp_tls_info(scene.session, &facts), SMTP_OK);
		cr_expect_str_eq(
		    facts.names, rows[i].names, "%s", rows[i].name);
		cr_expect_eq(strncmp(facts.problem, rows[i].problem,
				 strlen(rows[i].problem)),
		    0, "%s: %s", rows[i].name, facts.problem);
		cr_expect_eq(facts.trusted, rows[i].problem[0] == '\0', "%s",
		    rows[i].name);
		cr_expect_eq(facts.trusted, facts.problem[0] == '\0');
		cr_expect_not_null(strstr(facts.subject, "mx"));
		cr_expect_eq(strncmp(facts.version, "TLSv1.", 6), 0);
		const int64_t days =
		    (facts.not_after - (int64_t)time(NULL)) / 86400;
		cr_expect_leq(
		    llabs(days - rows[i].order.to_days), 1, "%s", rows[i].name);
		cr_expect_lt(facts.not_before, facts.not_after);
		cr_expect_eq(smtp_quit(scene.session), SMTP_OK);
		cr_expect_eq(
		    smtp_tls_info(scene.session, &facts), SMTP_E_NOTSUPP);
		library_scene_clear(&scene);
		tls_authority_free(authority);
	}
}

/* Whatever a certificate holds, what is told of it is one printable line. */
Test(facts, of_hostile_names_are_printable)
{
	static const struct tls_authority_order orders[] = {
	    {"x", "a\0b\x1b[2J\r\n\x7f", .from_days = -1, .to_days = 9,
		.raw_name_len = 10},
	    {"m\0x\x1b[2J\r\n\x7f", "IP:127.0.0.1", .from_days = -1,
		.to_days = 9, .common_name_len = 10},
	};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct tls_authority *authority = tls_authority_new();
		const struct smtp_options options = {.tls = SMTP_TLS_MAY};
		const struct script_options where = {
		    .certificate = tls_authority_issue(authority, &orders[i])};
		struct library_scene scene;
		smtp_tls_facts facts;

		library_scene_begin(&scene, SCRIPT, &options, &where);
		cr_assert_eq(smtp_connect(scene.session,
				 script_server_host(scene.server), NULL),
		    SMTP_OK);
		cr_assert_eq(smtp_starttls(scene.session, NULL, NULL), SMTP_OK);
		cr_assert_eq(smtp_tls_info(scene.session, &facts), SMTP_OK);
		const char *const texts[] = {
		    facts.subject, facts.issuer, facts.names, facts.problem};
		for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++)
			for (const char *p = texts[j]; *p != '\0'; p++)
				cr_expect(*p >= ' ' && *p <= '~', "%zu %zu: %d",
				    i, j, *p);
		cr_expect_str_not_empty(facts.subject);
		cr_expect_str_not_empty(facts.names);
		cr_expect_not(facts.trusted);
		cr_expect_eq(smtp_quit(scene.session), SMTP_OK);
		library_scene_clear(&scene);
		tls_authority_free(authority);
	}
}
