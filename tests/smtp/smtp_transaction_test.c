#include "smtp/dialogue.h"

#include <criterion/criterion.h>

/* Greeted; lines are EHLO lines behind the first. */
#define GREETED(lines)                                                         \
	"O: open\nS: 220 mx\nC: EHLO me.example\nS: 250-mx\n" lines            \
	"S: 250 HELP\nE: READY\n"
#define PLAINLY   GREETED("")
#define PIPELINED GREETED("S: 250-PIPELINING\n")
#define CHUNKED   GREETED("S: 250-PIPELINING\nS: 250-CHUNKING\n")
#define LOCAL     GREETED("S: 250-PIPELINING\n")

#define MAIL    "C: MAIL FROM:<a@x.example>\n"
#define RCPT(n) "C: RCPT TO:<" n "@y.example>\n"
#define DATA    "C: DATA\n"
#define OK      "S: 250 ok\n"
#define GO      "S: 354 go\n"
#define HI      "C: Hi\nC: .\n"
#define SENT    "S: 250 2.0.0 queued\n"

static const struct smtp_client_recipient people[] = {
    DIALOGUE_RECIPIENT("b@y.example"),
    DIALOGUE_RECIPIENT("c@y.example"),
    DIALOGUE_RECIPIENT("d@z.example"),
};

static const struct smtp_client_recipient strange[] = {
    DIALOGUE_RECIPIENT("b\r\nDATA@y.example"),
    DIALOGUE_RECIPIENT("c\xc3\xa9@y.example"),
    DIALOGUE_RECIPIENT("c@y.example"),
};

/* Their domains have an ASCII form. */
static const struct smtp_client_recipient foreign[] = {
    DIALOGUE_RECIPIENT("b@b\xc3\xbc"
		       "cher.example"),
};

static const struct dialogue_message messages[] = {
    {DIALOGUE_MESSAGE("a@x.example", people, 1), "Hi\n", 0},
    {DIALOGUE_MESSAGE("a@x.example", people, 2), "Hi\n", 0},
    {DIALOGUE_MESSAGE("a@x.example", people, 3), "Hi\n", 0},
    {DIALOGUE_MESSAGE("a@x.example", people, 1), ".\n..\nx.\r\r\n.\r", 1},
    {DIALOGUE_MESSAGE("", people, 1), "", 0},
    {DIALOGUE_MESSAGE("a@x.example", strange, 3), "Hi\n", 0},
    {DIALOGUE_MESSAGE("a\n@x.example", people, 1), "Hi\n", 0},
    {DIALOGUE_MESSAGE("a@x.example", strange, 2), "Hi\n", 0},
    {DIALOGUE_MESSAGE("a@b\xc3\xbc"
		      "cher.example",
	 foreign, 1),
	"Hi\n", 0},
};

/* Parameters that only the caller knows; line ends as they are. */
static const struct smtp_client_recipient further[] = {
    {.address = {"b@y.example", 11},
	.params = {.original = {"", 0}},
	.more = {"A=1 B", 5}},
};

static const struct dialogue_message further_messages[] = {
    {{.sender = {"a@x.example", 11},
	 .params = {.has_size = true,
	     .size_bytes = 3,
	     .envelope_id = {"", 0},
	     .auth = {"", 0}},
	 .more = {"HOLDFOR=5", 9},
	 .recipients = further,
	 .recipient_count = 1},
	"Hi\n", 0},
};

Test(smtp_transaction, appends_further_parameters_as_they_are)
{
	const struct dialogue dialogue = {
	    .name = "further",
	    .messages = further_messages,
	    .text = GREETED(
		"S: 250-SIZE\n") "O: send 1\n"
				 "C: MAIL FROM:<a@x.example> SIZE=3 "
				 "HOLDFOR=5\n" OK
				 "C: RCPT TO:<b@y.example> A=1 B\n" OK
				 "E: RECIPIENT 1.0 RCPT 250\n" DATA GO HI SENT
				 "E: DONE 1 end of data 250 2.0.0\n",
	};

	dialogue_check(&dialogue);
}

#define TALK(title, ...)                                                       \
	{                                                                      \
		.name = title, .messages = messages, .text = __VA_ARGS__       \
	}

static void
check_all(const struct dialogue *dialogues, size_t count)
{
	for (size_t i = 0; i < count; i++)
		dialogue_check(&dialogues[i]);
}

#define CHECK_ALL(dialogues)                                                   \
	check_all(dialogues, sizeof(dialogues) / sizeof(dialogues[0]))

/* Row 5321 2.3.5, 6531: without SMTPUTF8, or where it is not asked for. */
static const struct dialogue foreigners[] = {
    TALK("SMTPUTF8 is not offered",
	PLAINLY "O: send 9\nC: MAIL FROM:<a@xn--bcher-kva.example>\n" OK
		"C: RCPT TO:<b@xn--bcher-kva.example>\n" OK
		"E: RECIPIENT 9.0 RCPT 250\n" DATA GO HI SENT
		"E: DONE 9 end of data 250 2.0.0\n"),
    TALK("SMTPUTF8 is not needed",
	GREETED("S: 250-SMTPUTF8\n") "O: send 9\n"
				     "C: MAIL FROM:<a@xn--bcher-kva.example>"
				     "\n"),
};

