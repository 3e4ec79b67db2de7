#include "tools/smtp_hint.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* What others call it; a word that ends in '-' stands for all that begin so. */
static const struct row {
	const char *word;
	const char *ours;
} rows[] = {
    {"-s", "the server stands by itself: HOST"},
    {"--server", "the server stands by itself: HOST"},
    {"--socket", "a socket is a HOST: /PATH"},
    {"-p", "the port stands behind the host: HOST:PORT"},
    {"--port", "the port stands behind the host: HOST:PORT"},
    {"-a", "to log in say --user USER or --auth FILE"},
    {"-au", "to log in say --user USER or --auth FILE"},
    {"-ap", "a password is asked for, or say --pass-fd N or --auth FILE"},
    {"--auth-", "to log in say --user USER or --auth FILE"},
    {"--password", "a password is asked for, or say --pass-fd N"},
    {"-tls", "say --tls may, or --tls must to verify"},
    {"-tlsc", "say --tls implicit"},
    {"--tls-on-connect", "say --tls implicit"},
    {"-q", "say --quit-after"},
    {"-h-", "say --header 'NAME: TEXT'"},
    {"--h-", "say --header 'NAME: TEXT'"},
    {"--add-header", "say --header 'NAME: TEXT'"},
    {"--header-", "say --header 'NAME: TEXT'"},
    {"--subject", "say --header 'Subject: TEXT'"},
    {"--data", "say -m FILE"},
    {"--attach", "a letter with all its parts is a file: -m FILE"},
    {"--attach-", "a letter with all its parts is a file: -m FILE"},
    {"--ehlo", "our name stands behind --helo"},
    {"-ehlo", "our name stands behind --helo"},
    {"-li", "say --source ADDRESS"},
    {"--local-interface", "say --source ADDRESS"},
    {"--tls-verify", "say --tls must"},
    {"--tls-ca-path", "say --ca FILE"},
    {"--pipeline", "say --pipe, which is the default"},
    {"--protocol", "say --lmtp, or --tls implicit"},
};

const char *
smtp_hint_of(const char *word)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *known = rows[i].word;
		const size_t len = strlen(known);
		const size_t word_len = strcspn(word, "=");
		const bool is_prefix = known[len - 1] == '-';

		if (strncmp(word, known, len) == 0 &&
		    (is_prefix || word_len == len))
			return rows[i].ours;
	}
	return NULL;
}
