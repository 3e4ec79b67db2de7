/* A certificate authority made at run time, good and bad certificates from it,
 * all in a folder of their own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct tls_authority;

struct tls_authority_order {
	const char *common_name;
	const char *names; /* as openssl writes them: "DNS:a,IP:::1"; or NULL */
	size_t raw_name_len; /* not 0: one DNS name, of so many octets */
	int from_days;       /* relative to now */
	int to_days;
	bool self_signed;
	const char *usage;      /* extendedKeyUsage: "clientAuth"; or NULL */
	int depth;              /* intermediate authorities in the chain */
	int copies;             /* of useless certificates behind the chain */
	size_t common_name_len; /* in octets, NUL too; 0: it is a string */
};

struct tls_authority *tls_authority_new(void);
/* Removes the folder. */
void tls_authority_free(struct tls_authority *authority);
/* The file of the authority's own certificate. */
const char *tls_authority_path(const struct tls_authority *authority);
/* A file with a chain and its key; valid until the next free. */
const char *tls_authority_issue(
    struct tls_authority *authority, const struct tls_authority_order *order);
/* A good one for names. */
const char *tls_authority_issue_for(
    struct tls_authority *authority, const char *names);
/* A file with a key, encrypted where passphrase is not NULL. */
const char *tls_authority_key(
    struct tls_authority *authority, const char *passphrase);
/* In the folder, not made. */
const char *tls_authority_nowhere(struct tls_authority *authority);
