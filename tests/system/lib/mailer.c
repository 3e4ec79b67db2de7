/*
 * Sends files by libpostrider in one session, for tests that run it against
 * real servers.
 *
 *   mailer HOST -f FROM -t TO [-t TO]... [OPTION]... FILE...
 *
 * stdout has a line "mail ERROR" for each file, as smtp_sendmail() returned it,
 * and a line "recipient CODE ADDRESS" for each recipient behind it; "failed
 * ERROR TEXT" where it came to no mail.  stderr has what was said, as smtplib
 * shows it.
 */
#include <getopt.h>
#include <openssl/ssl.h>
#include <postrider/smtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_MAX     16
#define CONTENT_MAX  ((size_t)64 << 20)
#define PASSWORD_MAX 256

struct job {
	smtp_options options;
	const char *host;
	const char *authority;
	const char *certificate; /* with its key, where we have one to show */
	const char *user;
	char password[PASSWORD_MAX];
	const char *mechanism; /* NULL: the library chooses */
	const char *from;
	const char *to[LIST_MAX];
	const char *mail_options[LIST_MAX];
	const char *recipient_options[LIST_MAX];
	int as_stream; /* by smtp_sendmail_fn() */
};

static void
fail(const char *what)
{
	fprintf(stderr, "mailer: %s\n", what);
	exit(2);
}

/* ---- what to do ---- */

static void
add(const char **list, const char *text)
{
	size_t count = 0;

	while (list[count] != NULL)
		count++;
	if (count + 1 == LIST_MAX)
		fail("too many of one option");
	list[count] = text;
}

static smtp_tls
tls_of(const char *name)
{
	static const char *const names[] = {"off", "may", "must", "implicit"};

	for (int i = 0; i < 4; i++)
		if (strcmp(name, names[i]) == 0)
			return (smtp_tls)i;
	fail("--tls off|may|must|implicit");
	return SMTP_TLS_OFF;
}

static void
read_password(struct job *job, const char *fd)
{
	const ssize_t count = read((int)strtol(fd, NULL, 10), job->password,
	    sizeof(job->password) - 1);

	if (count <= 0)
		fail("no password");
	job->password[strcspn(job->password, "\n")] = '\0';
}

static const struct option long_options[] = {
    {"tls", required_argument, NULL, 'T'},
    {"ca", required_argument, NULL, 'A'},
    {"cert", required_argument, NULL, 'C'},
    {"tls-name", required_argument, NULL, 'N'},
    {"user", required_argument, NULL, 'u'},
    {"pass-fd", required_argument, NULL, 'p'},
    {"mech", required_argument, NULL, 'm'},
    {"opt", required_argument, NULL, 'o'},
    {"ropt", required_argument, NULL, 'r'},
    {"lmtp", no_argument, NULL, 'L'},
    {"bdat", no_argument, NULL, 'B'},
    {"no-pipe", no_argument, NULL, 'P'},
    {"stream", no_argument, NULL, 'S'},
    {NULL, 0, NULL, 0},
};

static void
take_option(struct job *job, int option)
{
	switch (option) {
	case 'T':
		job->options.tls = tls_of(optarg);
		break;
	case 'A':
		job->authority = optarg;
		break;
	case 'C':
		job->certificate = optarg;
		break;
	case 'N':
		job->options.tls_name = optarg;
		break;
	case 'u':
		job->user = optarg;
		break;
	case 'p':
		read_password(job, optarg);
		break;
	case 'm':
		job->mechanism = optarg;
		break;
	case 'o':
		add(job->mail_options, optarg);
		break;
	case 'r':
		add(job->recipient_options, optarg);
		break;
	case 'L':
		job->options.lmtp = 1;
		break;
	case 'B':
		job->options.chunking = 1;
		break;
	case 'P':
		job->options.pipelining = -1;
		break;
	case 'S':
		job->as_stream = 1;
		break;
	case 'f':
		job->from = optarg;
		break;
	case 't':
		add(job->to, optarg);
		break;
	default:
		fail("no such option");
	}
}

