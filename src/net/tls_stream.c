#include "net/tls_stream.h"

#include "base/memory.h"
#include "net/socket_address.h"
#include "net/tls_context.h"
#include "net/tls_error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* One call reads from the socket at most so often: others have their turn. */
#define RECEIVES_MAX 8
/*
 * Octets from the socket that need not carry any data, the handshake among
 * them; then at most OVERHEAD_FACTOR for each octet of data.  An honest peer
 * that writes a record for each reply line needs 5.
 */
#define OVERHEAD_FREE   ((uint64_t)256 * 1024)
#define OVERHEAD_FACTOR ((uint64_t)64)

#define HOST_NAME_LEN_MAX 253
#define TLS_EXPORTER_SIZE ((size_t)32) /* RFC 9266, 2 */

struct tls_stream {
	struct tls_context *context;
	SSL *ssl;
	int fd;
	char *name; /* owned; NULL: we are the server */
	bool is_done;
	bool is_broken; /* OpenSSL must not be called any more */
	bool has_pending;
	int receives_left;
	int number; /* errno of the socket */
	uint64_t octets_in;
	uint64_t data_in;
	struct tls_summary summary;
	char refusal[256]; /* of the peer's certificate; "" */
};

/* ---- the socket, as OpenSSL sees it ---- */

static bool
is_over_budget(const struct tls_stream *stream)
{
	return stream->octets_in >
	    OVERHEAD_FREE + OVERHEAD_FACTOR * stream->data_in;
}

static int
socket_receive(BIO *bio, char *data, int size)
{
	struct tls_stream *stream = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (stream->receives_left == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	stream->receives_left--;
	if (is_over_budget(stream))
		return -1;
	ssize_t count = recv(stream->fd, data, (size_t)size, MSG_DONTWAIT);
	if (count >= 0) {
		stream->octets_in += (uint64_t)count;
		BIO_set_flags(bio, count == 0 ? BIO_FLAGS_IN_EOF : 0);
		return (int)count;
	}
	if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_read(bio);
	else
		stream->number = errno;
	return -1;
}

static int
socket_send(BIO *bio, const char *data, int len)
{
	struct tls_stream *stream = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	ssize_t count =
	    send(stream->fd, data, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (count >= 0)
		return (int)count;
	if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_write(bio);
	else
		stream->number = errno;
	return -1;
}

static long
socket_control(BIO *bio, int command, long number, void *pointer)
{
	(void)number;
	(void)pointer;
	if (command == BIO_CTRL_FLUSH)
		return 1;
	if (command == BIO_CTRL_EOF)
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	return 0;
}

BIO_METHOD *
tls_stream_socket_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket");

	if (method == NULL)
		return NULL;
	BIO_meth_set_read(method, socket_receive);
	BIO_meth_set_write(method, socket_send);
	BIO_meth_set_ctrl(method, socket_control);
	return method;
}

/* ---- the peer's name ---- */

/* Names in certificates are A-labels; "_" is no letter of host names, but there
 * are such. */
static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* No empty label: OpenSSL takes an empty name for any, and one with a leading
 * dot for all below it. */
static bool
is_host_name(struct bytes text)
{
	char before = '.';

	for (size_t i = 0; i < text.len; i++) {
		bool is_label_empty = text.data[i] == '.' && before == '.';
		if (is_label_empty || !is_name_char(text.data[i]))
			return false;
		before = text.data[i];
	}
	return before != '.' && text.len <= HOST_NAME_LEN_MAX;
}

/* A copy in the form certificates carry; NULL where it can be no name. */
static char *
name_normalize(const char *name)
{
	struct socket_address literal;
	struct bytes text = bytes_of(name);

	if (socket_address_of_literal(name, 0, &literal)) {
		if (name[0] == '[')
			text = bytes_make(name + 1, text.len - 2);
		return memory_copy(text);
	}
	if (text.len > 0 && text.data[text.len - 1] == '.')
		text.len--;
	return is_host_name(text) ? memory_copy(text) : NULL;
}

/* Verification of name, once OpenSSL has the chain. */
static bool
expect_name(const struct tls_stream *stream, bool is_literal)
{
	return !stream->context->checks_name ||
	    tls_context_expect_name(
		SSL_get0_param(stream->ssl), stream->name, is_literal);
}

static struct tls_stream *
stream_of(const SSL *ssl)
{
	return BIO_get_data(SSL_get_rbio(ssl));
}

/* The reason is at hand only while OpenSSL looks at the certificate. */
static int
certificate_seen(int is_good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_stream *stream = stream_of(ssl);
	struct buffer text;

	if (is_good)
		return is_good;
	buffer_init(&text, 8 * 1024);
	tls_error_of_certificate(&text, store, stream->name);
	struct bytes reason =
	    bytes_first(buffer_bytes(&text), sizeof(stream->refusal) - 1);
	memcpy(stream->refusal, reason.data, reason.len);
	stream->refusal[reason.len] = '\0';
	buffer_clear(&text);
	return 0;
}

int
tls_stream_keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_stream *stream = stream_of(ssl);

	if (stream->context->resumes && stream->name != NULL &&
	    SSL_get_verify_result(ssl) == X509_V_OK)
		tls_sessions_keep(
		    &stream->context->sessions, stream->name, session);
	return 0; /* the reference stays OpenSSL's */
}

