#include "base/memory.h"
#include "intake/content.h"
#include "message/header.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATE     "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"
#define RECEIVED "Received: by mail.example\r\n" RECEIVED_REST
#define RECEIVED_REST                                                          \
	"\twith local id 00000000001;\r\n\tThu, 01 Jan 1970 00:00:00 "         \
	"+0000\r\n"
#define MESSAGE_ID "Message-ID: <00000000001@mail.example>\r\n"

static char directory[] = "/tmp/postrider-content-XXXXXX";
static struct admission_options limits;
static struct admission admission;
static struct rewrite_options rewrite;
static struct content_options options;
static struct message *message;
static struct content content;
static struct error error;

static void
begin(void)
{
	setenv("TZ", "UTC", 1);
	cr_assert_not_null(mkdtemp(directory));
	limits = (struct admission_options){
	    .hops_max = 3,
	    .memory_max = 8 << 20,
	    .inline_limit = 1 << 20,
	    .large_directory_fd = open(directory, O_RDONLY | O_DIRECTORY),
	};
	rewrite = (struct rewrite_options){
	    .hostname = "mail.example",
	    .origin = "example.org",
	};
	admission_init(&admission, &limits);
	options = (struct content_options){
	    .admission = &admission,
	    .rewrite = &rewrite,
	    .submission = true,
	};
}

static size_t
count_files(void)
{
	DIR *opened = opendir(directory);
	const struct dirent *entry;
	size_t count = 0;

	while ((entry = readdir(opened)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(opened);
	return count;
}

static void
end(void)
{
	cr_expect_eq(admission.memory, 0, "%llu octets kept",
	    (unsigned long long)admission.memory);
	cr_expect_eq(count_files(), 0);
	admission_clear(&admission);
	close(limits.large_directory_fd);
	rmdir(directory);
}

TestSuite(content, .init = begin, .fini = end);

static void
begin_content(void)
{
	const struct stamp_received received = {
	    .hostname = "mail.example",
	    .protocol = "local",
	};

	message = message_new();
	message->id = 1;
	envelope_set_sender(&message->envelope, BYTES("ada@example.org"));
	content_begin(&content, &options, message, &received);
}

static bool
append(struct bytes octets, size_t step)
{
	while (octets.len > 0) {
		if (!content_append(
			&content, bytes_first(octets, step), &error))
			return false;
		octets = bytes_from(octets, step);
	}
	return true;
}

static struct bytes
result(void)
{
	static char *text;
	size_t len = 0;

	free(text);
	text = memory_array((size_t)message->body.len + 1, 1);
	cr_assert(body_read(
	    &message->body, 0, text, (size_t)message->body.len, &len, &error));
	return bytes_make(text, len);
}

static void
end_content(void)
{
	content_cancel(&content);
	message_free(message);
}

/* ---- the header ---- */

static const struct {
	const char *name;
	const char *content;
	const char *expected;
	bool stranger; /* not a submission */
	bool strip;
} rows[] = {
    {"all is missing", "Subject: s\r\n\r\nbody\r\n",
	RECEIVED DATE MESSAGE_ID
	"From: ada@example.org\r\nSubject: s\r\n\r\nbody\r\n",
	false, false},
    {"nothing is missing",
	"Date: d\r\nFROM: b@x\r\nmessage-id: <m>\r\n\r\nbody\r\n",
	RECEIVED "Date: d\r\nFROM: b@x\r\nmessage-id: <m>\r\n\r\nbody\r\n",
	false, false},
    {"bare addresses",
	"Date: d\r\nFrom: b\r\nMessage-ID: <m>\r\nTo: c, d@y\r\n\r\n",
	RECEIVED "Date: d\r\nFrom: b@example.org\r\nMessage-ID: <m>\r\n"
		 "To: c@example.org, d@y\r\n\r\n",
	false, false},
    {"no header", "\r\nbody\r\n",
	RECEIVED DATE MESSAGE_ID "From: ada@example.org\r\n\r\nbody\r\n", false,
	false},
    {"no empty line", "just text\r\n\r\nmore\r\n",
	RECEIVED DATE MESSAGE_ID
	"From: ada@example.org\r\n\r\njust text\r\n\r\nmore\r\n",
	false, false},
    {"a header alone", "Date: d\r\nFrom: b@x\r\nMessage-ID: <m>\r\n",
	RECEIVED "Date: d\r\nFrom: b@x\r\nMessage-ID: <m>\r\n\r\n", false,
	false},
    {"nothing", "", RECEIVED DATE MESSAGE_ID "From: ada@example.org\r\n\r\n",
	false, false},
    {"Bcc stays where nobody says it should go",
	"Date: d\r\nFrom: b@x\r\nMessage-ID: <m>\r\nBcc: c@y\r\n\r\n",
	RECEIVED "Date: d\r\nFrom: b@x\r\nMessage-ID: <m>\r\nBcc: c@y\r\n\r\n",
	false, false},
    {"Bcc goes",
	"Date: d\r\nFrom: b@x\r\nBcc: c@y,\r\n d@z\r\nMessage-ID: <m>\r\n"
	"Return-Path: <r>\r\n\r\nBcc: body\r\n",
	RECEIVED "Date: d\r\nFrom: b@x\r\nMessage-ID: <m>\r\n\r\nBcc: body\r\n",
	false, true},
    {"a stranger's is left alone", "To: c\r\nBcc: d\r\n\r\nbody\r\n",
	RECEIVED "To: c\r\nBcc: d\r\n\r\nbody\r\n", true, false},
    {"a stranger's with junk is left alone", "To: c\r\njunk\r\nX: y\r\n\r\nb",
	RECEIVED "To: c\r\njunk\r\nX: y\r\n\r\nb", true, false},
    {"a stranger's without header", "text\r\n", RECEIVED "\r\ntext\r\n", true,
	false},
};

Test(content, completes_the_header_however_it_is_cut)
{
	static const size_t steps[] = {1, 2, 3, 7, 100000};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
			options.submission = !rows[i].stranger;
			options.strip = rows[i].strip;
			begin_content();
			cr_assert(append(bytes_of(rows[i].content), steps[j]));
			cr_assert(content_finish(&content, &error));
			cr_expect(bytes_is(result(), rows[i].expected),
			    "%s by %zu: %.*s", rows[i].name, steps[j],
			    BYTES_ARGS(result()));
			end_content();
		}
}

/* A header field X of size octets in all, then an empty line and a body. */
static char *
long_header(size_t size)
{
	char *text = memory_array(size + 16, 1);

	memset(text, 'x', size);
	memcpy(text, "X: ", 3);
	memcpy(text + size - 2, "\r\n", 2);
	memcpy(text + size, "\r\nbody\r\n", 9);
	return text;
}

Test(content, passes_a_long_header_on)
{
	static const size_t sizes[] = {HEADER_SIZE_MAX - 4, HEADER_SIZE_MAX - 3,
	    HEADER_SIZE_MAX - 2, HEADER_SIZE_MAX - 1, HEADER_SIZE_MAX,
	    HEADER_SIZE_MAX + 1, 2 * HEADER_SIZE_MAX};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *text = long_header(sizes[i]);
		begin_content();
		cr_assert(append(bytes_of(text), 5000));
		cr_assert(content_finish(&content, &error));
		struct bytes all = result();
		cr_expect(bytes_has_prefix(all, RECEIVED));
		cr_expect(
		    bytes_is(bytes_from(all, all.len - strlen(text)), text));
		end_content();
		free(text);
	}
}