Test(smtp_transaction, writes_domains_in_their_ascii_form)
{
	CHECK_ALL(foreigners);
}

/* ---- one command, one reply ---- */

static const struct dialogue lockstep[] = {
    TALK("a message",
	PLAINLY "O: send 1\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 1.0 RCPT 250\n" DATA GO HI SENT
	"E: DONE 1 end of data 250 2.0.0\n"),
    TALK("two messages",
	PLAINLY "O: send 1\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 1.0 RCPT 250\n" DATA GO HI SENT
	"E: DONE 1 end of data 250 2.0.0\n"
	"O: send 1\n" MAIL "S: 550 no\nE: DONE 1 MAIL 550\n"),
    TALK("HELO has no parameters",
	"O: open\nS: 220 mx\nC: EHLO me.example\nS: 500 what\n"
	"C: HELO me.example\nS: 250 mx\nE: READY\n"
	"O: send 1\n" MAIL OK RCPT("b")),
    TALK("no content at all, from nobody",
	PLAINLY "O: send 5\nC: MAIL FROM:<>\n" OK RCPT("b") OK
	"E: RECIPIENT 5.0 RCPT 250\n" DATA GO "C: .\n" SENT
	"E: DONE 5 end of data 250 2.0.0\n"),
    TALK("A20, A21: dots and line ends, one octet at a time",
	PLAINLY "O: send 4\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 4.0 RCPT 250\n" DATA GO
	"C: ..\nC: ...\nC: x.\nC: \nC: ..\nC: .\n" SENT
	"E: DONE 4 end of data 250 2.0.0\n"),
    TALK("251 and 252 are as good as 250",
	PLAINLY "O: send 2\n" MAIL OK
	    RCPT("b") "S: 251 will forward\nE: RECIPIENT 2.0 RCPT 251\n" RCPT(
		"c") "S: 252 cannot vrfy\nE: RECIPIENT 2.1 RCPT 252\n" DATA),
    TALK("I7: MAIL is refused: no RSET is owed",
	PLAINLY "O: send 1\n" MAIL "S: 550 5.7.1 no\nE: DONE 1 MAIL 550 5.7.1\n"
		"O: send 1\n" MAIL "S: 451 later\nE: DONE 1 MAIL 451\n"),
    TALK("one of two recipients is refused",
	PLAINLY "O: send 2\n" MAIL OK RCPT(
	    "b") "S: 550 5.1.1 no\nE: RECIPIENT 2.0 RCPT 550 5.1.1\n" RCPT("c")
	    OK "E: RECIPIENT 2.1 RCPT 250\n" DATA GO HI SENT
	       "E: DONE 2 end of data 250 2.0.0\n"),
    TALK("all recipients are refused: no DATA, a RSET before the next",
	PLAINLY "O: send 2\n" MAIL OK
	    RCPT("b") "S: 550 5.1.1 no\nE: RECIPIENT 2.0 RCPT 550 5.1.1\n" RCPT(
		"c") "S: 450 4.2.1 later\nE: RECIPIENT 2.1 RCPT 450 4.2.1\n"
		     "E: DONE 2 RCPT 450 4.2.1\n"
		     "O: send 1\nC: RSET\n" OK MAIL OK RCPT("b")),
    TALK("DATA is refused: a RSET before the next",
	PLAINLY "O: send 1\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 1.0 RCPT 250\n" DATA "S: 451 4.3.0 no\n"
	"E: DONE 1 DATA 451 4.3.0\nO: send 1\nC: RSET\n" OK MAIL),
    TALK("RSET is refused: no further message",
	PLAINLY "O: send 1\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 1.0 RCPT 250\n" DATA "S: 451 4.3.0 no\n"
	"E: DONE 1 DATA 451 4.3.0\nO: send 1\nC: RSET\nS: 502 no\n"
	"E: DONE 1 RSET 502\nO: quit\nC: QUIT\n"),
    TALK("the content is refused: no RSET is owed",
	PLAINLY "O: send 1\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 1.0 RCPT 250\n" DATA GO HI "S: 554 5.6.0 spam\n"
	"E: DONE 1 end of data 554 5.6.0\nO: send 1\n" MAIL),
    TALK("250 to DATA",
	PLAINLY "O: send 1\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 1.0 RCPT 250\n" DATA OK
	"E: DONE 1 DATA malformed\nE: OVER DATA malformed\n"),
    TALK("354 to MAIL",
	PLAINLY "O: send 1\n" MAIL GO
		"E: DONE 1 MAIL malformed\nE: OVER MAIL malformed\n"),
    TALK("354 to the content",
	PLAINLY "O: send 1\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 1.0 RCPT 250\n" DATA GO HI GO
	"E: DONE 1 end of data malformed, in doubt\n"
	"E: OVER end of data malformed, in doubt\n"),
    TALK("I4: more replies than commands",
	PLAINLY "O: send 1\n" MAIL OK OK GO
		"E: DONE 1 RCPT malformed\nE: OVER RCPT malformed\n"),
    TALK("I4: a reply to nothing, between messages",
	PLAINLY "S: 250 ok\nE: OVER command malformed\n"),
    TALK("421 to nothing, between messages",
	PLAINLY "S: 421 4.4.2 idle\nE: OVER command 421 4.4.2\n"),
    TALK("I5: a final reply before the end",
	PLAINLY "O: send 1\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 1.0 RCPT 250\n" DATA "S: 354 go\nS: 250 accepted\n"
	"E: DONE 1 content malformed\nE: OVER content malformed\n"),
    TALK("421 before the end of the content",
	PLAINLY "O: send 1\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 1.0 RCPT 250\n" DATA "S: 354 go\nS: 421 oh\n"
	"E: DONE 1 content 421\nE: OVER content 421\n"),
    TALK("I6: the end, and no reply",
	PLAINLY "O: send 1\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 1.0 RCPT 250\n" DATA GO HI "B: 25\nO: eof\n"
	"E: DONE 1 end of data closed, in doubt\n"
	"E: OVER end of data closed, in doubt\n"),
    TALK("I6: the end, and nonsense",
	PLAINLY "O: send 1\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 1.0 RCPT 250\n" DATA GO HI "S: 2 OK\n"
	"E: DONE 1 end of data malformed, in doubt\n"
	"E: OVER end of data malformed, in doubt\n"),
    TALK("the caller fails",
	PLAINLY "O: send 1\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 1.0 RCPT 250\n" DATA
	"O: fail content\nE: DONE 1 content failed\n"
	"E: OVER content failed\n"),
    TALK("a sender of two lines is not sent",
	PLAINLY "O: send 7\nE: DONE 7 MAIL not offered 553 5.1.7\n"
		"O: send 1\n" MAIL),
    TALK("recipients that cannot be sent are refused by us",
	PLAINLY "O: send 6\n" MAIL OK
		"E: RECIPIENT 6.0 RCPT not offered 553 5.1.3\n"
		"E: RECIPIENT 6.1 RCPT not offered 553 5.6.7\n" RCPT("c") OK
	"E: RECIPIENT 6.2 RCPT 250\n" DATA),
    TALK("no recipient can be sent",
	PLAINLY "O: send 8\n" MAIL OK
		"E: RECIPIENT 8.0 RCPT not offered 553 5.1.3\n"
		"E: RECIPIENT 8.1 RCPT not offered 553 5.6.7\n"
		"E: DONE 8 RCPT not offered 553 5.1.3\nO: send 1\nC: RSET\n"),
};

