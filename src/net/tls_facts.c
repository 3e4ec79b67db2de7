#include "net/tls_facts.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "net/tls_context.h"
#include "net/tls_error.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#define TEXT_MAX ((size_t)16 * 1024)

/* One line, "CN = a, O = b", what is no ASCII escaped. */
static char *
copy_name(const X509_NAME *name)
{
	BIO *bio = memory_given(BIO_new(BIO_s_mem()));
	char *data = NULL;

	(void)X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE);
	const long len = BIO_get_mem_data(bio, &data);
	char *copy =
	    memory_copy(bytes_first(bytes_make(data, (size_t)len), TEXT_MAX));
	BIO_free(bio);
	return copy;
}

static char *
copy_names(const X509 *certificate)
{
	struct buffer names;

	buffer_init(&names, TEXT_MAX);
	(void)tls_error_names(&names, certificate); /* none is "" */
	char *copy = buffer_to_text(&names);
	buffer_clear(&names);
	return copy;
}

static int64_t
seconds_of(const ASN1_TIME *at)
{
	struct tm date;

	return ASN1_TIME_to_tm(at, &date) == 1 ? (int64_t)timegm(&date) : 0;
}

/* ---- would we believe it? ---- */

/* False: name is neither an address nor a host. */
static bool
expect(X509_STORE_CTX *verification, const char *name)
{
	X509_VERIFY_PARAM *wanted = X509_STORE_CTX_get0_param(verification);

	return X509_VERIFY_PARAM_set_purpose(wanted, X509_PURPOSE_SSL_SERVER) ==
	    1 &&
	    (name == NULL || tls_context_expect_name(wanted, name, true) ||
		tls_context_expect_name(wanted, name, false));
}

/* Append why not; nothing where it is good. */
static void
append_problem(
    struct buffer *problem, const SSL *ssl, const char *name, X509_STORE *store)
{
	X509_STORE_CTX *verification = X509_STORE_CTX_new();

	if (verification == NULL ||
	    X509_STORE_CTX_init(verification, store,
		SSL_get0_peer_certificate(ssl),
		SSL_get_peer_cert_chain(ssl)) != 1)
		abort(); /* out of memory */
	if (!expect(verification, name))
		buffer_printf(
		    problem, "no certificate can be for \"%s\"", name);
	else if (X509_verify_cert(verification) != 1)
		tls_error_of_certificate(problem, verification, name);
	X509_STORE_CTX_free(verification);
}

static char *
find_problem(const SSL *ssl, const char *ca, const char *name)
{
	X509_STORE *store = X509_STORE_new();
	struct buffer problem;
	struct error error;

	if (store == NULL)
		abort(); /* out of memory */
	buffer_init(&problem, TEXT_MAX);
	if (tls_context_authorities(store, ca, &error))
		append_problem(&problem, ssl, name, store);
	else
		buffer_append_text(&problem, error_text(&error));
	char *copy = buffer_to_text(&problem);
	buffer_clear(&problem);
	X509_STORE_free(store);
	ERR_clear_error();
	return copy;
}

/* ---- all of it ---- */

void
tls_facts_of(const struct ssl_st *ssl, const char *ca, const char *name,
    struct tls_facts *out_facts)
{
	const X509 *certificate = SSL_get0_peer_certificate(ssl);

	*out_facts = (struct tls_facts){
	    .version = memory_copy_text(SSL_get_version(ssl)),
	    .cipher = memory_copy_text(SSL_get_cipher_name(ssl)),
	};
	if (certificate == NULL) {
		out_facts->subject = memory_copy_text("");
		out_facts->issuer = memory_copy_text("");
		out_facts->names = memory_copy_text("");
		out_facts->problem = memory_copy_text("no certificate");
		return;
	}
	out_facts->subject = copy_name(X509_get_subject_name(certificate));
	out_facts->issuer = copy_name(X509_get_issuer_name(certificate));
	out_facts->names = copy_names(certificate);
	out_facts->not_before = seconds_of(X509_get0_notBefore(certificate));
	out_facts->not_after = seconds_of(X509_get0_notAfter(certificate));
	out_facts->problem = find_problem(ssl, ca, name);
	out_facts->is_trusted = out_facts->problem[0] == '\0';
}

void
tls_facts_clear(struct tls_facts *facts)
{
	free(facts->version);
	free(facts->cipher);
	free(facts->subject);
	free(facts->issuer);
	free(facts->names);
	free(facts->problem);
	*facts = (struct tls_facts){0};
}