/* ---- a stream ---- */

static void
set_options(SSL *ssl)
{
	SSL_set_options(ssl,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_set_mode(ssl,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_set_read_ahead(ssl, 1);
}

static bool
prepare_client(struct tls_stream *stream, const char *name, int64_t wall_ms)
{
	struct tls_context *context = stream->context;
	struct socket_address ignored;
	SSL *ssl = stream->ssl;

	stream->name = name_normalize(name);
	if (stream->name == NULL)
		return false;
	bool is_literal = socket_address_of_literal(name, 0, &ignored);
	if (!expect_name(stream, is_literal))
		return false;
	/* RFC 6066, 3: no literals. */
	if (!is_literal && SSL_set_tlsext_host_name(ssl, stream->name) != 1)
		return false;
	if (SSL_get_verify_callback(ssl) == NULL)
		SSL_set_verify(ssl, SSL_get_verify_mode(ssl), certificate_seen);
	SSL_SESSION *session =
	    tls_sessions_find(&context->sessions, stream->name, wall_ms);
	if (session != NULL)
		SSL_set_session(ssl, session);
	SSL_set_connect_state(ssl);
	return true;
}

struct tls_stream *
tls_stream_new(struct tls_context *context, int fd, const char *name,
    int64_t wall_ms, struct error *error)
{
	struct tls_stream *stream = memory_new(sizeof(*stream));
	BIO *bio = memory_given(BIO_new(context->method));

	stream->context = context;
	stream->fd = fd;
	stream->ssl = memory_given(SSL_new(context->ssl_ctx));
	BIO_set_data(bio, stream);
	BIO_set_init(bio, 1);
	SSL_set_bio(stream->ssl, bio, bio);
	set_options(stream->ssl);
	if (name == NULL) {
		SSL_set_accept_state(stream->ssl);
	} else if (!prepare_client(stream, name, wall_ms)) {
		(void)error_set(error, ERROR_TLS,
		    "\"%s\" is no name a certificate could carry", name);
		tls_stream_free(stream);
		return NULL;
	}
	return stream;
}

void
tls_stream_free(struct tls_stream *stream)
{
	if (stream == NULL)
		return;
	SSL_free(stream->ssl);
	free(stream->name);
	free(stream);
}

static void
describe_failure(const struct tls_stream *stream, struct error *error)
{
	const char *doing = stream->is_done ? "TLS" : "TLS handshake";

	if (stream->refusal[0] != '\0')
		(void)error_set(error, ERROR_TLS, "%s", stream->refusal);
	else if (is_over_budget(stream))
		(void)error_set(error, ERROR_TLS,
		    "%s: the peer sends too much that is no data", doing);
	else
		(void)error_set(
		    error, ERROR_TLS, "%s: %s", doing, tls_error_reason());
}

/* What the return value of an SSL_ function that did not succeed means. */
static enum stream_result
result_of(struct tls_stream *stream, int returned, struct error *error)
{
	int code = SSL_get_error(stream->ssl, returned);

	if (code == SSL_ERROR_WANT_READ)
		return STREAM_WANTS_READ;
	if (code == SSL_ERROR_WANT_WRITE)
		return STREAM_WANTS_WRITE;
	if (code == SSL_ERROR_ZERO_RETURN)
		return STREAM_ENDED;
	stream->is_broken = true;
	if (code != SSL_ERROR_SYSCALL || is_over_budget(stream)) {
		describe_failure(stream, error);
		return STREAM_FAILED;
	}
	errno = stream->number != 0 ? stream->number : ECONNRESET;
	return stream_failed(error, stream->is_done ? "TLS" : "TLS handshake");
}

static void
summarize(struct tls_stream *stream)
{
	SSL *ssl = stream->ssl;

	stream->summary = (struct tls_summary){
	    .version = SSL_get_version(ssl),
	    .cipher = SSL_get_cipher_name(ssl),
	    .verified = stream->context->checks_name && stream->name != NULL &&
		SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE &&
		SSL_get0_peer_certificate(ssl) != NULL &&
		SSL_get_verify_result(ssl) == X509_V_OK,
	    .resumed = SSL_session_reused(ssl) == 1,
	};
}

static enum stream_result
handshake_failed(struct tls_stream *stream, struct error *error)
{
	error->kind = ERROR_TLS;
	stream->is_broken = true;
	if (stream->name != NULL)
		tls_sessions_forget(&stream->context->sessions, stream->name);
	return STREAM_FAILED;
}

enum stream_result
tls_stream_handshake(struct tls_stream *stream, struct error *error)
{
	stream->receives_left = RECEIVES_MAX;
	ERR_clear_error();
	int returned = SSL_do_handshake(stream->ssl);
	if (returned == 1) {
		stream->is_done = true;
		stream->has_pending = true;
		summarize(stream);
		return STREAM_MOVED;
	}
	enum stream_result result = result_of(stream, returned, error);
	if (result == STREAM_ENDED)
		(void)error_set(error, ERROR_TLS,
		    "TLS handshake: the peer closed the connection");
	if (result == STREAM_ENDED || result == STREAM_FAILED)
		return handshake_failed(stream, error);
	return result;
}

enum stream_result
tls_stream_read(
    struct tls_stream *stream, struct buffer *buffer, struct error *error)
{
	stream->receives_left = RECEIVES_MAX;
	while (stream_room(buffer) > 0) {
		size_t size;
		size_t count;
		char *data = stream_reserve(buffer, &size);

		ERR_clear_error();
		int returned = SSL_read_ex(stream->ssl, data, size, &count);
		if (returned != 1) {
			stream->has_pending = false;
			return result_of(stream, returned, error);
		}
		buffer_commit(buffer, count);
		stream->data_in += count;
	}
	stream->has_pending = true;
	return STREAM_MOVED;
}

enum stream_result
tls_stream_write(
    struct tls_stream *stream, struct buffer *buffer, struct error *error)
{
	while (buffer->len > 0) {
		struct bytes bytes = buffer_bytes(buffer);
		size_t count;

		ERR_clear_error();
		int returned =
		    SSL_write_ex(stream->ssl, bytes.data, bytes.len, &count);
		if (returned != 1)
			return result_of(stream, returned, error);
		buffer_consume(buffer, count);
	}
	return STREAM_MOVED;
}

bool
tls_stream_has_pending(const struct tls_stream *stream)
{
	return stream->has_pending;
}

void
tls_stream_end(struct tls_stream *stream)
{
	if (!stream->is_done || stream->is_broken)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(stream->ssl); /* a courtesy; nobody waits for it */
}

const struct tls_summary *
tls_stream_summary(const struct tls_stream *stream)
{
	return stream->is_done ? &stream->summary : NULL;
}

bool
tls_stream_facts(const struct tls_stream *stream, const char *ca,
    struct tls_facts *out_facts)
{
	if (!stream->is_done)
		return false;
	tls_facts_of(stream->ssl, ca, stream->name, out_facts);
	return true;
}

static size_t
export_binding(SSL *ssl, char *out_data, size_t capacity)
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (capacity < TLS_EXPORTER_SIZE)
		return 0;
	int is_done = SSL_export_keying_material(ssl, (unsigned char *)out_data,
	    TLS_EXPORTER_SIZE, label, sizeof(label) - 1, NULL, 0, 0);
	return is_done == 1 ? TLS_EXPORTER_SIZE : 0;
}

/* The first Finished message of the handshake: the client's, or the server's
 * where a session was resumed (RFC 5929, 3.1). */
static size_t
first_finished(const struct tls_stream *stream, char *out_data, size_t capacity)
{
	bool is_client = stream->name != NULL;
	bool is_ours = is_client != stream->summary.resumed;
	size_t len = is_ours
	    ? SSL_get_finished(stream->ssl, out_data, capacity)
	    : SSL_get_peer_finished(stream->ssl, out_data, capacity);

	return len <= capacity ? len : 0;
}

size_t
tls_stream_channel_binding(struct tls_stream *stream, char *out_data,
    size_t capacity, const char **out_type)
{
	bool is_tls13 = SSL_version(stream->ssl) >= TLS1_3_VERSION;

	if (is_tls13) {
		*out_type = "tls-exporter";
		return export_binding(stream->ssl, out_data, capacity);
	}
	/* Without the extended master secret it binds nothing (RFC 7627). */
	if (SSL_get_extms_support(stream->ssl) != 1)
		return 0;
	*out_type = "tls-unique";
	return first_finished(stream, out_data, capacity);
}
