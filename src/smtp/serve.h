/*
 * What the parts of a server session share: where it stands, its replies, and
 * how a transaction and a session end.  Private to smtp_server.c and serve_*.c;
 * everybody else uses smtp_server.h.
 */
#pragma once

#include "smtp/smtp_server.h"

/* Of the session; bits, so that a command can be allowed in several. */
enum serve_phase {
	SERVE_CONNECTED = 1, /* HELO or EHLO is to come */
	SERVE_GREETED = 2,   /* no transaction */
	SERVE_MAIL = 4,      /* a sender */
	SERVE_RECIPIENT = 8, /* a sender and recipients; DATA's content, too */
	SERVE_CHUNKS = 16,   /* behind the first BDAT */
	SERVE_TLS = 32,      /* the caller starts TLS */
	SERVE_CLOSING = 64,  /* CLOSE is to be told */
	SERVE_CLOSED = 128
};
#define SERVE_TRANSACTION (SERVE_MAIL | SERVE_RECIPIENT | SERVE_CHUNKS)

/* What the next octets of input are. */
enum serve_reading {
	SERVE_READ_COMMANDS,
	SERVE_READ_LONG_LINE, /* the rest of a line refused for its length */
	SERVE_READ_DATA,      /* content, up to CRLF.CRLF */
	SERVE_READ_CHUNK,     /* content, chunk_left octets */
	SERVE_READ_WASTE      /* a refused chunk, chunk_left octets */
};

enum serve_step {
	SERVE_EVENT, /* the event is set */
	SERVE_GO_ON, /* something was done; there may be more to do */
	SERVE_STUCK  /* more input, or the like, is needed */
};

/* Set the deadline; 0: none. */
void serve_wait(struct smtp_server *server, int64_t timeout_ms);
/* Write a reply; the next command may take command_timeout_ms. */
void serve_say(struct smtp_server *server, int code, const char *enhanced,
    const char *text);

/*
 * A command was nonsense or out of place: say so, or 421 where it is one too
 * many.  Always false: no event.
 */
bool serve_refuse(struct smtp_server *server, int code, const char *enhanced,
    const char *text);
/* As serve_refuse(), where nothing that follows can be trusted. */
bool serve_refuse_and_close(struct smtp_server *server, int code,
    const char *enhanced, const char *text);
/* Make event one that waits for an answer.  Always true. */
bool serve_ask(struct smtp_server *server, enum smtp_server_event_kind kind,
    struct smtp_server_event *event);

bool serve_in_transaction(const struct smtp_server *server);
void serve_end_transaction(struct smtp_server *server);
/* End the transaction, if any, by a RESET event. */
void serve_abandon_transaction(struct smtp_server *server);
bool serve_has_ended(const struct smtp_server *server);
/* why is copied, for CLOSE. */
void serve_end_session(struct smtp_server *server, const char *why);
