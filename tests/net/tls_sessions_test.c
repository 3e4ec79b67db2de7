#include "lib/tls_scene.h"
#include "net/tls_sessions.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* Threats: I15. */

Test(tls_sessions, resumes_a_verified_session_with_the_same_name)
{
	struct tls_scene scene;
	struct tls_summary summary;

	tls_scene_good(&scene);
	tls_talk_once(&scene, "mail.example", &summary);
	cr_expect_not(summary.resumed);
	cr_expect(summary.verified);
	tls_talk_once(&scene, "mail.example", &summary);
	cr_expect(summary.resumed);
	cr_expect(summary.verified);
	tls_talk_once(&scene, "two.example", &summary);
	cr_expect_not(summary.resumed, "another name");
	cr_expect(summary.verified);
	tls_talk_once(&scene, "MAIL.example.", &summary);
	cr_expect(summary.resumed);
	tls_scene_clear(&scene);
}

Test(tls_sessions, resumes_in_tls12_as_well)
{
	struct tls_scene scene;
	struct tls_summary summary;

	tls_scene_good(&scene);
	tls_scene_server_of(&scene,
	    tls_authority_issue_for(scene.authority, "DNS:mail.example"),
	    tls_scene_only_tls12);
	tls_talk_once(&scene, "mail.example", &summary);
	cr_expect_not(summary.resumed);
	tls_talk_once(&scene, "mail.example", &summary);
	cr_expect(summary.resumed);
	cr_expect(summary.verified);
	tls_scene_clear(&scene);
}

Test(tls_sessions, verifies_again_where_the_server_has_changed)
{
	struct tls_scene scene;
	struct tls_summary summary;
	struct tls_talk talk;

	tls_scene_good(&scene);
	tls_talk_once(&scene, "mail.example", &summary);
	tls_scene_server(&scene,
	    tls_authority_issue_for(scene.authority, "DNS:evil.example"));
	tls_talk_init(&talk, &scene);
	tls_talk_shake(&talk, "mail.example");
	cr_expect_str_eq(talk.client.error.text,
	    "certificate is for evil.example, not for mail.example");
	tls_talk_clear(&talk);

	tls_scene_server(&scene,
	    tls_authority_issue_for(scene.authority, "DNS:mail.example"));
	tls_talk_once(&scene, "mail.example", &summary);
	cr_expect_not(summary.resumed);
	cr_expect(summary.verified);
	tls_scene_clear(&scene);
}

Test(tls_sessions, resumes_nothing_that_was_not_verified)
{
	struct tls_scene scene;
	struct tls_summary summary;

	tls_scene_good(&scene);
	tls_scene_client(&scene, TLS_VERIFY_OFF, 12);
	for (int i = 0; i < 2; i++) {
		tls_talk_once(&scene, "mail.example", &summary);
		cr_expect_not(summary.resumed);
		cr_expect_not(summary.verified);
	}
	tls_scene_clear(&scene);
}

Test(tls_sessions, remembers_a_handful_of_names)
{
	struct tls_scene scene;
	struct tls_summary summary;
	char name[64];

	tls_scene_good(&scene);
	tls_scene_server(&scene,
	    tls_authority_issue_for(scene.authority, "DNS:*.mail.example"));
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 12; i++) {
			snprintf(name, sizeof(name), "h%d.mail.example", i);
			tls_talk_once(&scene, name, &summary);
			cr_expect_not(summary.resumed, "%s", name);
		}
	}
	tls_talk_once(&scene, "h11.mail.example", &summary);
	cr_expect(summary.resumed);
	tls_talk_once(&scene, "h0.mail.example", &summary);
	cr_expect_not(summary.resumed);
	tls_scene_clear(&scene);
}
