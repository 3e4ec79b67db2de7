/*
 * Plays a server session from a transcript (transcript.h), which knows besides
 * C: and S:
 *
 *   R:  octets from the client as they are
 *   W:  the client waits for its replies before it goes on
 *   T:  milliseconds pass
 *   X:  the caller shuts the session down, with this text
 *   E:  an event; END shows the message, RESET forgets it
 *   A:  how the event before it is answered, if not with a yes; "wait": by the
 *       next N: line
 *   N:  an answer, now
 *
 * S: stands for the last line of each reply only.
 */
#pragma once

#include "smtp/smtp_server.h"

#include <stddef.h>

/* When every session begins, monotonic ms. */
#define SERVER_PLAYER_START ((int64_t)1000000)

/* Small limits, long times: 100 octets, 3 recipients, 20 errors. */
extern const struct smtp_server_options server_player_options;

struct server_player_row {
	const char *name;
	const char *text;
};

/* Play text from the greeting on. */
void server_player_check(const char *name, const char *text,
    const struct smtp_server_options *options);
/* Play what follows EHLO (or LHLO), for each row. */
void server_player_check_rows(const struct server_player_row *rows,
    size_t count, const struct smtp_server_options *options);
/* What is seen where text behind EHLO comes in one piece; the caller frees. */
char *server_player_log(
    const char *text, const struct smtp_server_options *options);

/* Pieces of transcripts; without a prefix, since rows are made of them. */
#define ENVELOPE                                                               \
	SENDER                                                                 \
	"C: RCPT TO:<c@d.example>\n"                                           \
	"E: RCPT <c@d.example>\n" TAKEN
#define SENDER                                                                 \
	"C: MAIL FROM:<a@b.example>\n"                                         \
	"E: MAIL <a@b.example>\n"                                              \
	"S: 250 2.1.0 Sender ok\n"
#define TAKEN "S: 250 2.1.5 Recipient ok\n"
#define DATA                                                                   \
	"C: DATA\n"                                                            \
	"E: DATA\n"                                                            \
	"S: 354 Go ahead\n"                                                    \
	"W:\n"
#define QUEUED "S: 250 2.0.0 Queued\n"
#define QUIT                                                                   \
	"C: QUIT\n"                                                            \
	"S: 221 2.0.0 Bye\n"                                                   \
	"E: CLOSE QUIT\n"

/* A session to be driven by hand. */
struct server_player_session {
	struct smtp_server server;
	struct buffer input;
	struct buffer output;
};

/* options are borrowed until it is closed. */
void server_player_open(struct server_player_session *session,
    const struct smtp_server_options *options);
void server_player_close(struct server_player_session *session);
/* Bring text, and answer yes to all that is asked. */
void server_player_say(struct server_player_session *session, const char *text);