Test(smtp_transaction, goes_in_lockstep)
{
	CHECK_ALL(lockstep);
}

/* ---- groups of commands ---- */

static const struct dialogue groups[] = {
    TALK("a message",
	PIPELINED "O: send 2\n" MAIL RCPT("b") RCPT("c") DATA OK OK
	"S: 550 5.1.1 no\n" GO "E: RECIPIENT 2.0 RCPT 250\n"
	"E: RECIPIENT 2.1 RCPT 550 5.1.1\n" HI SENT
	"E: DONE 2 end of data 250 2.0.0\n"),
    TALK("not where it is not wanted",
	PIPELINED "O: send 1\n" MAIL OK RCPT("b"),
	.options = {.no_pipelining = true}),
    TALK("the next message behind the dot",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA OK OK GO
	"E: RECIPIENT 1.0 RCPT 250\n" HI "O: send 2\n" MAIL RCPT("b") RCPT("c")
	    DATA SENT OK OK OK GO
	"E: DONE 1 end of data 250 2.0.0\n"
	"E: RECIPIENT 2.0 RCPT 250\nE: RECIPIENT 2.1 RCPT 250\n" HI
	"O: send 1\n" MAIL RCPT("b") DATA "S: 554 5.6.0 spam\n" OK OK GO
					  "E: DONE 2 end of data 554 5.6.0\n"
					  "E: RECIPIENT 1.0 RCPT 250\n" HI SENT
					  "E: DONE 1 end of data 250 2.0.0\n"),
    TALK("MAIL is refused, and so all the rest",
	PIPELINED "O: send 2\n" MAIL RCPT("b") RCPT("c") DATA
	"S: 550 5.7.1 no\nS: 503 no\nS: 503 no\nS: 503 no\n"
	"E: DONE 2 MAIL 550 5.7.1\nO: send 1\n" MAIL RCPT("b") DATA),
    TALK("MAIL is refused, yet 354: a lone dot",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA
	"S: 550 5.7.1 no\nS: 503 no\n" GO "C: .\n" SENT
	"E: DONE 1 MAIL 550 5.7.1\nO: send 1\n" MAIL RCPT("b") DATA),
    TALK("MAIL is refused, yet a recipient taken: no empty message to it",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA
	"S: 550 5.7.1 no\nS: 250 ok\n" GO
	"E: DONE 1 MAIL 550 5.7.1\nE: OVER DATA malformed\n"),
    TALK("no recipient, and so no DATA",
	PIPELINED "O: send 2\n" MAIL RCPT("b") RCPT("c") DATA OK
	"S: 550 5.1.1 no\nS: 452 4.5.3 no\nS: 503 no\n"
	"E: RECIPIENT 2.0 RCPT 550 5.1.1\n"
	"E: RECIPIENT 2.1 RCPT 452 4.5.3\nE: DONE 2 RCPT 452 4.5.3\n"
	"O: send 1\nC: RSET\n" MAIL RCPT("b") DATA OK OK OK GO
	"E: RECIPIENT 1.0 RCPT 250\n" HI),
    TALK("no recipient, yet 354: a lone dot, whatever is said to it",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA OK
	"S: 550 5.1.1 no\n" GO "E: RECIPIENT 1.0 RCPT 550 5.1.1\nC: .\n" SENT
	"E: DONE 1 RCPT 550 5.1.1\n"
	"O: send 1\n" MAIL RCPT("b") DATA),
    TALK("a lone dot is refused",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA OK
	"S: 550 5.1.1 no\n" GO
	"E: RECIPIENT 1.0 RCPT 550 5.1.1\nC: .\nS: 554 no\n"
	"E: DONE 1 RCPT 550 5.1.1\n"
	"O: send 1\n" MAIL RCPT("b") DATA),
    TALK("the connection ends behind a lone dot: no doubt",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA OK
	"S: 550 5.1.1 no\n" GO "E: RECIPIENT 1.0 RCPT 550 5.1.1\nC: .\nO: eof\n"
	"E: DONE 1 RCPT 550 5.1.1\nE: OVER end of data closed\n"),
    TALK("DATA is refused for itself",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA OK OK
	"S: 451 no\n"
	"E: RECIPIENT 1.0 RCPT 250\nE: DONE 1 DATA 451\n"
	"O: send 1\nC: RSET\n" MAIL RCPT("b") DATA),
    TALK("I4: a reply too many is seen before the content",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA OK OK OK GO
	"E: RECIPIENT 1.0 RCPT 250\nE: DONE 1 DATA malformed\n"
	"E: OVER DATA malformed\n"),
    TALK("421 to MAIL",
	PIPELINED "O: send 2\n" MAIL RCPT("b") RCPT("c") DATA
	"S: 421 4.3.2 x\n"
	"E: DONE 2 MAIL 421 4.3.2\nE: OVER MAIL 421 4.3.2\n"),
    TALK("421 to a recipient",
	PIPELINED "O: send 3\n" MAIL RCPT("b")
	    RCPT("c") "C: RCPT TO:<d@z.example>\n" DATA OK OK "S: 421 4.3.2 x\n"
		      "E: RECIPIENT 3.0 RCPT 250\n"
		      "E: RECIPIENT 3.1 RCPT 421 4.3.2\n"
		      "E: DONE 3 RCPT 421 4.3.2\nE: OVER RCPT 421 4.3.2\n"),
    TALK("421 to the content, the next behind it",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA OK OK GO
	"E: RECIPIENT 1.0 RCPT 250\n" HI "O: send 2\n" MAIL RCPT("b") RCPT("c")
	    DATA "S: 421 4.3.2 x\n"
		 "E: DONE 1 end of data 421 4.3.2\n"
		 "E: DONE 2 MAIL 421 4.3.2\nE: OVER end of data 421 4.3.2\n"),
    TALK("the connection ends, two messages under way",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA OK OK GO
	"E: RECIPIENT 1.0 RCPT 250\n" HI "O: send 2\n" MAIL RCPT("b") RCPT("c")
	    DATA "O: eof\n"
		 "E: DONE 1 end of data closed, in doubt\n"
		 "E: DONE 2 MAIL closed\n"
		 "E: OVER end of data closed, in doubt\n"),
    TALK("what was known when the connection ended counts",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA
	"S: 550 5.7.1 no\nO: eof\n"
	"E: DONE 1 MAIL 550 5.7.1\nE: OVER RCPT closed\n"),
    TALK("one behind the dot that cannot be sent is over before it",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA OK OK GO
	"E: RECIPIENT 1.0 RCPT 250\n" HI
	"O: send 7\nE: DONE 7 MAIL not offered 553 5.1.7\n"
	"O: send 1\n" MAIL RCPT("b") DATA SENT
	"E: DONE 1 end of data 250 2.0.0\n"),
    TALK("QUIT waits for what is under way",
	PIPELINED "O: send 1\n" MAIL RCPT("b") DATA
	"O: quit\n" OK OK GO "E: RECIPIENT 1.0 RCPT 250\n" HI SENT
	"E: DONE 1 end of data 250 2.0.0\nC: QUIT\nS: 221 bye\n"
	"E: REPLY QUIT 221\nE: OVER QUIT 221\n"),
};