Test(content, refuses_a_long_header_that_may_tell_blind_recipients)
{
	char *text = long_header(2 * HEADER_SIZE_MAX);

	options.strip = true;
	begin_content();
	cr_expect_not(append(bytes_of(text), 5000));
	cr_expect_eq(error.kind, ERROR_DATA);
	end_content();
	free(text);
}

Test(content, leaves_bare_addresses_where_the_domains_would_outgrow_the_header)
{
	struct buffer text;
	static char origin[256];

	memset(origin, 'o', sizeof(origin) - 1);
	rewrite.origin = origin;
	buffer_init(&text, 1 << 20);
	buffer_append_text(&text, "To: a");
	while (text.len < 200000)
		buffer_append_text(&text, ",a");
	buffer_append_text(&text, "\r\n\r\nbody\r\n");
	begin_content();
	cr_assert(append(buffer_bytes(&text), 60000), "%s", error.text);
	cr_assert(content_finish(&content, &error));
	struct bytes all = result();
	cr_expect(bytes_equal(
	    bytes_from(all, all.len - text.len), buffer_bytes(&text)));
	end_content();
	buffer_clear(&text);
}

Test(content, sees_a_loop)
{
	begin_content();
	cr_assert(append(BYTES("Received: a\r\nReceived: b\r\n\r\n"), 10));
	cr_assert(content_finish(&content, &error));
	cr_expect_not(content_loops(&content));
	end_content();
	begin_content();
	cr_assert(append(
	    BYTES("Received: a\r\nreceived: b\r\nReceived: c\r\n\r\n"), 10));
	cr_assert(content_finish(&content, &error));
	cr_expect(content_loops(&content));
	end_content();
}

/* ---- memory and disk ---- */

#define LINE "0123456789012345678901234567890123456789\r\n"

static bool
append_lines(size_t size)
{
	for (size_t at = 0; at < size; at += sizeof(LINE) - 1)
		if (!content_append(&content, BYTES(LINE), &error))
			return false;
	return true;
}

Test(content, holds_memory_until_it_is_in_a_file)
{
	begin_content();
	cr_assert(append(BYTES("S: s\r\n\r\n"), 100));
	cr_assert(append_lines(100000));
	cr_expect_geq(admission.memory, 100000);
	cr_expect_eq(count_files(), 0);
	cr_assert(append_lines(1 << 20));
	cr_expect_eq(admission.memory, 0);
	cr_expect_eq(count_files(), 1);
	end_content();
}

Test(content, removes_its_file_when_it_is_given_up_after_its_end)
{
	begin_content();
	cr_assert(append(BYTES("S: s\r\n\r\n"), 100));
	cr_assert(append_lines(2 << 20));
	cr_assert(content_finish(&content, &error));
	cr_expect_eq(count_files(), 1);
	end_content();
	cr_expect_eq(count_files(), 0);
}

Test(content, leaves_its_file_to_whom_the_message_was_handed)
{
	begin_content();
	cr_assert(append(BYTES("S: s\r\n\r\n"), 100));
	cr_assert(append_lines(2 << 20));
	cr_assert(content_finish(&content, &error));
	content_release(&content);
	cr_expect_eq(count_files(), 1);
	cr_assert_eq(
	    unlinkat(limits.large_directory_fd, message->body.name, 0), 0);
	message_free(message);
}

Test(content, refuses_more_than_memory_holds)
{
	limits.memory_max = 50000;
	begin_content();
	cr_assert(append(BYTES("S: s\r\n\r\n"), 100));
	cr_expect_not(append_lines(60000));
	cr_expect_eq(error.kind, ERROR_LIMIT);
	end_content();
}
