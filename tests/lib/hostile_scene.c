#include "lib/hostile_scene.h"

#include "lib/watched.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

void
hostile_scene_init(struct hostile_scene *scene)
{
	scene->authority = tls_authority_new();
	scene->certificate =
	    tls_authority_issue_for(scene->authority, "IP:127.0.0.1");
	scene->ssl_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(scene->ssl_ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_options(scene->ssl_ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_load_verify_locations(
	    scene->ssl_ctx, tls_authority_path(scene->authority), NULL);
}

void
hostile_scene_clear(struct hostile_scene *scene)
{
	SSL_CTX_free(scene->ssl_ctx);
	tls_authority_free(scene->authority);
}

struct smtp_options
hostile_scene_options(
    const struct hostile_scene *scene, enum hostile_channel channel)
{
	static const enum smtp_tls ways[HOSTILE_CHANNEL_COUNT] = {
	    [HOSTILE_PLAIN] = SMTP_TLS_OFF,
	    [HOSTILE_TLS_STARTED] = SMTP_TLS_MUST,
	    [HOSTILE_TLS_IMPLICIT] = SMTP_TLS_IMPLICIT,
	};

	return (struct smtp_options){
	    .local_hostname = "here.example",
	    .tls = ways[channel],
	    .ssl_ctx = scene->ssl_ctx,
	    .auth_in_clear = channel == HOSTILE_PLAIN,
	};
}

void
hostile_expect_secret(struct bytes clear, const char *name)
{
	/* The password, as it is and in base64 at each of three places. */
	static const char *const words[] = {"AUTH", "MAIL", "mail from", "RCPT",
	    "rcpt to", "DATA\r\n", "data\r\n", HOSTILE_PASSWORD,
	    "b3Blbi1zZXNhbW", "9wZW4tc2VzYW1l", "vcGVuLXNlc2FtZ"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_expect_eq(bytes_search(clear, bytes_of(words[i])), clear.len,
		    "%s: %s in clear", name, words[i]);
}

/* ---- memory ---- */

/* Octets, of "VmHWM:     123 kB". */
static size_t
read_status(const char *field)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	size_t kib = 0;

	cr_assert_not_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, field, strlen(field)) == 0)
			(void)sscanf(line + strlen(field), ": %zu", &kib);
	fclose(file);
	cr_assert_gt(kib, 0, "%s", field);
	return kib * 1024;
}

size_t
hostile_memory_mark(void)
{
	FILE *file = fopen("/proc/self/clear_refs", "w");

	/* Where that is forbidden the peak is that of the whole test. */
	if (file != NULL) {
		(void)fputs("5", file);
		fclose(file);
	}
	return read_status("VmRSS");
}

void
hostile_expect_memory(size_t mark, size_t limit, const char *name)
{
	const size_t peak = read_status("VmHWM");

	if (!is_watched())
		cr_expect_leq(peak, mark + limit, "%s: %zu KiB more", name,
		    (peak - mark) / 1024);
}