Test(smtp_transaction, goes_in_groups)
{
	CHECK_ALL(groups);
}

/* ---- BDAT ---- */

static const struct dialogue_message chunks[] = {
    {DIALOGUE_MESSAGE("a@x.example", people, 2), "Hi\n", 0},
    {DIALOGUE_MESSAGE("a@x.example", people, 2), ".a\nb", 2},
    {DIALOGUE_MESSAGE("a@x.example", people, 1), "", 0},
    {DIALOGUE_MESSAGE("a@x.example", people, 1), "\r\n", 1},
    {DIALOGUE_MESSAGE("a@x.example", people, 1), "a\nb\nc\nd\ne\nf\n", 1},
};

#undef TALK
#define TALK(title, ...)                                                       \
	{                                                                      \
		.name = title, .messages = chunks, .text = __VA_ARGS__         \
	}
#define BOTH       MAIL RCPT("b") RCPT("c")
#define BOTH_TAKEN "E: RECIPIENT 1.0 RCPT 250\nE: RECIPIENT 1.1 RCPT 250\n"

static const struct dialogue chunked[] = {
    TALK("a message in one group",
	CHUNKED "O: send 1\n" BOTH
		"C: BDAT 4 LAST\nC: Hi\n" OK OK OK SENT BOTH_TAKEN
		"E: DONE 1 end of data 250 2.0.0\n"),
    TALK("no content",
	CHUNKED "O: send 3\n" MAIL RCPT(
	    "b") "C: BDAT 0 LAST\n" OK OK SENT "E: RECIPIENT 3.0 RCPT 250\n"
		 "E: DONE 3 end of data 250 2.0.0\n"),
    TALK("no chunk for a line end that is not whole",
	CHUNKED "O: send 4\n" MAIL RCPT("b") "C: BDAT 2 LAST\nC: \n" OK),
    TALK("one chunk with the envelope, the others behind its replies",
	CHUNKED "O: send 2\n" BOTH "C: BDAT 2\nP: .a\n" OK OK OK
		"E: RECIPIENT 2.0 RCPT 250\nE: RECIPIENT 2.1 RCPT 250\n"
		"C: BDAT 5 LAST\nC: \nC: b\n" OK SENT
		"E: DONE 2 end of data 250 2.0.0\n"),
    TALK("at most eight chunks without a reply",
	CHUNKED "O: send 5\n" MAIL RCPT(
	    "b") "C: BDAT 1\nP: a\n" OK OK "E: RECIPIENT 5.0 RCPT 250\n"
		 "C: BDAT 2\nC: \nC: BDAT 1\nC: bBDAT 2\nC: \n"
		 "C: BDAT 1\nC: cBDAT 2\nC: \nC: BDAT 1\nC: dBDAT 2\n"
		 "C: \n" OK "C: BDAT 1\nP: e\n" OK "C: BDAT 2\nC: \n" OK
		 "C: BDAT 1\nP: f\n" OK "C: BDAT 2 LAST\nC: \n"),
    TALK("in lockstep where PIPELINING is not offered",
	GREETED("S: 250-CHUNKING\n") "O: send 2\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 2.0 RCPT 250\n" RCPT("c") OK
	"E: RECIPIENT 2.1 RCPT 250\nC: BDAT 2\nP: .a\n" OK
	"C: BDAT 5 LAST\nC: \nC: b\n" SENT "E: DONE 2 end of data 250 2.0.0\n"),
    TALK("not where it is not wanted", CHUNKED "O: send 1\n" BOTH DATA,
	.options = {.no_chunking = true}),
    TALK("no recipient: a RSET before the next",
	CHUNKED "O: send 1\n" BOTH "C: BDAT 4 LAST\nC: Hi\n" OK
		"S: 550 no\nS: 550 no\nS: 503 no\n"
		"E: RECIPIENT 1.0 RCPT 550\nE: RECIPIENT 1.1 RCPT 550\n"
		"E: DONE 1 RCPT 550\n"
		"O: send 3\nC: RSET\n" MAIL RCPT("b") OK "C: BDAT 0 LAST\n" OK),
    TALK("RSET is refused: no content for whom the server did not forget",
	CHUNKED "O: send 1\n" BOTH "C: BDAT 4 LAST\nC: Hi\n" OK
		"S: 550 no\nS: 550 no\nS: 503 no\n"
		"E: RECIPIENT 1.0 RCPT 550\nE: RECIPIENT 1.1 RCPT 550\n"
		"E: DONE 1 RCPT 550\n"
		"O: send 3\nC: RSET\n" MAIL RCPT(
		    "b") "S: 502 no\n" OK OK
			 "E: DONE 3 RSET 502\nO: quit\nC: QUIT\n"),
    TALK("no recipient, yet the content is taken",
	CHUNKED
	"O: send 1\n" BOTH "C: BDAT 4 LAST\nC: Hi\n" OK
	"S: 550 no\nS: 550 no\n" SENT
	"E: RECIPIENT 1.0 RCPT 550\nE: RECIPIENT 1.1 RCPT 550\n"
	"E: DONE 1 RCPT 550\nO: send 3\n" MAIL RCPT("b") "C: BDAT 0 LAST\n"),
    TALK("a chunk is refused: no further one, and a RSET",
	CHUNKED "O: send 2\n" BOTH "C: BDAT 2\nP: .a\n" OK OK OK
		"E: RECIPIENT 2.0 RCPT 250\nE: RECIPIENT 2.1 RCPT 250\n"
		"C: BDAT 5 LAST\nC: \nC: b\nS: 452 4.3.1 full\nS: 503 no\n"
		"E: DONE 2 content 452 4.3.1\nO: send 3\nC: RSET\n" MAIL RCPT(
		    "b") OK "C: BDAT 0 LAST\n"),
    TALK("the last chunk is refused: a RSET",
	CHUNKED
	"O: send 1\n" BOTH "C: BDAT 4 LAST\nC: Hi\n" OK OK OK
	"S: 554 5.6.0 spam\n" BOTH_TAKEN
	"E: DONE 1 end of data 554 5.6.0\nO: send 3\nC: RSET\n" MAIL RCPT("b")
	    OK "C: BDAT 0 LAST\n"),
    TALK("the next message behind it, with a RSET in case",
	CHUNKED "O: send 1\n" BOTH "C: BDAT 4 LAST\nC: Hi\n"
		"O: send 3\nC: RSET\n" MAIL RCPT("b") OK OK OK SENT BOTH_TAKEN
	"E: DONE 1 end of data 250 2.0.0\n" OK "C: BDAT 0 LAST\n" OK OK
	"S: 250 2.0.1 queued\n"
	"E: RECIPIENT 3.0 RCPT 250\n"
	"E: DONE 3 end of data 250 2.0.1\n"
	"O: send 3\n" MAIL RCPT("b") "C: BDAT 0 LAST\n"),
    TALK("the next message behind one that is refused",
	CHUNKED "O: send 1\n" BOTH "C: BDAT 4 LAST\nC: Hi\n"
		"O: send 3\nC: RSET\n" MAIL RCPT("b") OK OK OK
	"S: 554 5.6.0 spam\n" BOTH_TAKEN "E: DONE 1 end of data 554 5.6.0\n" OK
	"C: BDAT 0 LAST\n" OK OK SENT "E: RECIPIENT 3.0 RCPT 250\n"
	"E: DONE 3 end of data 250 2.0.0\n"
	"O: send 3\n" MAIL RCPT("b") "C: BDAT 0 LAST\n"),
    TALK("the connection ends with all in the group: in doubt",
	CHUNKED "O: send 1\n" BOTH "C: BDAT 4 LAST\nC: Hi\nO: eof\n"
		"E: DONE 1 MAIL closed, in doubt\n"
		"E: OVER MAIL closed, in doubt\n"),
    TALK("MAIL was refused before it ended: no doubt",
	CHUNKED "O: send 1\n" BOTH "C: BDAT 4 LAST\nC: Hi\nS: 550 no\nO: eof\n"
		"E: DONE 1 MAIL 550\nE: OVER RCPT closed\n"),
    TALK("two in doubt",
	CHUNKED "O: send 1\n" BOTH "C: BDAT 4 LAST\nC: Hi\n"
		"O: send 3\nC: RSET\n" MAIL RCPT("b") OK OK OK
	"O: eof\n" BOTH_TAKEN "E: DONE 1 end of data closed, in doubt\n"
	"E: DONE 3 RSET closed\n"
	"E: OVER end of data closed, in doubt\n"),
    TALK("421 leaves no doubt",
	CHUNKED "O: send 1\n" BOTH "C: BDAT 4 LAST\nC: Hi\n" OK
		"S: 421 4.3.2 x\nE: RECIPIENT 1.0 RCPT 421 4.3.2\n"
		"E: DONE 1 RCPT 421 4.3.2\nE: OVER RCPT 421 4.3.2\n"),
};

