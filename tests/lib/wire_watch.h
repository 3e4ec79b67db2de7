/*
 * Looks on at a session, in clear, and notes what no SMTP client may do.
 *
 * It is told what either side writes, in the order on the wire, and matches the
 * n-th reply to the n-th command.  Where the server speaks nonsense it judges
 * only the form of what the client writes, no more its order.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

enum wire_fault {
	WIRE_BARE_NEWLINE,    /* a CR or LF alone, or NUL in a command */
	WIRE_UNSTUFFED_DOT,   /* ".x" in content */
	WIRE_LONG_LINE,       /* content: over 998 octets and CRLF */
	WIRE_LONG_COMMAND,    /* over 512 octets and what extensions allow */
	WIRE_OUT_OF_TURN,     /* before a reply that must be waited for */
	WIRE_BEHIND_REFUSAL,  /* a command, or content, that it forbids */
	WIRE_NOT_OFFERED,     /* a parameter or command */
	WIRE_UNDECLARED_8BIT, /* content */
	WIRE_NO_QUIT,         /* closed though nothing was amiss */
	WIRE_FAULT_COUNT
};

#define WIRE_FAULT_BIT(fault) (1U << (fault))

struct wire_watch;

/* allowed: bits of faults that are none here. */
struct wire_watch *wire_watch_new(unsigned allowed);
void wire_watch_free(struct wire_watch *watch);

/* The client wrote octets, in any pieces. */
void wire_watch_sent(struct wire_watch *watch, struct bytes octets);
/* The server did; before the client can have read them. */
void wire_watch_said(struct wire_watch *watch, struct bytes octets);
/* A TLS handshake was finished: all begins anew. */
void wire_watch_secured(struct wire_watch *watch);
void wire_watch_closed(struct wire_watch *watch, bool by_client);

/* Bits of what was noted. */
unsigned wire_watch_faults(const struct wire_watch *watch);
/* A line for each, "behind a refusal: DATA"; to be freed. */
char *wire_watch_text(const struct wire_watch *watch);
