/* A session of the library and a scripted server, together. */
#pragma once

#include "lib/postrider/smtp.h"
#include "lib/script_server.h"

#include <criterion/criterion.h>
#include <string.h>

struct library_scene {
	struct smtp *session;
	struct script_server *server;
	int descriptors;
};

/* Connected to a server that follows script, the greeting read. */
void library_scene_init(struct library_scene *scene, const char *script,
    const struct smtp_options *options);
/* The same, not connected yet; server_options may be NULL. */
void library_scene_begin(struct library_scene *scene, const char *script,
    const struct smtp_options *options,
    const struct script_options *server_options);
/* Closes; what the server heard, until clear. */
const char *library_scene_heard(struct library_scene *scene);
/* Checks that no descriptor is left open. */
void library_scene_clear(struct library_scene *scene);

/* Scripts. */
#define GREETING          "S:220 mx.example\n"
#define EHLO              "C:ehlo \nS:250 mx.example\n"
#define EHLO_OF(keywords) "C:ehlo \nS:250-mx.example\n" keywords "S:250 HELP\n"
#define QUIT              "C:quit\nS:221 bye\n"
