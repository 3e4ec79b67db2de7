/*
 * One TLS connection over a socket: handshake, bytes in and out.  Answers as
 * stream does; only conn uses it.
 *
 * A FIN without close_notify is an orderly end: SMTP frames itself, so whoever
 * reads knows whether a reply was complete (threats: I13).  What a peer may
 * make us work without handing over data (handshakes, key updates, tickets,
 * records of one octet) has a budget.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "net/stream.h"
#include "net/tls.h"
#include "net/tls_facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_stream;

/*
 * context and fd are borrowed.  name: what the server's certificate must carry
 * and the SNI; NULL: we are the server.  Null, with error set, where name can
 * be no name.
 */
struct tls_stream *tls_stream_new(struct tls_context *context, int fd,
    const char *name, int64_t wall_ms, struct error *error);
/* Sends nothing; see tls_stream_end(). */
void tls_stream_free(struct tls_stream *stream);

/* STREAM_MOVED: done and, where asked for, verified; STREAM_FAILED is
 * ERROR_TLS. */
enum stream_result tls_stream_handshake(
    struct tls_stream *stream, struct error *error);
/* As stream_read(). */
enum stream_result tls_stream_read(
    struct tls_stream *stream, struct buffer *buffer, struct error *error);
/* As stream_write(). */
enum stream_result tls_stream_write(
    struct tls_stream *stream, struct buffer *buffer, struct error *error);
/* Octets have been taken from the socket that tls_stream_read() has yet to
 * hand over: the socket need not become readable again. */
bool tls_stream_has_pending(const struct tls_stream *stream);
/* Send close_notify if that is possible at once. */
void tls_stream_end(struct tls_stream *stream);

/* NULL before the handshake is done. */
const struct tls_summary *tls_stream_summary(const struct tls_stream *stream);
/* See conn_tls_facts(). */
bool tls_stream_facts(const struct tls_stream *stream, const char *ca,
    struct tls_facts *out_facts);
/* See conn_channel_binding(). */
size_t tls_stream_channel_binding(struct tls_stream *stream, char *out_data,
    size_t capacity, const char **out_type);

/* ---- for tls.c, which makes the contexts ---- */

struct bio_method_st;
struct ssl_st;
struct ssl_session_st;

/* The socket as OpenSSL sees it: no SIGPIPE, counted. Free with
 * BIO_meth_free(). */
struct bio_method_st *tls_stream_socket_method(void);
/* SSL_CTX_sess_set_new_cb(). */
int tls_stream_keep_session(struct ssl_st *ssl, struct ssl_session_st *session);
