/* The owner of a conn in a test: keeps what it is told, and what it read. */
#pragma once

#include "base/buffer.h"
#include "net/conn.h"

#include <stdbool.h>

struct conn_probe {
	struct loop *loop;
	struct conn *conn; /* NULL: closed */
	int counts[CONN_TIMEOUT + 1];
	enum conn_event last;
	/* When told this, close; -1: never. */
	int close_at;
	bool keeps_input;   /* do not consume what comes */
	struct buffer read; /* what was consumed */
	struct error error; /* copied at CONN_FAILED */
	/* Called after all that, unless conn was closed; or NULL. */
	conn_fn *then;
	void *then_ctx;
};

void conn_probe_init(struct conn_probe *probe, struct loop *loop);
/* Closes conn where it is open. */
void conn_probe_clear(struct conn_probe *probe);
/* The conn's fn; ctx is the probe. */
void conn_probe_told(struct conn *conn, enum conn_event event, void *ctx);
/* Take fd. */
void conn_probe_accept(struct conn_probe *probe, int fd);
/* Append and flush. */
void conn_probe_send(struct conn_probe *probe, const char *text);
/* Run the loop until event was told count times. */
void conn_probe_until(
    struct conn_probe *probe, enum conn_event event, int count);
/* Run the loop until so many octets were consumed. */
void conn_probe_until_read(struct conn_probe *probe, size_t len);
/* Consume what is there by hand. */
void conn_probe_take(struct conn_probe *probe);

/* Two connected ends on the loopback interface. */
void tcp_pair(int *out_a, int *out_b);
/* A listening socket there, with its address. */
int tcp_listen(struct sockaddr_storage *out_address, socklen_t *out_len);

/* A conn on one end, the bare socket on the other. */
struct conn_ends {
	struct loop *loop;
	struct conn_probe probe;
	int other; /* -1: closed */
	int descriptors;
};

void conn_ends_init(struct conn_ends *ends, bool is_tcp);
/* Every test ends here: no descriptor may be left open. */
void conn_ends_clear(struct conn_ends *ends);
void conn_ends_close_other(struct conn_ends *ends);
/* Close it with a RST. */
void conn_ends_reset_other(struct conn_ends *ends);
/* The bare socket writes text. */
void conn_ends_say(struct conn_ends *ends, const char *text);
/* It reads text. */
void conn_ends_expect_heard(struct conn_ends *ends, const char *text);
void conn_probe_expect_read(const struct conn_probe *probe, const char *text);