Test(smtp_transaction, sends_chunks)
{
	CHECK_ALL(chunked);
}

/* ---- LMTP ---- */

#undef TALK
#define TALK(title, ...)                                                       \
	{                                                                      \
		.name = title, .messages = messages,                           \
		.options = {.lmtp = true}, .text = __VA_ARGS__                 \
	}
#define WELCOME(lines)                                                         \
	"O: open\nS: 220 mx\nC: LHLO me.example\nS: 250-mx\n" lines            \
	"S: 250 PIPELINING\nE: READY\n"

static const struct dialogue lmtp[] = {
    TALK("a reply for each accepted recipient",
	WELCOME("") "O: send 3\n" MAIL RCPT("b") RCPT(
	    "c") "C: RCPT TO:<d@z.example>\n" DATA OK OK
		 "S: 550 5.1.1 no\n" OK GO
		 "E: RECIPIENT 3.0 RCPT 250\nE: RECIPIENT 3.1 RCPT 550 5.1.1\n"
		 "E: RECIPIENT 3.2 RCPT 250\n" HI
		 "S: 250 2.1.5 ok\nS: 452 4.2.2 full\n"
		 "E: RECIPIENT 3.0 end of data 250 2.1.5\n"
		 "E: RECIPIENT 3.2 end of data 452 4.2.2\n"
		 "E: DONE 3 end of data 452 4.2.2\n"
		 "O: send 1\n" MAIL RCPT("b") DATA),
    TALK("the next message behind two replies",
	WELCOME("") "O: send 2\n" MAIL RCPT("b") RCPT("c") DATA OK OK OK GO
	"E: RECIPIENT 2.0 RCPT 250\nE: RECIPIENT 2.1 RCPT 250\n" HI
	"O: send 1\n" MAIL RCPT("b") DATA OK
	"E: RECIPIENT 2.0 end of data 250\n" OK OK OK GO
	"E: RECIPIENT 2.1 end of data 250\nE: DONE 2 end of data 250\n"
	"E: RECIPIENT 1.0 RCPT 250\n" HI),
    TALK("one of two final replies",
	WELCOME("") "O: send 2\n" MAIL RCPT("b") RCPT("c") DATA OK OK OK GO
	"E: RECIPIENT 2.0 RCPT 250\nE: RECIPIENT 2.1 RCPT 250\n" HI OK
	"O: eof\nE: RECIPIENT 2.0 end of data 250\n"
	"E: DONE 2 end of data closed, in doubt\n"
	"E: OVER end of data closed, in doubt\n"),
    TALK("no recipient",
	WELCOME("") "O: send 1\n" MAIL RCPT("b") DATA OK
	"S: 550 no\n"
	"S: 503 no\nE: RECIPIENT 1.0 RCPT 550\nE: DONE 1 RCPT 550\n"),
    TALK("no recipient, yet 354",
	WELCOME("") "O: send 1\n" MAIL RCPT("b") DATA OK
	"S: 550 no\n" GO "E: RECIPIENT 1.0 RCPT 550\nE: DONE 1 RCPT 550\n"
	"E: OVER DATA malformed\n"),
    TALK("in chunks",
	WELCOME("S: 250-CHUNKING\n") "O: send 2\n" MAIL RCPT("b")
	    RCPT("c") "C: BDAT 4 LAST\nC: Hi\n" OK OK OK OK "S: 450 later\n"
		      "E: RECIPIENT 2.0 RCPT 250\nE: RECIPIENT 2.1 RCPT 250\n"
		      "E: RECIPIENT 2.0 end of data 250\n"
		      "E: RECIPIENT 2.1 end of data 450\nE: DONE 2 end of data "
		      "450\n"),
    TALK("in chunks, no recipient",
	WELCOME("S: 250-CHUNKING\n") "O: send 1\n" MAIL RCPT(
	    "b") "C: BDAT 4 LAST\nC: Hi\n" OK "S: 550 no\nS: 503 no\n"
		 "E: RECIPIENT 1.0 RCPT 550\nE: DONE 1 RCPT 550\n"),
};

