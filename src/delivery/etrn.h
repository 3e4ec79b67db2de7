/*
 * ETRN (RFC 1985): asking servers to send what they hold for our domains.  The
 * plan (which node is due when, what a reply means) is pure and the hub's; the
 * session is run by a worker.
 *
 *   250 252      success           253 n          success, n messages
 *   251          success, nothing waits
 *   458          again soon, and no failure where it is "already" under way
 *   459          again after hours, and an alert
 *   500 501 502 504 55x            off until reload, and an alert
 *   530 534 535 538, all other codes, no reply    again soon
 */
#pragma once

#include "delivery/attempt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the plan: one for each node ---- */

enum etrn_state {
	ETRN_IDLE,    /* due at next_at */
	ETRN_RUNNING, /* set by who starts the session */
	ETRN_OFF      /* refused for good: off until reload */
};

struct etrn_node {
	const char *node; /* "x.example", "@x.example", "#queue"; borrowed */
	enum etrn_state state;
	int64_t next_at;         /* monotonic ms */
	int64_t last_success_at; /* wall clock ms; 0: never */
	unsigned failures;       /* in a row */
	unsigned long count;     /* of the newest 253 */
	int last_code;           /* 0: no reply, or none yet */
	char last_reply[512];    /* with its code; one line of printable text */
	bool alert; /* say this once, loudly: set by etrn_node_reply() */
};

struct etrn_timing {
	int64_t every_ms;
	int64_t jitter_ms; /* either way */
};

/* Due at once. */
void etrn_node_init(struct etrn_node *node, const char *name);
/* What the reply to ETRN for this node means, see above.  text is the reply's
 * without its code; code 0: no reply (EOF, time-out, upstream failure), and
 * text says why.  random: any 32 bits. */
void etrn_node_reply(struct etrn_node *node, const struct etrn_timing *timing,
    int code, const char *text, int64_t now, int64_t now_wall, uint32_t random);

/* ---- the session ---- */

/*
 * Told once for each node, in order, then with node_index == count, code 0 and
 * text why the session ended ("" when all went well); then nothing was asked
 * for the nodes that were not told of.  text is borrowed.
 */
typedef void etrn_fn(size_t node_index, int code, const char *text, void *ctx);

/* One session with options[upstream] of delivery for all nodes; names are
 * borrowed until the last call of fn. */
void etrn_session_start(struct delivery *delivery, unsigned upstream,
    const char *const *nodes, size_t count, etrn_fn *fn, void *ctx);
