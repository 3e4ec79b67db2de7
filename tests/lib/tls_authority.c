#include "lib/tls_authority.h"

#include "base/bytes.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILES_MAX 64
#define DEPTH_MAX 100
#define DAY       (24L * 3600)

struct signer {
	EVP_PKEY *key;
	X509 *certificate;
};

struct tls_authority {
	char folder[64];
	struct signer root;
	char *paths[FILES_MAX]; /* the first is the root's */
	int count;
	long serial;
};

static char *
path_new(struct tls_authority *authority)
{
	cr_assert_lt(authority->count, FILES_MAX);
	char *path =
	    memory_format("%s/%d.pem", authority->folder, authority->count);
	authority->paths[authority->count++] = path;
	return path;
}

static FILE *
file_new(const char *path)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	return file;
}

static void
add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	cr_assert_not_null(extension, "%s", value);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

/* A subjectAltName that openssl's own notation cannot say. */
static void
add_raw_name(X509 *certificate, const char *name, size_t len)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *general = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	ASN1_STRING_set(text, name, (int)len);
	GENERAL_NAME_set0_value(general, GEN_DNS, text);
	sk_GENERAL_NAME_push(names, general);
	X509_add1_ext_i2d(
	    certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT);
	GENERAL_NAMES_free(names);
}

static X509 *
certificate_new(struct tls_authority *authority, EVP_PKEY *key,
    struct bytes common_name, int from_days, int to_days)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(
	    X509_get_serialNumber(certificate), ++authority->serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), from_days * DAY);
	X509_gmtime_adj(X509_getm_notAfter(certificate), to_days * DAY);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)common_name.data, (int)common_name.len, -1,
	    0);
	X509_set_pubkey(certificate, key);
	return certificate;
}

static void
sign(X509 *certificate, const struct signer *signer)
{
	X509_set_issuer_name(
	    certificate, X509_get_subject_name(signer->certificate));
	cr_assert_gt(X509_sign(certificate, signer->key, EVP_sha256()), 0);
}

static struct signer
signer_new(struct tls_authority *authority, const char *common_name,
    const struct signer *parent)
{
	struct signer signer = {.key = EVP_EC_gen("P-256")};

	cr_assert_not_null(signer.key);
	signer.certificate = certificate_new(
	    authority, signer.key, bytes_of(common_name), -1, 365);
	X509 *issuer =
	    parent != NULL ? parent->certificate : signer.certificate;
	add_extension(signer.certificate, issuer, NID_basic_constraints,
	    "critical,CA:TRUE");
	add_extension(
	    signer.certificate, issuer, NID_key_usage, "keyCertSign,cRLSign");
	sign(signer.certificate, parent != NULL ? parent : &signer);
	return signer;
}

static void
signer_clear(struct signer *signer)
{
	EVP_PKEY_free(signer->key);
	X509_free(signer->certificate);
}

struct tls_authority *
tls_authority_new(void)
{
	struct tls_authority *authority = memory_new(sizeof(*authority));

	*authority =
	    (struct tls_authority){.folder = "/tmp/tls-authority-XXXXXX"};
	cr_assert_not_null(mkdtemp(authority->folder));
	authority->root = signer_new(authority, authority->folder, NULL);
	FILE *file = file_new(path_new(authority));
	PEM_write_X509(file, authority->root.certificate);
	fclose(file);
	return authority;
}

void
tls_authority_free(struct tls_authority *authority)
{
	for (int i = 0; i < authority->count; i++) {
		unlink(authority->paths[i]);
		free(authority->paths[i]);
	}
	rmdir(authority->folder);
	signer_clear(&authority->root);
	free(authority);
}

const char *
tls_authority_path(const struct tls_authority *authority)
{
	return authority->paths[0];
}

static void
write_leaf(struct tls_authority *authority,
    const struct tls_authority_order *order, const struct signer *parent,
    FILE *file)
{
	struct signer leaf = {.key = EVP_EC_gen("P-256")};

	const struct bytes name = order->common_name_len > 0
	    ? bytes_make(order->common_name, order->common_name_len)
	    : bytes_of(order->common_name);
	leaf.certificate = certificate_new(
	    authority, leaf.key, name, order->from_days, order->to_days);
	if (order->raw_name_len > 0)
		add_raw_name(
		    leaf.certificate, order->names, order->raw_name_len);
	else if (order->names != NULL)
		add_extension(leaf.certificate, parent->certificate,
		    NID_subject_alt_name, order->names);
	if (order->usage != NULL)
		add_extension(leaf.certificate, parent->certificate,
		    NID_ext_key_usage, order->usage);
	sign(leaf.certificate, order->self_signed ? &leaf : parent);
	PEM_write_X509(file, leaf.certificate);
	PEM_write_PrivateKey(file, leaf.key, NULL, NULL, 0, NULL, NULL);
	signer_clear(&leaf);
}

const char *
tls_authority_issue(
    struct tls_authority *authority, const struct tls_authority_order *order)
{
	const char *path = path_new(authority);
	FILE *file = file_new(path);
	struct signer chain[DEPTH_MAX + 1];

	chain[0] = authority->root;
	cr_assert_leq(order->depth, DEPTH_MAX);
	for (int i = 1; i <= order->depth; i++) {
		char *name = memory_format("Intermediate %d", i);
		chain[i] = signer_new(authority, name, &chain[i - 1]);
		free(name);
	}
	write_leaf(authority, order, &chain[order->depth], file);
	for (int i = order->depth; i > 0; i--) {
		PEM_write_X509(file, chain[i].certificate);
		signer_clear(&chain[i]);
	}
	for (int i = 0; i < order->copies; i++)
		PEM_write_X509(file, authority->root.certificate);
	fclose(file);
	return path;
}

const char *
tls_authority_issue_for(struct tls_authority *authority, const char *names)
{
	struct tls_authority_order order = {
	    .common_name = "x", .names = names, .from_days = -1, .to_days = 30};

	return tls_authority_issue(authority, &order);
}

const char *
tls_authority_key(struct tls_authority *authority, const char *passphrase)
{
	const char *path = path_new(authority);
	FILE *file = file_new(path);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char phrase[64] = "";

	snprintf(
	    phrase, sizeof(phrase), "%s", passphrase != NULL ? passphrase : "");
	PEM_write_PrivateKey(file, key,
	    passphrase != NULL ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
	    passphrase != NULL ? phrase : NULL);
	EVP_PKEY_free(key);
	fclose(file);
	return path;
}

const char *
tls_authority_nowhere(struct tls_authority *authority)
{
	return path_new(authority);
}
