#include "net/tls_error.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* Names of a certificate shown at most. */
#define NAMES_MAX 8

struct words {
	int code;
	const char *text;
};

static const struct words certificate_words[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "certificate has expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "certificate is not valid yet"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate is self-signed"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
	"certificate is signed by an authority that is not trusted here"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	"certificate is signed by an authority that is not trusted here, "
	"or the server does not send the whole chain"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
	"certificate is signed by an authority that is not trusted here, "
	"or the server does not send the whole chain"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE,
	"certificate is not signed by the authority it names"},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, "certificate chain is too long"},
    {X509_V_ERR_INVALID_PURPOSE, "certificate is not for a server"},
    {X509_V_ERR_CERT_REVOKED, "certificate is revoked"},
};

static const struct words reason_words[] = {
    {SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS here"},
    {SSL_R_HTTP_REQUEST, "the peer speaks HTTP here"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, "the peer does not speak TLS here"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "no TLS version in common"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "no TLS version in common"},
    {SSL_R_NO_SHARED_CIPHER, "no cipher in common"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
	"the peer finds nothing in common, or wants a certificate of ours"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the peer does not trust our certificate"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
	"the peer does not accept our certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "our certificate has expired"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
	"the peer wants a certificate of ours"},
    {SSL_R_TLSV1_UNRECOGNIZED_NAME, "the peer does not know this name"},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, "the certificate chain is too large"},
};

#define COUNT(words) (sizeof(words) / sizeof((words)[0]))

static const char *
words_find(const struct words *words, size_t count, int code)
{
	for (size_t i = 0; i < count; i++) {
		if (words[i].code == code)
			return words[i].text;
	}
	return NULL;
}

static void
append_printable(struct buffer *buffer, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		bool is_plain = text.data[i] > ' ' && text.data[i] <= '~';
		buffer_append_char(buffer, is_plain ? text.data[i] : '?');
	}
}

static void
append_ip(struct buffer *buffer, const ASN1_OCTET_STRING *ip)
{
	int len = ASN1_STRING_length(ip);
	char text[INET6_ADDRSTRLEN] = "?";

	if (len == 4 || len == 16)
		inet_ntop(len == 4 ? AF_INET : AF_INET6,
		    ASN1_STRING_get0_data(ip), text, sizeof(text));
	buffer_append_text(buffer, text);
}

static bool
append_name(struct buffer *buffer, const GENERAL_NAME *name)
{
	if (name->type == GEN_DNS)
		append_printable(buffer,
		    bytes_make(ASN1_STRING_get0_data(name->d.dNSName),
			(size_t)ASN1_STRING_length(name->d.dNSName)));
	else if (name->type == GEN_IPADD)
		append_ip(buffer, name->d.iPAddress);
	return name->type == GEN_DNS || name->type == GEN_IPADD;
}

/* "a, b", or false where there are none. */
static bool
append_names(struct buffer *buffer, const GENERAL_NAMES *names)
{
	int count = names != NULL ? sk_GENERAL_NAME_num(names) : 0;
	int shown = 0;

	for (int i = 0; i < count && shown < NAMES_MAX; i++) {
		size_t len_before = buffer->len;
		if (shown > 0)
			buffer_append_text(buffer, ", ");
		if (append_name(buffer, sk_GENERAL_NAME_value(names, i)))
			shown++;
		else
			buffer_truncate(buffer, len_before);
	}
	if (count > NAMES_MAX)
		buffer_append_text(buffer, ", ...");
	return shown > 0;
}

bool
tls_error_names(struct buffer *buffer, const X509 *certificate)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	const bool has_names = append_names(buffer, names);

	GENERAL_NAMES_free(names);
	return has_names;
}

/* "certificate is for a, b, not for mail.example" */
static void
append_mismatch(struct buffer *buffer, X509 *certificate, const char *name)
{
	size_t len_before = buffer->len;

	buffer_append_text(buffer, "certificate is for ");
	if (!tls_error_names(buffer, certificate)) {
		buffer_truncate(buffer, len_before);
		buffer_append_text(buffer,
		    "certificate has no subjectAltName (its common name does "
		    "not count)");
	}
	buffer_printf(buffer, ", not for %s", name);
}

void
tls_error_of_certificate(
    struct buffer *buffer, X509_STORE_CTX *store, const char *name)
{
	int code = X509_STORE_CTX_get_error(store);
	X509 *certificate = X509_STORE_CTX_get_current_cert(store);
	const char *text =
	    words_find(certificate_words, COUNT(certificate_words), code);
	bool is_mismatch = code == X509_V_ERR_HOSTNAME_MISMATCH ||
	    code == X509_V_ERR_IP_ADDRESS_MISMATCH;

	if (is_mismatch && certificate != NULL && name != NULL)
		append_mismatch(buffer, certificate, name);
	else if (text != NULL)
		buffer_append_text(buffer, text);
	else
		buffer_printf(buffer, "certificate: %s",
		    X509_verify_cert_error_string(code));
}

const char *
tls_error_reason(void)
{
	unsigned long code = ERR_peek_error();
	const char *text = NULL;

	if (ERR_GET_LIB(code) == ERR_LIB_SSL)
		text = words_find(
		    reason_words, COUNT(reason_words), ERR_GET_REASON(code));
	if (text == NULL)
		text = ERR_reason_error_string(code);
	ERR_clear_error();
	return text != NULL ? text : "unknown error";
}
