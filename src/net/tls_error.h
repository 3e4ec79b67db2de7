/* What OpenSSL reports, in plain words. */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>

struct x509_store_ctx_st;
struct x509_st;

/*
 * Why the certificate that store is looking at was refused: "certificate has
 * expired".  name: what it was to carry.  Text out of the certificate is made
 * printable.
 */
void tls_error_of_certificate(
    struct buffer *buffer, struct x509_store_ctx_st *store, const char *name);
/* Append whom the certificate is for, "a.example, 192.0.2.1", printable; false
 * where its subjectAltName says nothing. */
bool tls_error_names(struct buffer *buffer, const struct x509_st *certificate);
/* The oldest error of OpenSSL's queue, which is emptied. */
const char *tls_error_reason(void);