Test(smtp_transaction, speaks_lmtp)
{
	CHECK_ALL(lmtp);
}

/* ---- parameters and limits ---- */

#define FROM(from, ...)                                                        \
	.message = {                                                           \
	    .sender = {from, sizeof(from) - 1},                                \
	    .params = {__VA_ARGS__},                                           \
	    .recipients = people,                                              \
	    .recipient_count = 1,                                              \
	}
#define NO_TEXTS .envelope_id = {"", 0}, .auth = {"", 0}

static const struct smtp_client_recipient notified[] = {
    {.address = {"b@y.example", 11},
	.params = {.notify = NOTIFY_SUCCESS | NOTIFY_FAILURE,
	    .original = {"rfc822;b@y.example", 18}}},
};

static const struct dialogue_message rich[] = {
    /* 1 */
    {FROM("a@x.example", NO_TEXTS, .has_size = true, .size_bytes = 279),
	.content = "Hi\n"},
    /* 2 */
    {FROM("a@x.example", NO_TEXTS, .body = MAIL_BODY_8BITMIME),
	.content = "Hi\n"},
    /* 3 */
    {FROM("a@x.example", NO_TEXTS, .utf8 = true), .content = "Hi\n"},
    /* 4 */
    {FROM("\xc3\xa9@x.example", NO_TEXTS), .content = "Hi\n"},
    /* 5 */
    {FROM("a@x.example", NO_TEXTS, .require_tls = true), .content = "Hi\n"},
    /* 6 */
    {FROM("a@x.example", NO_TEXTS, .body = MAIL_BODY_BINARYMIME),
	.content = "a\n.\rb"},
    /* 7 */
    {.message = {.sender = {"a@x.example", 11},
	 .params = {.envelope_id = {"QQ", 2},
	     .auth = {"<>", 2},
	     .ret = MAIL_RETURN_HEADERS},
	 .recipients = notified,
	 .recipient_count = 1},
	.content = "Hi\n"},
    /* 8 */
    {DIALOGUE_MESSAGE("a@x.example", people, 3), "Hi\n", 0},
    /* 9 */
    {DIALOGUE_MESSAGE("a@x.example", people, 1), "Hi\n", 0},
};

