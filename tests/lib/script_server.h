/*
 * An SMTP server that follows a script, in a thread of its own: for the
 * blocking face of the library, and for servers that are hostile to the octet.
 *
 *   S:text   say text and CRLF; \r \n \0 \xNN in it are octets
 *   R:text   the same without CRLF
 *   C:text   read a line; it must begin with text
 *   D        read content up to CRLF.CRLF
 *   Bn       read n octets
 *   T        TLS handshake
 *   X        close
 *   Z        reset the connection
 *   H        say nothing until the client closes
 *
 * Lines end in LF.  After the last one everything is read until the client
 * closes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct script_server;

struct script_options {
	const char *certificate; /* chain and key, for T; or NULL */
	const char *socket;      /* path to listen on; NULL: 127.0.0.1 */
	/* The connection ends once so many octets were said or read; 0: not. */
	size_t says_max;
	size_t reads_max;
	bool is_cut; /* on its way: lines may end anywhere */
	/* Faults of the client that are none here, see wire_watch.h; closing
	 * without QUIT never is. */
	unsigned allowed;
	/* What the client says, and when, is judged as well as its form: not
	 * where the test leads the session itself, command by command. */
	bool is_strict;
};

/* script and options are borrowed; options may be NULL. */
struct script_server *script_server_new(
    const char *script, const struct script_options *options);
/* "127.0.0.1:2525", or the path. */
const char *script_server_host(const struct script_server *server);
/* Wait until the connection is over.  What was read, a string; borrowed.  The
 * test fails where a line was not as scripted, unless lines were cut, and where
 * the client did what none may do. */
const char *script_server_join(struct script_server *server);
size_t script_server_said(const struct script_server *server);
size_t script_server_heard(const struct script_server *server);
/* Joins. */
void script_server_free(struct script_server *server);
