#include "net/tls.h"

#include "base/memory.h"
#include "net/tls_context.h"
#include "net/tls_error.h"
#include "net/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Certificates between the server's and the root; real chains have 1 to 3. */
#define CHAIN_DEPTH_MAX 10

static void
abort_without_openssl(void)
{
	ERR_print_errors_fp(stderr);
	abort();
}

/* OpenSSL would ask at the terminal. */
static int
no_passphrase(char *text, int size, int is_writing, void *ctx)
{
	(void)text;
	(void)size;
	(void)is_writing;
	(void)ctx;
	return -1;
}

/* Takes ssl_ctx. */
static struct tls_context *
context_new(SSL_CTX *ssl_ctx)
{
	struct tls_context *context = memory_new(sizeof(*context));

	if (ssl_ctx == NULL)
		abort_without_openssl();
	context->ssl_ctx = ssl_ctx;
	context->method = tls_stream_socket_method();
	if (context->method == NULL)
		abort_without_openssl();
	return context;
}

/* What client and server have in common; see also tls_stream_new(). */
static void
set_policy(SSL_CTX *ssl_ctx, int version_min)
{
	SSL_CTX_set_min_proto_version(
	    ssl_ctx, version_min >= 13 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_default_passwd_cb(ssl_ctx, no_passphrase);
	SSL_CTX_set_verify_depth(ssl_ctx, CHAIN_DEPTH_MAX);
}

static bool
file_failed(const char *what, const char *path, struct error *error)
{
	struct stat status;

	if (stat(path, &status) != 0) {
		ERR_clear_error();
		return error_set(error, ERROR_CONFIG, "%s %s: %s", what, path,
		    strerror(errno));
	}
	return error_set(
	    error, ERROR_CONFIG, "%s %s: %s", what, path, tls_error_reason());
}

static bool
is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool
tls_context_authorities(X509_STORE *store, const char *ca, struct error *error)
{
	int loaded;

	ERR_clear_error();
	if (ca == NULL || strcmp(ca, "system") == 0)
		loaded = X509_STORE_set_default_paths(store);
	else if (is_directory(ca))
		loaded = X509_STORE_load_path(store, ca);
	else
		loaded = X509_STORE_load_file(store, ca);
	return loaded == 1 ||
	    file_failed("authorities", ca != NULL ? ca : "system", error);
}

static bool
load_certificate(SSL_CTX *ssl_ctx, const char *certificate, const char *key,
    struct error *error)
{
	if (key == NULL)
		key = certificate;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ssl_ctx, certificate) != 1)
		return file_failed("certificate", certificate, error);
	/* Fails, too, where it is another certificate's key. */
	if (SSL_CTX_use_PrivateKey_file(ssl_ctx, key, SSL_FILETYPE_PEM) != 1)
		return file_failed("key", key, error);
	return true;
}

bool
tls_context_expect_name(
    X509_VERIFY_PARAM *wanted, const char *name, bool is_address)
{
	X509_VERIFY_PARAM_set_hostflags(wanted,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
		X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return is_address ? X509_VERIFY_PARAM_set1_ip_asc(wanted, name) == 1
			  : X509_VERIFY_PARAM_set1_host(wanted, name, 0) == 1;
}

static bool
configure_client(struct tls_context *context,
    const struct tls_client_options *options, struct error *error)
{
	SSL_CTX *ssl_ctx = context->ssl_ctx;
	bool verifies = options->verify != TLS_VERIFY_OFF;

	set_policy(ssl_ctx, options->version_min);
	SSL_CTX_set_verify(
	    ssl_ctx, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	context->checks_name = options->verify == TLS_VERIFY_FULL;
	context->resumes = verifies;
	SSL_CTX_set_session_cache_mode(ssl_ctx,
	    verifies ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
		     : SSL_SESS_CACHE_OFF);
	SSL_CTX_sess_set_new_cb(ssl_ctx, tls_stream_keep_session);
	if (verifies &&
	    !tls_context_authorities(
		SSL_CTX_get_cert_store(ssl_ctx), options->ca, error))
		return false;
	return options->certificate == NULL ||
	    load_certificate(
		ssl_ctx, options->certificate, options->key, error);
}

bool
tls_client_new(const struct tls_client_options *options,
    struct tls_context **out_context, struct error *error)
{
	struct tls_context *context =
	    context_new(SSL_CTX_new(TLS_client_method()));

	if (!configure_client(context, options, error)) {
		tls_context_free(context);
		return false;
	}
	*out_context = context;
	return true;
}

bool
tls_server_new(const char *certificate, const char *key,
    struct tls_context **out_context, struct error *error)
{
	static const unsigned char session_scope[] = "postrider";
	struct tls_context *context =
	    context_new(SSL_CTX_new(TLS_server_method()));

	set_policy(context->ssl_ctx, 12);
	SSL_CTX_set_session_id_context(
	    context->ssl_ctx, session_scope, sizeof(session_scope) - 1);
	if (!load_certificate(context->ssl_ctx, certificate, key, error)) {
		tls_context_free(context);
		return false;
	}
	*out_context = context;
	return true;
}

struct tls_context *
tls_context_of(struct ssl_ctx_st *ssl_ctx, bool verify_name)
{
	SSL_CTX_up_ref(ssl_ctx);
	struct tls_context *context = context_new(ssl_ctx);
	context->checks_name = verify_name;
	return context;
}

void
tls_context_free(struct tls_context *context)
{
	if (context == NULL)
		return;
	tls_sessions_clear(&context->sessions);
	SSL_CTX_free(context->ssl_ctx);
	BIO_meth_free(context->method);
	free(context);
}
