/*
 * The admin socket: HTTP/1.1 and JSON on a unix socket, resources from a table.
 *
 * Who calls is known by SO_PEERCRED.  root and the daemon's own user may do
 * everything; writers may read and change; readers may read; anybody else gets
 * only what a resource of CONTROL_ANYONE shows him (his own messages).
 *
 * This file knows HTTP, JSON and who may call; what the resources mean is
 * src/daemon/resources.c.  jansson is not seen through this header.
 * One request for each connection.
 *
 * The resources (keys that are not listed do not exist; times "…_at" are RFC
 * 3339 texts in UTC or null; "…_ms" are lengths of time; sizes are octets):
 *
 * GET /v1/status (readers): one object
 *   version, pid, state ("running", "draining"), started_at, uptime_ms,
 *   queue: {waiting, in_flight, settling, held, messages, bytes},
 *   counters: {accepted, delivered, deferred, bounced, duplicates_possible,
 *     rejected, drop_taken, drop_failed},
 *   upstreams: [{name, transport, state ("ok", "down", "untried"), reason,
 *     next_try_at, in_flight}],
 *   etrn: [{host, node, state ("ok", "waiting", "off"), last_reply,
 *     last_success_at, failures, count, next_at}],
 *   listeners: ["/run/postrider/smtp.sock", "127.0.0.1:25"], warnings: [text]
 *
 * GET /v1/queue?limit=&after=&state= (anyone; own messages): JSON Lines
 *   queue_name ("incoming", "active", "deferred", "hold"), queue_id,
 *   arrival_time (seconds since 1970), message_size, forced_expire (false),
 *   sender, recipients: [{address, delay_reason}] (those that wait): so far as
 *   postqueue -j;
 *   state ("waiting", "in_flight", "settling", "held"), attempts, next_at, uid
 *   (number or null), route (the upstream tried last, or null)
 *
 * GET /v1/queue/ID (anyone; own): one object, the keys of above and
 *   arrived_at, envelope_id, client, attempted_at, in_doubt, header (text),
 *   history: [{address, state ("waiting", "delivered", "failed"), status,
 *     reason, upstream}] (all recipients)
 *
 * GET /v1/queue/ID/content (anyone; own): the message, message/rfc822
 *
 * GET /v1/mailq?limit=&after=&state= (anyone; own): text/plain, the layout of
 *   mailq_text.h
 *
 * POST /v1/queue/retry, hold, release, remove (writers):
 *   {"ids": [text]} or {"all": true} or {"domain": text} -> {"matched": n}
 * POST /v1/flush (anyone, as sendmail -q): {} or {"domain": text}
 *   -> {"matched": n}
 * POST /v1/etrn (writers): {} or {"node": text} -> {"started": [text]}
 *
 * Errors: a status of 400 and more, with {"error": "one line of text"}.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "control/json_writer.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct control_server;
struct control_request;

/* What the caller must be. */
enum control_access {
	CONTROL_ANYONE, /* the resource looks at control_request_can_read() */
	CONTROL_READER,
	CONTROL_WRITER
};

/*
 * Answer request: now, or later in the loop.  Exactly one of control_reply(),
 * control_fail() and control_stream() ends it for the resource, unless its
 * cancel function was called before.
 */
typedef void control_fn(struct control_request *request, void *ctx);

/* path: "/v1/queue/:id/content"; ":name" stands for one part, which the
 * resource reads with control_request_part().  First match. */
struct control_resource {
	const char *method; /* "GET" or "POST" */
	const char *path;
	enum control_access access;
	control_fn *fn;
};

struct control_server_options {
	const struct control_resource *resources; /* borrowed */
	size_t resource_count;
	void *ctx; /* given to every resource */
	/* Names of groups or users, resolved in control_server_new(): the only
	 * place that looks a name up. */
	char *const *readers;
	size_t reader_count;
	char *const *writers;
	size_t writer_count;
};

/*
 * fd: a listening unix socket, mode 0666 (access is checked here); borrowed, so
 * that it can be handed on at a re-execution.  A listener that owns it must be
 * paused: the server accepts by itself.
 *
 * An unknown name among readers or writers is appended to warnings, a line
 * each, and counts as nobody: a package that makes a group may come later.
 *
 * ceilings: 16 connections at once for each user but root and our own, 8 KiB of
 * request header, 1 MiB of body, 30 s for the request, 10 min without any
 * progress of a stream.
 */
bool control_server_new(struct loop *loop, int fd,
    const struct control_server_options *options, struct buffer *warnings,
    struct control_server **out_server, struct error *error) MUST_USE;
/* Requests still open are cancelled, and their connections closed. */
void control_server_free(struct control_server *server);

/* ---- what was asked; all views last as long as the request ---- */

uid_t control_request_uid(const struct control_request *request);
bool control_request_can_read(const struct control_request *request);
bool control_request_can_write(const struct control_request *request);
/* May the caller see what belongs to uid? */
bool control_request_owns(const struct control_request *request, uint32_t uid);
/* What stood for the ":name" of the path, decoded; empty without one. */
struct bytes control_request_part(const struct control_request *request);
/* A parameter of the query, decoded; NULL where it is not there. */
const char *control_request_query(
    const struct control_request *request, const char *name);
/*
 * The body, one JSON object or nothing.  The text of a member, NULL where it is
 * not there; an object with another type for it has been answered with 400 when
 * false is returned, and the request is over.
 */
bool control_request_text(struct control_request *request, const char *key,
    const char **out_text) MUST_USE;
/* As above: a boolean, false where it is not there. */
bool control_request_bool(
    struct control_request *request, const char *key, bool *out_value) MUST_USE;
/*
 * As above: an array of texts.  out_texts is NULL where it is not there; the
 * array is the request's, and lasts until the next call of this function.
 */
bool control_request_texts(struct control_request *request, const char *key,
    const char *const **out_texts, size_t *out_count) MUST_USE;

/* ---- the answer ---- */

/*
 * Called once when the caller has gone before the answer (or the server is
 * freed): ctx is the resource's, and request is gone when fn returns.
 */
typedef void control_cancel_fn(void *ctx);
void control_on_cancel(
    struct control_request *request, control_cancel_fn *fn, void *ctx);

/* The answer's object, open: write its members. */
struct json_writer *control_request_json(struct control_request *request);
/* 200 with what was written to control_request_json(). */
void control_reply(struct control_request *request);
/* {"error": "…"}, printf-like. */
void control_fail(struct control_request *request, int status,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

enum control_more {
	CONTROL_MORE_FOLLOWS,
	CONTROL_MORE_LAST, /* that was the last piece */
	CONTROL_MORE_CUT   /* the rest cannot be had: the caller sees an answer
			      without an end */
};
/*
 * Append the next piece, some 64 KiB (at most 64 MiB, or the answer is cut
 * off), to out, which is empty.  Called again only when what came before has
 * been taken by the caller.
 */
typedef enum control_more control_more_fn(struct buffer *out, void *ctx);
#define CONTROL_PIECE_SIZE ((size_t)64 * 1024)
/*
 * A body of unknown length: fn is called until it is done.  end is called once
 * in any case, also when the caller goes midway, in place of the cancel
 * function; it releases ctx.
 */
void control_stream(struct control_request *request, const char *content_type,
    control_more_fn *fn, control_cancel_fn *end, void *ctx);
