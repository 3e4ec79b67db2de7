/* A name server of a few names, on UDP and a thread of its own. */
#pragma once

#include <stdbool.h>

enum dns_server_manner {
	DNS_SERVER_ANSWERS,
	DNS_SERVER_FAILS,        /* SERVFAIL */
	DNS_SERVER_IS_SILENT,    /* for ever */
	DNS_SERVER_DROPS_FIRST,  /* of each type */
	DNS_SERVER_SAYS_GARBAGE, /* half an answer */
	DNS_SERVER_LIES          /* first an answer to another question */
};

/* A name with no addresses at all is there, but empty.  Names that are in no
 * row do not exist. */
struct dns_server_row {
	const char *name;
	enum dns_server_manner manner;
	const char *alias_of; /* CNAME, or NULL */
	const char *a[24];
	const char *aaaa[24];
};

struct dns_server;

/* rows end with a NULL name; borrowed until the server is freed. */
struct dns_server *dns_server_new(const struct dns_server_row *rows);
void dns_server_free(struct dns_server *server);
/* "127.0.0.1:5353" */
const char *dns_server_address(const struct dns_server *server);
/* Questions asked so far. */
int dns_server_asked(struct dns_server *server);
