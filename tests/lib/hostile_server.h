/*
 * An SMTP server that is as good as can be but for one act, in a thread of its
 * own.  An act is what it says, and does then, at one stage of the session
 * instead of the usual; hostile_acts.h has a table of them.
 *
 * Connections are served one after the other.  All that is heard goes through
 * a wire_watch.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

struct ssl_ctx_st;

enum hostile_stage {
	HOSTILE_GREETING,
	HOSTILE_CLEAR_EHLO, /* the one before STARTTLS */
	HOSTILE_EHLO,
	HOSTILE_HELO,
	HOSTILE_STARTTLS,
	HOSTILE_HANDSHAKE, /* the usual: what a TLS server does */
	HOSTILE_AUTH,      /* and each response to a challenge */
	HOSTILE_CANCEL,    /* the "*" of AUTH */
	HOSTILE_MAIL,
	HOSTILE_RCPT,
	HOSTILE_DATA,
	HOSTILE_CONTENT, /* the first lines of it were read; also BDAT */
	HOSTILE_END,
	HOSTILE_RSET,
	HOSTILE_OTHER,
	HOSTILE_QUIT,
	HOSTILE_STAGE_COUNT
};

#define HOSTILE_BIT(stage) (1U << (stage))

enum hostile_then {
	HOSTILE_GO_ON,
	HOSTILE_CLOSE,  /* within TLS without close_notify */
	HOSTILE_NOTIFY, /* with close_notify, where there is TLS */
	HOSTILE_RESET,
	HOSTILE_HANG,
	HOSTILE_DRIP, /* an octet now and then */
	/* Throw away the commands that came with this one, and hang; or reset.
	 * Where none did it goes on. */
	HOSTILE_FLUSH,
	HOSTILE_SHY
};

/* What the client must make of it. */
enum hostile_expect {
	HOSTILE_FINE,     /* the mail is taken */
	HOSTILE_FINE_CUT, /* and the connection gone behind it */
	HOSTILE_NONSENSE, /* told as such, at just this stage; closed */
	HOSTILE_DESYNC,   /* the same, at this stage or the next */
	HOSTILE_CUT_OFF,
	HOSTILE_LATE,
	HOSTILE_REFUSED, /* by code */
	HOSTILE_SHUT,    /* the same, and the connection is closed */
	HOSTILE_BAD_TLS,
	HOSTILE_MISSING /* what we need is not offered */
};

struct hostile_act {
	const char *name;
	const char *threat; /* "I1" */
	unsigned stages;    /* bits: where it makes sense */
	unsigned channels;
	/* Instead of the usual, so often (0: once); NULL data: the usual. */
	struct bytes says;
	unsigned times;
	struct bytes more; /* behind it */
	enum hostile_then then;
	unsigned nth;         /* time the stage is come to; 0: each */
	const char *keywords; /* of EHLO, LF between; NULL: those of options */
	enum hostile_expect expects;
	int code; /* of REFUSED and SHUT */
};

enum hostile_channel {
	HOSTILE_PLAIN,
	HOSTILE_TLS_STARTED,
	HOSTILE_TLS_IMPLICIT,
	HOSTILE_CHANNEL_COUNT
};

struct hostile_options {
	const struct hostile_act *act; /* or NULL */
	enum hostile_stage stage;
	enum hostile_channel channel;
	const char *certificate; /* chain and key; NULL: none */
	const char *keywords;    /* of EHLO, LF between */
	bool refuses_mail;       /* 550, so that the client says RSET */
	bool is_good_later;      /* the act is for the first connection alone */
	unsigned allowed;        /* faults: see wire_watch.h */
	void (*configure)(struct ssl_ctx_st *ssl_ctx); /* or NULL */
};

struct hostile_server;

/* Borrows what options point to. */
struct hostile_server *hostile_server_new(
    const struct hostile_options *options);
/* "127.0.0.1:2525" */
const char *hostile_server_host(const struct hostile_server *server);
/* The client has closed and will not come again.  What follows is to be asked
 * only after it. */
void hostile_server_join(struct hostile_server *server);
/* Joins. */
void hostile_server_free(struct hostile_server *server);

/* What the client wrote before any handshake, as it is on the wire, and all
 * that it wrote, decrypted; the first 256 KiB of it. */
struct bytes hostile_server_clear(const struct hostile_server *server);
struct bytes hostile_server_heard(const struct hostile_server *server);
/* The contents as they came, dots and all; chunks without their commands. */
struct bytes hostile_server_content(const struct hostile_server *server);
unsigned hostile_server_connections(const struct hostile_server *server);
/* Contents that were read to their end, and those answered by a whole 2yz. */
unsigned hostile_server_ends(const struct hostile_server *server);
unsigned hostile_server_taken(const struct hostile_server *server);
unsigned hostile_server_handshakes(const struct hostile_server *server);
/* Faults of the client: wire_watch_text(). */
const char *hostile_server_faults(const struct hostile_server *server);