/* ---- doing it ---- */

static void
show(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

static int64_t
read_some(void *arg, void *buf, size_t cap)
{
	FILE *file = arg;
	const size_t count = fread(buf, 1, cap, file);

	return ferror(file) ? -1 : (int64_t)count;
}

static int
has_8bit(const char *content, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (content[i] & 0x80)
			return 1;
	return 0;
}

static int
send_file(smtp *session, const struct job *job, FILE *file, char *content)
{
	const size_t len = fread(content, 1, CONTENT_MAX, file);

	if (ferror(file) || len == CONTENT_MAX)
		fail("a file cannot be read");
	if (!job->as_stream)
		return smtp_sendmail(session, job->from, job->to, content, len,
		    1, job->mail_options, job->recipient_options);
	rewind(file);
	return smtp_sendmail_fn(session, job->from, job->to, read_some, file, 0,
	    has_8bit(content, len) ? SMTP_SEND_8BIT : 0, job->mail_options,
	    job->recipient_options);
}

static int
send_files(smtp *session, const struct job *job, char **files)
{
	char *content = malloc(CONTENT_MAX);
	int err = SMTP_OK;

	for (; *files != NULL && smtp_connected(session); files++) {
		FILE *file = fopen(*files, "rb");

		if (file == NULL || content == NULL)
			fail("a file cannot be opened");
		err = send_file(session, job, file, content);
		fclose(file);
		printf("mail %d %s\n", err, smtp_last_errmsg(session));
		for (size_t i = 0; i < smtp_nresults(session); i++) {
			const smtp_result *result = smtp_result_at(session, i);
			printf("recipient %d %s\n", result->code, result->addr);
		}
	}
	free(content);
	return err;
}

static int
run(smtp *session, const struct job *job, char **files)
{
	int err = smtp_open(session, job->host, NULL);

	if (err == SMTP_OK && job->user != NULL && job->mechanism != NULL)
		err = smtp_auth(session, job->mechanism, job->user,
		    job->certificate == NULL ? job->password : NULL, 1);
	else if (err == SMTP_OK && job->user != NULL)
		err = smtp_login(session, job->user, job->password, 1);
	if (err != SMTP_OK) {
		printf("failed %d %s\n", err, smtp_last_errmsg(session));
		return err;
	}
	err = send_files(session, job, files);
	if (smtp_connected(session) && smtp_quit(session) != SMTP_OK)
		printf("failed 0 QUIT: %s\n", smtp_last_errmsg(session));
	return err;
}

static SSL_CTX *
context_of(const char *authority, const char *certificate)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context == NULL ||
	    SSL_CTX_load_verify_locations(context, authority, NULL) != 1)
		fail("the authority cannot be read");
	if (certificate != NULL &&
	    (SSL_CTX_use_certificate_file(
		 context, certificate, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_use_PrivateKey_file(
		    context, certificate, SSL_FILETYPE_PEM) != 1))
		fail("the certificate cannot be read");
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	return context;
}

int
main(int argc, char **argv)
{
	struct job job = {.options = {.size = sizeof(smtp_options),
			      .local_hostname = "client.example"}};
	SSL_CTX *context = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "f:t:", long_options, NULL)) !=
	    -1)
		take_option(&job, option);
	if (optind + 2 > argc || job.from == NULL || job.to[0] == NULL)
		fail("HOST -f FROM -t TO FILE");
	job.host = argv[optind];
	if (job.authority != NULL)
		context = context_of(job.authority, job.certificate);
	job.options.ssl_ctx = context;

	smtp *session = smtp_new(&job.options);
	if (session == NULL)
		fail("these options are not understood");
	smtp_set_debug(session, 1, show, NULL);
	const int err = run(session, &job, argv + optind + 1);
	smtp_free(session);
	SSL_CTX_free(context);
	return err != SMTP_OK;
}