#undef TALK
#define TALK(title, ...)                                                       \
	{                                                                      \
		.name = title, .messages = rich, .text = __VA_ARGS__           \
	}

static const struct dialogue parameters[] = {
    TALK("SIZE",
	GREETED("S: 250-SIZE 279\n") "O: send 1\nC: MAIL FROM:<a@x.example> "
				     "SIZE=279\n"),
    TALK(
	"SIZE is left out where it is not offered", PLAINLY "O: send 1\n" MAIL),
    TALK("SIZE as smtplib writes it",
	"O: open\nS: 220 mx\nC: ehlo me.example\nS: 250-mx\nS: 250 SIZE\n"
	"E: READY\nO: send 1\nC: mail from:<a@x.example> size=279\n" OK
	"C: rcpt to:<b@y.example>\n" OK "E: RECIPIENT 1.0 RCPT 250\nC: data\n",
	.options = {.verbs = SMTP_VERBS_LOWER}),
    TALK("SIZE as on the page",
	"O: open\nS: 220 mx\nC: ehlo me.example\nS: 250-mx\nS: 250 SIZE\n"
	"E: READY\nO: send 1\nC: mail FROM:<a@x.example> size=279\n" OK
	"C: rcpt TO:<b@y.example>\n" OK
	"E: RECIPIENT 1.0 RCPT 250\nC: data\n" GO HI SENT
	"E: DONE 1 end of data 250 2.0.0\nO: quit\nC: quit\n",
	.options = {.verbs = SMTP_VERBS_SEED}),
    TALK("too large",
	GREETED("S: 250-SIZE 278\n") "O: send 1\nE: DONE 1 MAIL not offered "
				     "552 5.3.4\n"),
    TALK("I9: no size is too large",
	GREETED("S: 250-SIZE 99999999999999999999999\n") "O: send 1\nC: MAIL "
							 "FROM:<a@x.example> "
							 "SIZE=279\n"),
    TALK("A23: 8BITMIME",
	GREETED("S: 250-8BITMIME\n") "O: send 2\nC: MAIL FROM:<a@x.example> "
				     "BODY=8BITMIME\n"),
    TALK("A23: 8BITMIME is not offered",
	PLAINLY "O: send 2\nE: DONE 2 MAIL not offered 554 5.6.3\n"),
    TALK("SMTPUTF8",
	GREETED("S: 250-SMTPUTF8\n") "O: send 3\nC: MAIL FROM:<a@x.example> "
				     "SMTPUTF8\n"),
    TALK("SMTPUTF8 is not offered",
	PLAINLY "O: send 3\nE: DONE 3 MAIL not offered 553 5.6.7\n"),
    TALK("a sender in UTF-8 needs it",
	GREETED("S: 250-SMTPUTF8\n") "O: send 4\nC: MAIL "
				     "FROM:<\\xc3\\xa9@x.example> SMTPUTF8\n"),
    TALK("a sender in UTF-8, and it is not offered",
	PLAINLY "O: send 4\nE: DONE 4 MAIL not offered 553 5.6.7\n"),
    TALK("REQUIRETLS",
	GREETED("S: 250-REQUIRETLS\n") "O: send 5\nC: MAIL FROM:<a@x.example> "
				       "REQUIRETLS\n",
	.options = {.security = SMTP_SECURITY_PRESENT}),
    TALK("REQUIRETLS without TLS",
	GREETED("S: 250-REQUIRETLS\n") "O: send 5\nE: DONE 5 MAIL not offered "
				       "550 5.7.30\n"),
    TALK("REQUIRETLS is not offered",
	PLAINLY "O: send 5\nE: DONE 5 MAIL not offered 550 5.7.30\n",
	.options = {.security = SMTP_SECURITY_PRESENT}),
    TALK("BINARYMIME goes as it is",
	GREETED(
	    "S: 250-BINARYMIME\nS: 250-CHUNKING\n") "O: send 6\nC: MAIL "
						    "FROM:<a@x.example> "
						    "BODY=BINARYMIME\n" OK RCPT(
							"b") OK
	"E: RECIPIENT 6.0 RCPT 250\n"
	"C: BDAT 5 LAST\nP: a\\n.\\rb\n" SENT
	"E: DONE 6 end of data 250 2.0.0\n"),
    TALK("BINARYMIME needs chunks",
	GREETED("S: 250-BINARYMIME\n") "O: send 6\nE: DONE 6 MAIL not offered "
				       "554 5.6.3\n"),
    TALK("DSN",
	GREETED(
	    "S: 250-DSN\n") "O: send 7\nC: MAIL FROM:<a@x.example> RET=HDRS "
			    "ENVID=QQ\n" OK
			    "C: RCPT TO:<b@y.example> NOTIFY=SUCCESS,FAILURE "
			    "ORCPT=rfc822;b@y.example\n"),
    TALK("DSN is left out where it is not offered",
	PLAINLY "O: send 7\n" MAIL OK RCPT("b")),
    TALK("RCPTMAX",
	GREETED(
	    "S: 250-LIMITS RCPTMAX=2\nS: 250-PIPELINING\n") "O: send 8\nE: "
							    "RECIPIENT 8.2 "
							    "RCPT not offered "
							    "452 4.5.3\n" MAIL
								RCPT("b") RCPT(
								    "c") DATA OK
								    OK OK GO
	"E: RECIPIENT 8.0 RCPT 250\nE: RECIPIENT 8.1 RCPT 250\n" HI SENT
	"E: DONE 8 end of data 250 2.0.0\n"),
    TALK("RCPTDOMAINMAX",
	GREETED("S: 250-LIMITS RCPTDOMAINMAX=1\n") "O: send 8\n" MAIL OK RCPT(
	    "b") OK "E: RECIPIENT 8.0 RCPT 250\n" RCPT("c") OK
	"E: RECIPIENT 8.1 RCPT 250\n"
	"E: RECIPIENT 8.2 RCPT not offered 452 4.5.3\n" DATA),
    TALK("past RCPTMAX, and all others refused",
	GREETED("S: 250-LIMITS RCPTMAX=1\n") "O: send 8\n" MAIL OK RCPT(
	    "b") "S: 550 5.1.1 no\n"
		 "E: RECIPIENT 8.0 RCPT 550 5.1.1\n"
		 "E: RECIPIENT 8.1 RCPT not offered 452 4.5.3\n"
		 "E: RECIPIENT 8.2 RCPT not offered 452 4.5.3\n"
		 "E: DONE 8 RCPT not offered 452 4.5.3\n"),
};

Test(smtp_transaction, declares_what_the_server_offers)
{
	CHECK_ALL(parameters);
}

static const struct dialogue requests[] = {
    TALK("once for each stretch, and only after 354",
	PLAINLY "O: send 9\n" MAIL OK RCPT("b") OK
	"E: RECIPIENT 9.0 RCPT 250\n" DATA GO "E: WANT_CONTENT 9\n" HI,
	.with_requests = true),
    TALK("never where nobody takes it",
	PLAINLY "O: send 9\n" MAIL OK RCPT(
	    "b") "S: 550 no\n"
		 "E: RECIPIENT 9.0 RCPT 550\nE: DONE 9 RCPT 550\n",
	.with_requests = true),
};

Test(smtp_transaction, asks_for_content)
{
	CHECK_ALL(requests);
}
