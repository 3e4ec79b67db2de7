/*
 * A conn from the inside: what its socket, its deadline and the next turn of
 * the loop bring.  For conn.c alone, which holds what its owner may do.
 */
#pragma once

#include "net/conn.h"
#include "net/tls_stream.h"

#include <event2/event_struct.h>

enum conn_state {
	CONN_STATE_CONNECTING,
	CONN_STATE_SECURING, /* TLS handshake */
	CONN_STATE_OPEN,
	CONN_STATE_FINISHING, /* the last output, nobody is told any more */
	CONN_STATE_LINGERING, /* our end is sent; input is thrown away until the
				 peer's */
	CONN_STATE_FAILED,
	CONN_STATE_CLOSED /* memory alone, until the next turn */
};

/* What the next turn has to do. */
#define CONN_DUE_OPENED    1U
#define CONN_DUE_HANDSHAKE 2U
#define CONN_DUE_READ      4U
#define CONN_DUE_DRAINED   8U
#define CONN_DUE_FAILED    16U

struct conn {
	struct loop *loop;
	enum conn_state state;
	int fd; /* owned; -1: none was had */
	conn_fn *fn;
	void *ctx;

	/* Interest is taken back only when an event comes that nobody wants:
	 * a session that pauses for a verdict costs no system call. */
	struct event read_event;
	struct event write_event;
	bool is_watching_read;
	bool is_watching_write;
	bool is_crossed; /* TLS: what waits is not of the event's direction */

	struct buffer input;
	struct buffer output;
	bool has_ended;  /* CONN_EOF was told */
	unsigned pauses; /* CONN_PAUSE_... */

	struct tls_stream *stream; /* owned; NULL: plain */
	struct loop_timer timer;
	struct loop_task task;
	unsigned due; /* CONN_DUE_... */

	struct peer peer;
	char *target; /* owned; where to, of an opened one */
	struct error error;
};

/* The fields loop, fd, fn and ctx are set. */
void conn_events_init(struct conn *conn);
/* Nothing more will come, but the release of memory in the next turn. */
void conn_events_stop(struct conn *conn);

void conn_events_watch_read(struct conn *conn, bool wanted);
void conn_events_watch_write(struct conn *conn, bool wanted);
/* CONN_DUE_... is done in the next turn. */
void conn_events_do_later(struct conn *conn, unsigned due);
/* Write what is in the output. */
void conn_events_transmit(struct conn *conn);
/* What has arrived, if reading is possible. */
void conn_events_read_now(struct conn *conn);
/* Reading is possible again, perhaps. */
void conn_events_read_on(struct conn *conn);
/* CONN_STATE_FINISHING: write the rest of the output, then close. */
void conn_events_finish(struct conn *conn);
