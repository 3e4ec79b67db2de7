#include "tools/status_text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#define NOW 1795413180000 /* 2026-11-23 05:53:00 */

typedef void layout_fn(const json_t *json, const struct status_style *style,
    struct buffer *buffer);

static char *
laid_out(layout_fn *fn, const char *text, struct status_style style)
{
	struct buffer buffer;
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	cr_assert_not_null(json, "%s", error.text);
	cr_assert_eq(setenv("TZ", "UTC", 1), 0);
	tzset();
	buffer_init(&buffer, 1 << 20);
	fn(json, &style, &buffer);
	char *result = buffer_to_text(&buffer);
	buffer_clear(&buffer);
	json_decref(json);
	return result;
}

static const char full_status[] =
    "{\"version\":\"0.1.0\",\"pid\":4711,\"state\":\"running\","
    "\"started_at\":\"2026-11-23T03:39:40.000Z\",\"uptime_ms\":8000000,"
    "\"queue\":{\"waiting\":3,\"in_flight\":1,\"settling\":0,\"held\":1,"
    "\"messages\":5,\"bytes\":73400320},"
    "\"counters\":{\"accepted\":1234,\"delivered\":1200,\"deferred\":30,"
    "\"bounced\":1,\"duplicates_possible\":1,\"rejected\":2,"
    "\"drop_taken\":5,\"drop_failed\":0},"
    "\"upstreams\":[{\"name\":\"main\",\"transport\":\"smtp\","
    "\"state\":\"ok\",\"reason\":null,\"next_try_at\":null,\"in_flight\":2},"
    "{\"name\":\"backup\",\"transport\":\"lmtp\",\"state\":\"down\","
    "\"reason\":\"connect to b: Connection refused\","
    "\"next_try_at\":\"2026-11-23T05:57:30.000Z\",\"in_flight\":0}],"
    "\"etrn\":[{\"host\":\"mx.isp.example\",\"node\":\"rnd.example\","
    "\"state\":\"ok\",\"last_reply\":\"253 3 pending\","
    "\"last_success_at\":\"2026-11-23T05:50:00.000Z\",\"failures\":0,"
    "\"count\":3,\"next_at\":\"2026-11-23T06:05:00.000Z\"}],"
    "\"listeners\":[\"/run/postrider/smtp.sock\",\"127.0.0.1:25\"],"
    "\"warnings\":[\"mail to x goes in clear text\"]}";

Test(status_text, lays_a_status_out)
{
	struct status_style plain = {false, 0, NOW};
	char *text = laid_out(status_text, full_status, plain);

	cr_expect_str_eq(text,
	    "postrider 0.1.0 is running, pid 4711, since 2026-11-23 03:39:40 "
	    "(2h13m)\n"
	    "\n"
	    "queue       5 messages: 3 waiting, 1 in flight, 0 settling, "
	    "1 held; 70M on disk\n"
	    "since start accepted 1234, delivered 1200, deferred 30, bounced "
	    "1, rejected 2\n"
	    "            drop files taken 5, refused 0; possibly delivered "
	    "twice 1\n"
	    "\n"
	    "upstreams\n"
	    "  main    smtp    ok      2 in flight\n"
	    "  backup  lmtp    down    connect to b: Connection refused; next "
	    "try in 4m30s\n"
	    "\n"
	    "ETRN\n"
	    "  mx.isp.example  rnd.example  ok      succeeded 3m ago, next in "
	    "12m: 253 3 pending\n"
	    "\n"
	    "listening   /run/postrider/smtp.sock\n"
	    "            127.0.0.1:25\n"
	    "warning     mail to x goes in clear text\n");
	free(text);
}

Test(status_text, does_with_nothing)
{
	struct status_style plain = {false, 0, NOW};
	char *text = laid_out(status_text, "{}", plain);

	cr_expect_str_eq(text,
	    "postrider  is , pid 0\n"
	    "\n"
	    "queue       0 messages: 0 waiting, 0 in flight, 0 settling, "
	    "0 held; 0 bytes on disk\n"
	    "since start accepted 0, delivered 0, deferred 0, bounced 0, "
	    "rejected 0\n"
	    "            drop files taken 0, refused 0\n");
	free(text);
}

Test(status_text, colors_states_and_cuts_lines)
{
	static const struct {
		size_t columns;
		const char *expected;
	} rows[] = {
	    {30, "  mx.isp.example  rnd.example\033[0m\n"},
	    {32, "  mx.isp.example  rnd.example  \033[32mo\033[0m\n"},
	    {200,
		"  mx.isp.example  rnd.example  \033[32mok      \033[0m"
		"succeeded 3m ago, next in 12m: 253 3 pending\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct status_style style = {true, rows[i].columns, NOW};
		char *text = laid_out(status_text_etrn, full_status, style);

		cr_expect_str_eq(text, rows[i].expected);
		free(text);
	}
}

Test(status_text, shows_a_message)
{
	struct status_style plain = {false, 0, NOW};
	char *text = laid_out(status_text_message,
	    "{\"queue_id\":\"4bXkzM2wQ1t\",\"message_size\":1337,"
	    "\"sender\":\"\",\"state\":\"waiting\",\"attempts\":2,"
	    "\"next_at\":\"2026-11-23T05:57:00.000Z\",\"uid\":1000,"
	    "\"arrived_at\":\"2026-11-23T05:52:00.123Z\","
	    "\"envelope_id\":\"e1\",\"client\":\"pid 123\","
	    "\"attempted_at\":\"2026-11-23T05:52:30.000Z\",\"in_doubt\":1,"
	    "\"history\":[{\"address\":\"ops@example.com\","
	    "\"state\":\"waiting\",\"status\":\"4.4.1\","
	    "\"reason\":\"Connection refused\",\"upstream\":\"main\"},"
	    "{\"address\":\"dev@example.com\",\"state\":\"waiting\","
	    "\"status\":null,\"reason\":null,\"upstream\":null}],"
	    "\"header\":\"Received: from x\\r\\n\\tby y\\r\\nSubject: "
	    "a\\u001b[2J\\r\\n\"}",
	    plain);

	cr_expect_str_eq(text,
	    "4bXkzM2wQ1t  waiting, next try in 4m\n"
	    "  arrived    2026-11-23 05:52:00 (59s ago) from uid 1000, pid "
	    "123\n"
	    "  size       1337\n"
	    "  sender     <> (a report)\n"
	    "  ENVID      e1\n"
	    "  attempts   2, the last 2026-11-23 05:52:30 (30s ago)\n"
	    "  in doubt   1 of them may have delivered it\n"
	    "  recipient  waiting   ops@example.com\n"
	    "                       4.4.1 Connection refused (main)\n"
	    "  recipient  waiting   dev@example.com\n"
	    "\n"
	    "  | Received: from x\n"
	    "  |   by y\n"
	    "  | Subject: a?[2J\n");
	free(text);
}
