/*
 * An SMTP intake with a fake door behind it, and clients on socket pairs.
 */
#pragma once

#include "base/buffer.h"
#include "intake/admission.h"
#include "intake/smtp_intake.h"
#include "lib/fake_door.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>

struct intake_scene {
	char directory[64]; /* of the test's own; large content is put there */
	int directory_fd;
	struct loop *loop;
	struct fake_door fake;
	/* May be changed before the first client comes. */
	struct admission_options admission_options;
	struct smtp_intake_options options;
	struct admission admission;
	struct smtp_intake *intake;
};

/* hostname "mail.example", origin "example.org", root@example.org for root. */
void intake_scene_init(struct intake_scene *scene);
/* All sessions must have ended, or end now that their clients are gone. */
void intake_scene_clear(struct intake_scene *scene);

/* Run the loop until no session is left. */
void intake_scene_until_empty(struct intake_scene *scene);

/* Files of large content in the directory. */
size_t intake_scene_files(const struct intake_scene *scene);

/* A client by hand: nothing happens but while the loop runs. */
struct intake_client {
	struct intake_scene *scene;
	int fd;                /* -1: closed */
	struct buffer pending; /* still to be written */
	bool shuts;            /* end behind it */
	struct buffer told;    /* all that the server said */
	size_t shown;          /* octets of it that _codes() has shown */
	bool ended;            /* the server has closed, or reset */
	char codes[4096];
};

/* Over a socket pair, or over TCP on the loopback interface. */
void intake_client_init(
    struct intake_client *client, struct intake_scene *scene);
void intake_client_init_tcp(
    struct intake_client *client, struct intake_scene *scene);
void intake_client_clear(struct intake_client *client);
/* To be sent while the loop runs. */
void intake_client_say(struct intake_client *client, const char *text);
void intake_client_send(struct intake_client *client, struct bytes octets);
/* No more will be sent; the client goes on reading. */
void intake_client_half_close(struct intake_client *client);
/* Close, with a reset where that is to be had. */
void intake_client_cut(struct intake_client *client);
/* Run the loop until text has been told since the last _codes(). */
void intake_client_until(struct intake_client *client, const char *text);
void intake_client_until_ended(struct intake_client *client);
/* Some turns: what was sent is read, and what is to be said was said. */
void intake_client_settle(struct intake_client *client);
/* What was told since the last call, the codes alone: "220 250 250 354".  Of a
 * reply of several lines one counts. */
const char *intake_client_codes(struct intake_client *client);
