#include "lib/dns_server.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_SIZE 12
#define ROWS_MAX    32

enum type {
	TYPE_A = 1,
	TYPE_CNAME = 5,
	TYPE_AAAA = 28
};

enum code {
	CODE_OK = 0,
	CODE_SERVFAIL = 2,
	CODE_NXDOMAIN = 3
};

struct dns_server {
	int fd;
	pthread_t thread;
	char address[32];
	const struct dns_server_row *rows;
	atomic_int asked;
	int dropped[ROWS_MAX][2]; /* A, AAAA */
};

/* A message being written. */
struct answer {
	unsigned char octets[2048];
	size_t len;
	int count;
	char question[256];
};

static void
append(struct answer *answer, const void *data, size_t len)
{
	cr_assert_leq(answer->len + len, sizeof(answer->octets));
	memcpy(answer->octets + answer->len, data, len);
	answer->len += len;
}

static void
append_u16(struct answer *answer, unsigned value)
{
	uint16_t octets = htons((uint16_t)value);

	append(answer, &octets, sizeof(octets));
}

/* name as labels */
static void
append_name(struct answer *answer, const char *name)
{
	while (*name != '\0') {
		unsigned char len = (unsigned char)strcspn(name, ".");
		append(answer, &len, 1);
		append(answer, name, len);
		name += len;
		name += *name == '.';
	}
	append(answer, "", 1);
}

static void
append_record(struct answer *answer, const char *owner, enum type type,
    const void *data, size_t len)
{
	if (strcmp(owner, answer->question) == 0)
		append_u16(answer, 0xc000 | HEADER_SIZE);
	else
		append_name(answer, owner);
	append_u16(answer, type);
	append_u16(answer, 1); /* IN */
	append_u16(answer, 0); /* TTL */
	append_u16(answer, 0);
	append_u16(answer, (unsigned)len);
	append(answer, data, len);
	answer->count++;
}

static void
append_alias(struct answer *answer, const char *owner, const char *target)
{
	struct answer name = {.len = 0};

	append_name(&name, target);
	append_record(answer, owner, TYPE_CNAME, name.octets, name.len);
}

static void
append_addresses(struct answer *answer, const char *owner, enum type type,
    const char *const *addresses)
{
	unsigned char octets[16];
	bool is_a = type == TYPE_A;

	for (; *addresses != NULL; addresses++) {
		cr_assert_eq(
		    inet_pton(is_a ? AF_INET : AF_INET6, *addresses, octets),
		    1);
		append_record(answer, owner, type, octets, is_a ? 4 : 16);
	}
}

/* The labels at *at as text; *at moves to what follows. */
static void
read_name(const unsigned char *octets, size_t *at, char *out_name)
{
	size_t len = 0;

	while (octets[*at] != 0) {
		unsigned char label = octets[(*at)++];
		memcpy(out_name + len, octets + *at, label);
		*at += label;
		len += label;
		out_name[len++] = '.';
	}
	out_name[len > 0 ? len - 1 : 0] = '\0';
	(*at)++;
}

static const struct dns_server_row *
row_find(const struct dns_server *server, const char *name)
{
	for (const struct dns_server_row *row = server->rows; row->name != NULL;
	     row++) {
		if (strcasecmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}

static enum code
append_answers(struct dns_server *server, struct answer *answer,
    const char *name, enum type type)
{
	const struct dns_server_row *row = row_find(server, name);

	if (row == NULL)
		return CODE_NXDOMAIN;
	if (row->manner == DNS_SERVER_FAILS)
		return CODE_SERVFAIL;
	if (row->alias_of != NULL) {
		append_alias(answer, name, row->alias_of);
		return append_answers(server, answer, row->alias_of, type);
	}
	if (type == TYPE_A || type == TYPE_AAAA)
		append_addresses(
		    answer, name, type, type == TYPE_A ? row->a : row->aaaa);
	return CODE_OK;
}

static bool
is_kept_waiting(
    struct dns_server *server, const struct dns_server_row *row, enum type type)
{
	if (row == NULL || row->manner != DNS_SERVER_DROPS_FIRST)
		return row != NULL && row->manner == DNS_SERVER_IS_SILENT;
	return server->dropped[row - server->rows][type == TYPE_A]++ == 0;
}

static void
send_answer(struct dns_server *server, const struct answer *answer,
    const struct dns_server_row *row, const struct sockaddr_in *to)
{
	enum dns_server_manner manner =
	    row != NULL ? row->manner : DNS_SERVER_ANSWERS;
	struct answer other = *answer;
	size_t len = answer->len;

	if (manner == DNS_SERVER_LIES) {
		other.octets[0] ^= 0x55; /* its id */
		sendto(server->fd, other.octets, len, 0,
		    (const struct sockaddr *)to, sizeof(*to));
	}
	if (manner == DNS_SERVER_SAYS_GARBAGE)
		len = HEADER_SIZE + 3;
	sendto(server->fd, answer->octets, len, 0, (const struct sockaddr *)to,
	    sizeof(*to));
}

static void
reply(struct dns_server *server, const unsigned char *question,
    const struct sockaddr_in *from)
{
	struct answer answer = {.len = 0};
	size_t at = HEADER_SIZE;

	read_name(question, &at, answer.question);
	enum type type = (enum type)(question[at] << 8 | question[at + 1]);
	const struct dns_server_row *row = row_find(server, answer.question);
	server->asked++;
	if (is_kept_waiting(server, row, type))
		return;
	append(&answer, question, at + 4);
	memset(answer.octets + 6, 0, 6); /* counts */
	enum code code = append_answers(server, &answer, answer.question, type);
	answer.octets[2] = 0x81;
	answer.octets[3] = (unsigned char)(0x80 | code);
	answer.octets[7] = (unsigned char)answer.count;
	send_answer(server, &answer, row, from);
}

static void *
serve(void *ctx)
{
	struct dns_server *server = ctx;
	unsigned char question[2048];
	struct sockaddr_in from;

	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t count = recvfrom(server->fd, question, sizeof(question),
		    0, (struct sockaddr *)&from, &len);
		if (count < HEADER_SIZE)
			return NULL; /* told to stop */
		reply(server, question, &from);
	}
}

struct dns_server *
dns_server_new(const struct dns_server_row *rows)
{
	struct dns_server *server = memory_new(sizeof(*server));
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);

	server->rows = rows;
	server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(
	    bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	getsockname(server->fd, (struct sockaddr *)&address, &len);
	snprintf(server->address, sizeof(server->address), "127.0.0.1:%u",
	    (unsigned)ntohs(address.sin_port));
	cr_assert_eq(pthread_create(&server->thread, NULL, serve, server), 0);
	return server;
}

void
dns_server_free(struct dns_server *server)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	getsockname(server->fd, (struct sockaddr *)&address, &len);
	sendto(server->fd, "stop", 4, 0, (struct sockaddr *)&address, len);
	pthread_join(server->thread, NULL);
	close(server->fd);
	free(server);
}

const char *
dns_server_address(const struct dns_server *server)
{
	return server->address;
}

int
dns_server_asked(struct dns_server *server)
{
	return server->asked;
}
