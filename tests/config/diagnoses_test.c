#include "config/config_folder.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(diagnoses, .init = config_folder_enter, .fini = config_folder_leave);

/* What is wrong, and all that is said about it. */
static const struct {
	const char *name;
	const char *text;
	const char *expected;
} rows[] = {
    /* clang-format off */
    {"unquoted text",
	"root = ops@example.com",
	"postrider.conf:1:8: error: a text needs quotes; write \"ops@example.com\"\n"
	"    1 | root = ops@example.com\n"
	"      |        ^~~~~~~~~~~~~~~\n"},
    {"unquoted time",
	"queue = { expire = 5d; };",
	"postrider.conf:1:20: error: a text needs quotes; write \"5d\"\n"
	"    1 | queue = { expire = 5d; };\n"
	"      |                    ^~\n"},
    {"yes for true",
	"upstreams = ( { name = \"a\"; host = \"h\"; chunking = yes; } );",
	"postrider.conf:1:52: error: 'yes' is neither true nor false; write true or false\n"
	"    1 | upstreams = ( { name = \"a\"; host = \"h\"; chunking = yes; } );\n"
	"      |                                                    ^~~\n"},
    {"missing quote",
	"root = \"ops@example.com;\n"
	"workers = 2;\n",
	"postrider.conf:1:8: error: the closing quote is missing; a text ends on its line\n"
	"    1 | root = \"ops@example.com;\n"
	"      |        ^\n"},
    {"missing value",
	"root = ;",
	"postrider.conf:1:8: error: a value is missing here\n"
	"    1 | root = ;\n"
	"      |        ^\n"},
    {"missing bracket",
	"listen = ( { tcp = \"127.0.0.1:1\"; },\n"
	"workers = 2;",
	"postrider.conf:2:1: error: a setting begins here, but the one before has no end; is a value or a bracket missing?\n"
	"    2 | workers = 2;\n"
	"      | ^~~~~~~\n"},
    {"missing equals",
	"root \"x\";",
	"postrider.conf:1:1: error: expected '=' and a value after 'root'\n"
	"    1 | root \"x\";\n"
	"      | ^~~~\n"},
    {"two separators",
	"workers = 2;;",
	"postrider.conf:1:13: error: expected a setting here; remove this separator\n"
	"    1 | workers = 2;;\n"
	"      |             ^\n"},
    {"open group",
	"queue = {\n"
	"  expire = \"1d\";\n",
	"postrider.conf:1:9: error: this '{' is never closed\n"
	"    1 | queue = {\n"
	"      |         ^\n"},
    {"closes nothing",
	"workers = 2; }",
	"postrider.conf:1:14: error: this '}' closes nothing\n"
	"    1 | workers = 2; }\n"
	"      |              ^\n"},
    {"trailing comma",
	"relay_domains = [ \"a\", ];",
	"postrider.conf:1:22: error: nothing follows this comma; remove it\n"
	"    1 | relay_domains = [ \"a\", ];\n"
	"      |                      ^\n"},
    {"missing comma",
	"listen = ( { tcp = \"127.0.0.1:1\"; } { tcp = \"127.0.0.1:2\"; } );",
	"postrider.conf:1:37: error: expected ',' or ')' here\n"
	"    1 | listen = ( { tcp = \"127.0.0.1:1\"; } { tcp = \"127.0.0.1:2\"; } );\n"
	"      |                                     ^\n"},
    {"mixed array",
	"relay_domains = [ \"a\", 5 ];",
	"postrider.conf:1:24: error: all elements of [ ] must be of one type\n"
	"    1 | relay_domains = [ \"a\", 5 ];\n"
	"      |                        ^\n"},
    {"groups in an array",
	"listen = [ { tcp = \"127.0.0.1:1\"; } ];",
	"postrider.conf:1:12: error: [ ] holds only texts or numbers; write ( ) around it\n"
	"    1 | listen = [ { tcp = \"127.0.0.1:1\"; } ];\n"
	"      |            ^\n"},
    {"open comment",
	"workers = 2; /* here",
	"postrider.conf:1:14: error: this comment is never closed; end it with */\n"
	"    1 | workers = 2; /* here\n"
	"      |              ^~\n"},
    {"include",
	"@include \"other.conf\"\n",
	"postrider.conf:1:1: error: there is no @include here; files of their own go into conf.d\n"
	"    1 | @include \"other.conf\"\n"
	"      | ^\n"},
    {"control character",
	"root = \"a\001b\";",
	"postrider.conf:1:10: error: a control character stands here; is this a text file?\n"
	"    1 | root = \"a?b\";\n"
	"      |          ^\n"},
    {"set twice",
	"workers = 2;\n"
	"root = \"a@b\";\n"
	"workers = 3; expire = \"x\";",
	"postrider.conf:3:1: error: 'workers' is set twice, first in line 1; remove one\n"
	"    3 | workers = 3; expire = \"x\";\n"
	"      | ^~~~~~~\n"
	"postrider.conf:3:14: error: unknown setting 'expire'; did you mean 'queue.expire'?\n"
	"    3 | workers = 3; expire = \"x\";\n"
	"      |              ^~~~~~\n"},
    {"set twice in a group",
	"queue = { expire = \"1d\"; retry = [ \"1m\" ]; expire = \"2d\"; };",
	"postrider.conf:1:44: error: 'expire' is set twice, first in line 1; remove one\n"
	"    1 | queue = { expire = \"1d\"; retry = [ \"1m\" ]; expire = \"2d\"; };\n"
	"      |                                            ^~~~~~\n"},
    {"misspelt",
	"passwordfile = \"x\";",
	"postrider.conf:1:1: error: unknown setting 'passwordfile'; did you mean 'password_file'?\n"
	"    1 | passwordfile = \"x\";\n"
	"      | ^~~~~~~~~~~~\n"},
    {"misspelt in a list",
	"upstreams = ( { name = \"a\"; host = \"h\"; transprot = \"smtp\"; } );",
	"postrider.conf:1:41: error: unknown setting 'transprot' in upstreams[0]; did you mean 'transport'?\n"
	"    1 | upstreams = ( { name = \"a\"; host = \"h\"; transprot = \"smtp\"; } );\n"
	"      |                                         ^~~~~~~~~\n"},
    {"in the wrong place",
	"hostname = \"x\";",
	"postrider.conf:1:1: error: unknown setting 'hostname'; did you mean 'identity.hostname'?\n"
	"    1 | hostname = \"x\";\n"
	"      | ^~~~~~~~\n"},
    {"unheard of",
	"frobnicate = 1;",
	"postrider.conf:1:1: error: unknown setting 'frobnicate'; postrider.conf(5) lists all\n"
	"    1 | frobnicate = 1;\n"
	"      | ^~~~~~~~~~\n"},
    {"number for a time",
	"queue = { expire = 5; };",
	"postrider.conf:1:20: error: 'expire' must be a time with its unit in quotes, like \"15m\" (ms s m h d w)\n"
	"    1 | queue = { expire = 5; };\n"
	"      |                    ^\n"},
    {"time without unit",
	"queue = { expire = \"5\"; };",
	"postrider.conf:1:20: error: 'expire' must be a time with its unit in quotes, like \"15m\" (ms s m h d w)\n"
	"    1 | queue = { expire = \"5\"; };\n"
	"      |                    ^~~\n"},
    {"octal number",
	"listen = ( { socket = \"/s\"; mode = 0660; } );",
	"postrider.conf:1:36: error: 'mode' must be permissions in quotes, like \"0660\"\n"
	"    1 | listen = ( { socket = \"/s\"; mode = 0660; } );\n"
	"      |                                    ^~~~\n"},
    {"text for a number",
	"workers = \"2\";",
	"postrider.conf:1:11: error: 'workers' must be a number without quotes\n"
	"    1 | workers = \"2\";\n"
	"      |           ^~~\n"},
    {"too large",
	"limits = { hops = 99999999999999999999; };",
	"postrider.conf:1:19: error: 'hops' must be 10 to 1000\n"
	"    1 | limits = { hops = 99999999999999999999; };\n"
	"      |                   ^~~~~~~~~~~~~~~~~~~~\n"},
    {"negative",
	"workers = -1;",
	"postrider.conf:1:11: error: 'workers' must be 0 to 256\n"
	"    1 | workers = -1;\n"
	"      |           ^~\n"},
    {"out of bounds",
	"queue = { segment_size = \"1K\"; drop = 1; };",
	"postrider.conf:1:26: error: 'segment_size' must be \"1M\" to \"1G\"\n"
	"    1 | queue = { segment_size = \"1K\"; drop = 1; };\n"
	"      |                          ^~~~\n"
	"postrider.conf:1:32: error: unknown setting 'drop' in queue; write it outside of all groups\n"
	"    1 | queue = { segment_size = \"1K\"; drop = 1; };\n"
	"      |                                ^~~~\n"},
    {"text for a list",
	"relay_domains = \"a.example\";",
	"postrider.conf:1:17: error: 'relay_domains' is a list; write [ \"a.example\" ]\n"
	"    1 | relay_domains = \"a.example\";\n"
	"      |                 ^~~~~~~~~~~\n"},
    {"scalar for a group",
	"queue = \"x\";",
	"postrider.conf:1:9: error: 'queue' must be { name = value; }\n"
	"    1 | queue = \"x\";\n"
	"      |         ^~~\n"},
    {"group for a list of groups",
	"listen = { tcp = \"127.0.0.1:1\"; };",
	"postrider.conf:1:10: error: 'listen' must be ( { name = value; }, { name = value; } )\n"
	"    1 | listen = { tcp = \"127.0.0.1:1\"; };\n"
	"      |          ^~~~~~~~~~~~~~~~~~~~~~~~\n"},
    {"no group in the list",
	"listen = ( \"127.0.0.1:1\" );",
	"postrider.conf:1:12: error: each of 'listen' must be { name = value; }\n"
	"    1 | listen = ( \"127.0.0.1:1\" );\n"
	"      |            ^~~~~~~~~~~~~\n"},
    {"unknown word",
	"log = { level = \"inof\"; };",
	"postrider.conf:1:17: error: \"inof\" is unknown to 'level'; did you mean \"info\"?\n"
	"    1 | log = { level = \"inof\"; };\n"
	"      |                 ^~~~~~\n"},
    {"far from any word",
	"log = { to = \"elsewhere\"; };",
	"postrider.conf:1:14: error: \"elsewhere\" is unknown to 'to'; write \"auto\", \"journal\", \"syslog\", \"stderr\" or \"json\"\n"
	"    1 | log = { to = \"elsewhere\"; };\n"
	"      |              ^~~~~~~~~~~\n"},
    {"not carried out yet",
	"aliases = { file = \"/etc/aliases\"; };\n"
	"http = { listen = \"\"; };",
	"postrider.conf:1:1: error: 'aliases' is not carried out yet by this version; remove it\n"
	"    1 | aliases = { file = \"/etc/aliases\"; };\n"
	"      | ^~~~~~~\n"
	"postrider.conf:2:1: error: 'http' is not carried out yet by this version; remove it\n"
	"    2 | http = { listen = \"\"; };\n"
	"      | ^~~~\n"},
    {"a word for later",
	"upstreams = ( { name = \"a\"; transport = \"mx\"; host = \"h\"; } );",
	"postrider.conf:1:41: error: transport = \"mx\" is not carried out yet; write \"smtp\", \"lmtp\" or \"maildir\"\n"
	"    1 | upstreams = ( { name = \"a\"; transport = \"mx\"; host = \"h\"; } );\n"
	"      |                                         ^~~~\n"},
    {"mx",
	"smarthost = \"mx\";",
	"postrider.conf:1:13: error: smarthost = \"mx\" is not carried out yet; write \"host\", \"host:port\", \"smtps://host\", \"lmtp:/path\" or \"maildir:/path\"\n"
	"    1 | smarthost = \"mx\";\n"
	"      |             ^~~~\n"},
    {"user in the smarthost",
	"smarthost = \"smtps://u:p@h\";",
	"postrider.conf:1:13: error: smarthost holds a user; write it as user = \"...\" and the password into password_file\n"
	"    1 | smarthost = \"smtps://u:p@h\";\n"
	"      |             ^~~~~~~~~~~~~~~\n"},
    {"unknown scheme",
	"smarthost = \"lmtps://h\";",
	"postrider.conf:1:13: error: unknown kind of smarthost; write \"host\", \"host:port\", \"smtps://host\", \"lmtp:/path\" or \"maildir:/path\"\n"
	"    1 | smarthost = \"lmtps://h\";\n"
	"      |             ^~~~~~~~~~~\n"},
    {"no host",
	"smarthost = \"a b\";",
	"postrider.conf:1:13: error: 'a b' is no host; write \"host\", \"host:port\", \"smtps://host\", \"lmtp:/path\" or \"maildir:/path\"\n"
	"    1 | smarthost = \"a b\";\n"
	"      |             ^~~~~\n"},
    {"port too large",
	"smarthost = \"a:99999\";",
	"postrider.conf:1:13: error: 'a:99999' is no host; write \"host\", \"host:port\", \"smtps://host\", \"lmtp:/path\" or \"maildir:/path\"\n"
	"    1 | smarthost = \"a:99999\";\n"
	"      |             ^~~~~~~~~\n"},
    {"user without smarthost",
	"user = \"u\"; password_file = \"p\";",
	"postrider.conf:1:1: error: 'user' is for the smarthost, but there is none; write smarthost = \"smtp.example.com\"\n"
	"    1 | user = \"u\"; password_file = \"p\";\n"
	"      | ^~~~\n"
	"postrider.conf:1:13: error: 'password_file' is for the smarthost, but there is none; write smarthost = \"smtp.example.com\"\n"
	"    1 | user = \"u\"; password_file = \"p\";\n"
	"      |             ^~~~~~~~~~~~~\n"},
    {"no password",
	"smarthost = \"h\"; user = \"u\";",
	"postrider.conf:1:25: error: a password is missing; add password_file = \"...\", or password = { file = \"...\"; } within upstreams\n"
	"    1 | smarthost = \"h\"; user = \"u\";\n"
	"      |                         ^~~\n"},
    {"password file is missing",
	"smarthost = \"h\"; user = \"u\"; password_file = \"none\";",
	"postrider.conf:1:46: error: none: No such file or directory\n"
	"    1 | smarthost = \"h\"; user = \"u\"; password_file = \"none\";\n"
	"      |                                              ^~~~~~\n"},
    {"password file is public",
	"smarthost = \"h\"; user = \"u\"; password_file = \"public\";",
	"postrider.conf:1:46: error: public can be read by everyone; run: chmod 0640 public\n"
	"    1 | smarthost = \"h\"; user = \"u\"; password_file = \"public\";\n"
	"      |                                              ^~~~~~~~\n"},
    {"password in clear",
	"upstreams = ( { name = \"a\"; host = \"h.example\"; tls = { mode = \"none\"; };\n"
	"  auth = { user = \"u\"; password = { value = \"x\"; }; }; } );",
	"postrider.conf:1:64: error: a password would go in clear text over the network; write mode = \"starttls\" or \"implicit\"\n"
	"    1 | upstreams = ( { name = \"a\"; host = \"h.example\"; tls = { mode = \"none\"; };\n"
	"      |                                                                ^~~~~~\n"},
    {"two passwords",
	"upstreams = ( { name = \"a\"; host = \"h.example\";\n"
	"  auth = { user = \"u\"; password = { value = \"x\"; credential = \"y\"; }; }; } );",
	"postrider.conf:2:35: error: a password comes from one of file, credential, value or command; remove the others\n"
	"    2 |   auth = { user = \"u\"; password = { value = \"x\"; credential = \"y\"; }; }; } );\n"
	"      |                                   ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"},
    {"said twice",
	"smarthost = \"h\";\n"
	"upstreams = ( { name = \"main\"; host = \"i\"; } );",
	"postrider.conf:2:32: error: 'host' of the upstream \"main\" is given in line 1 already; remove one\n"
	"    2 | upstreams = ( { name = \"main\"; host = \"i\"; } );\n"
	"      |                                ^~~~\n"},
    {"one name twice",
	"upstreams = ( { name = \"a\"; host = \"h\"; },\n"
	"  { name = \"a\"; host = \"i\"; } );",
	"postrider.conf:2:12: error: two upstreams are called \"a\", the first in line 1; rename one\n"
	"    2 |   { name = \"a\"; host = \"i\"; } );\n"
	"      |            ^~~\n"},
    {"no host given",
	"upstreams = ( { name = \"a\"; } );",
	"postrider.conf:1:15: error: an upstream of transport \"smtp\" needs 'host'\n"
	"    1 | upstreams = ( { name = \"a\"; } );\n"
	"      |               ^~~~~~~~~~~~~~~\n"},
    {"no name given",
	"upstreams = ( { host = \"a\"; } );",
	"postrider.conf:1:15: error: an upstream needs a name; add name = \"main\"\n"
	"    1 | upstreams = ( { host = \"a\"; } );\n"
	"      |               ^~~~~~~~~~~~~~~\n"},
    {"keys of another transport",
	"upstreams = ( { name = \"a\"; transport = \"maildir\"; path = \"p\"; host = \"h\"; } );",
	"postrider.conf:1:71: error: 'host' is not for transport \"maildir\"; remove it\n"
	"    1 | upstreams = ( { name = \"a\"; transport = \"maildir\"; path = \"p\"; host = \"h\"; } );\n"
	"      |                                                                       ^~~\n"},
    {"two ways to a server",
	"upstreams = ( { name = \"a\"; transport = \"lmtp\"; socket = \"s\"; host = \"h\"; } );",
	"postrider.conf:1:58: error: an upstream has 'host' or 'socket', not both\n"
	"    1 | upstreams = ( { name = \"a\"; transport = \"lmtp\"; socket = \"s\"; host = \"h\"; } );\n"
	"      |                                                          ^~~\n"},
    {"certificate alone",
	"upstreams = ( { name = \"a\"; host = \"h\"; tls = { certificate = \"c\"; }; } );",
	"postrider.conf:1:63: error: 'certificate' and 'key' come together; add 'key'\n"
	"    1 | upstreams = ( { name = \"a\"; host = \"h\"; tls = { certificate = \"c\"; }; } );\n"
	"      |                                                               ^~~\n"},
    {"no such upstream",
	"upstreams = ( { name = \"gmail\"; host = \"h\"; } );\n"
	"routes = ( { sender = \"*@x\"; via = [ \"gmial\" ]; }, { via = [ \"gmail\", \"other\" ]; } );",
	"postrider.conf:2:38: error: there is no upstream \"gmial\"; did you mean \"gmail\"?\n"
	"    2 | routes = ( { sender = \"*@x\"; via = [ \"gmial\" ]; }, { via = [ \"gmail\", \"other\" ]; } );\n"
	"      |                                      ^~~~~~~\n"
	"postrider.conf:2:71: error: there is no upstream \"other\"; add it to upstreams\n"
	"    2 | routes = ( { sender = \"*@x\"; via = [ \"gmial\" ]; }, { via = [ \"gmail\", \"other\" ]; } );\n"
	"      |                                                                       ^~~~~~~\n"},
    {"route behind the last",
	"smarthost = \"h\";\n"
	"routes = ( { via = [ \"main\" ]; }, { sender = \"*@x\"; via = [ \"main\" ]; } );",
	"postrider.conf:2:35: error: no mail comes this far: a route before takes everything; put that one last\n"
	"    2 | routes = ( { via = [ \"main\" ]; }, { sender = \"*@x\"; via = [ \"main\" ]; } );\n"
	"      |                                   ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"},
    {"no last route",
	"smarthost = \"h\";\n"
	"routes = ( { sender = \"*@x\"; via = [ \"main\" ]; } );",
	"postrider.conf:2:12: error: mail that no route fits would stay for ever; add a last route { via = [ \"name\" ]; }\n"
	"    2 | routes = ( { sender = \"*@x\"; via = [ \"main\" ]; } );\n"
	"      |            ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"},
    {"route to nowhere",
	"routes = ( { recipient = \"*@x\"; } );",
	"postrider.conf:1:12: error: a route needs via = [ \"name\" ]\n"
	"    1 | routes = ( { recipient = \"*@x\"; } );\n"
	"      |            ^~~~~~~~~~~~~~~~~~~~~~\n"
	"postrider.conf:1:12: error: mail that no route fits would stay for ever; add a last route { via = [ \"name\" ]; }\n"
	"    1 | routes = ( { recipient = \"*@x\"; } );\n"
	"      |            ^~~~~~~~~~~~~~~~~~~~~~\n"},
    {"name for an address",
	"listen = ( { tcp = \"localhost:25\"; } );",
	"postrider.conf:1:20: error: tcp = \"localhost:25\" must be an address and a port, like \"127.0.0.1:25\" or \"[::1]:25\"\n"
	"    1 | listen = ( { tcp = \"localhost:25\"; } );\n"
	"      |                    ^~~~~~~~~~~~~~\n"},
    {"door without a place",
	"listen = ( { mode = \"0600\"; } );",
	"postrider.conf:1:12: error: a door needs socket = \"/path\" or tcp = \"127.0.0.1:25\"\n"
	"    1 | listen = ( { mode = \"0600\"; } );\n"
	"      |            ^~~~~~~~~~~~~~~~~~\n"},
    {"bad ETRN",
	"etrn = ( { nodes = [ \"a b\" ]; upstream = \"x\"; } );",
	"postrider.conf:1:10: error: an entry of etrn needs host = \"mx.example.com\"\n"
	"    1 | etrn = ( { nodes = [ \"a b\" ]; upstream = \"x\"; } );\n"
	"      |          ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"
	"postrider.conf:1:22: error: \"a b\" must be a domain, \"@domain\" or \"#queue\"\n"
	"    1 | etrn = ( { nodes = [ \"a b\" ]; upstream = \"x\"; } );\n"
	"      |                      ^~~~~\n"
	"postrider.conf:1:42: error: there is no upstream \"x\"; add it to upstreams\n"
	"    1 | etrn = ( { nodes = [ \"a b\" ]; upstream = \"x\"; } );\n"
	"      |                                          ^~~\n"},
    {"another TLS than the upstream's",
	"smarthost = \"h.example\";\n"
	"etrn = ( { host = \"i\"; nodes = [ \"x.example\" ]; upstream = \"main\"; tls = { mode = \"none\"; min = \"1.2\"; }; } );",
	"postrider.conf:2:76: error: the tls of upstream \"main\" is taken, where 'mode' is \"starttls\"; remove this one\n"
	"    2 | etrn = ( { host = \"i\"; nodes = [ \"x.example\" ]; upstream = \"main\"; tls = { mode = \"none\"; min = \"1.2\"; }; } );\n"
	"      |                                                                            ^~~~\n"},
    {"notice after the end",
	"queue = { expire = \"1h\"; delay_notice = \"1h\"; };",
	"postrider.conf:1:41: error: delay_notice must be shorter than expire (\"1h\"); \"0\" is none\n"
	"    1 | queue = { expire = \"1h\"; delay_notice = \"1h\"; };\n"
	"      |                                         ^~~~\n"},
    {"larger than the queue",
	"limits = { queue_size = \"10M\"; };",
	"postrider.conf:1:25: error: message_size must not be above queue_size (\"10M\")\n"
	"    1 | limits = { queue_size = \"10M\"; };\n"
	"      |                         ^~~~~\n"},
    {"no retry",
	"queue = { retry = []; };",
	"postrider.conf:1:19: error: retry needs at least one time; write [ \"5m\" ]\n"
	"    1 | queue = { retry = []; };\n"
	"      |                   ^~\n"},
    {"bad names",
	"root = \"a b@c\"; identity = { hostname = \"a_b..c\"; };",
	"postrider.conf:1:8: error: root = \"a b@c\" must be an address, like \"ops@example.com\"\n"
	"    1 | root = \"a b@c\"; identity = { hostname = \"a_b..c\"; };\n"
	"      |        ^~~~~~~\n"
	"postrider.conf:1:41: error: identity.hostname = \"a_b..c\" must be a host name, like \"web1.example.com\"\n"
	"    1 | root = \"a b@c\"; identity = { hostname = \"a_b..c\"; };\n"
	"      |                                         ^~~~~~~~\n"},
    /* clang-format on */
};

Test(diagnoses, tell_what_is_wrong_where_and_what_to_write)
{
	config_folder_put("public", "x\n", 0644);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *config;

		config_folder_put("postrider.conf", rows[i].text, 0600);
		char *said = config_folder_load(NULL, &config);
		cr_expect_null(config, "%s", rows[i].name);
		cr_expect_str_eq(said, rows[i].expected, "%s", rows[i].name);
		free(said);
		config_free(config);
	}
}

Test(diagnoses, come_all_at_once_in_the_order_of_files_and_lines)
{
	struct config *config;
	char *environment[] = {(char[]){"POSTRIDER_SMARTHOST=a b"}, NULL};

	config_folder_put("postrider.conf",
	    "workers = 999;\nqueue = { expire = 5; };\nrout = 1;", 0600);
	config_folder_put("conf.d/1.conf", "workers = \"x\";", 0644);
	config_folder_put("conf.d/2.conf", "workers = ", 0644);
	char *said = config_folder_load(environment, &config);
	cr_expect_null(config);
	cr_expect_str_eq(said,
	    "postrider.conf:1:11: error: 'workers' must be 0 to 256\n"
	    "    1 | workers = 999;\n"
	    "      |           ^~~\n"
	    "postrider.conf:2:20: error: 'expire' must be a time with its "
	    "unit in quotes, like \"15m\" (ms s m h d w)\n"
	    "    2 | queue = { expire = 5; };\n"
	    "      |                    ^\n"
	    "postrider.conf:3:1: error: unknown setting 'rout'; did you mean "
	    "'root'?\n"
	    "    3 | rout = 1;\n"
	    "      | ^~~~\n"
	    "conf.d/1.conf:1:11: error: 'workers' must be a number without "
	    "quotes\n"
	    "    1 | workers = \"x\";\n"
	    "      |           ^~~\n"
	    "conf.d/2.conf:1:11: error: a value is missing here\n"
	    "    1 | workers = \n"
	    "      |           ^\n");
	free(said);
}

Test(diagnoses, name_the_variable_of_the_environment)
{
	struct config *config;
	char *environment[] = {(char[]){"POSTRIDER_SMARTHOST=a b"},
	    (char[]){"POSTRIDER_LISTEN=localhost:25"}, NULL};

	char *said = config_folder_load(environment, &config);
	cr_expect_null(config);
	cr_expect_str_eq(said,
	    "POSTRIDER_SMARTHOST:1:1: error: 'a b' is no host; write "
	    "\"host\", \"host:port\", \"smtps://host\", \"lmtp:/path\" or "
	    "\"maildir:/path\"\n"
	    "    1 | a b\n"
	    "      | ^~~\n"
	    "POSTRIDER_LISTEN:1:1: error: tcp = \"localhost:25\" must be an "
	    "address and a port, like \"127.0.0.1:25\" or \"[::1]:25\"\n"
	    "    1 | localhost:25\n"
	    "      | ^~~~~~~~~~~~\n");
	free(said);
}

Test(diagnoses, refuse_files_that_others_can_change_or_read)
{
	struct config *config;

	config_folder_put("postrider.conf", "workers = 2;\n", 0666);
	char *said = config_folder_load(NULL, &config);
	cr_expect_null(config);
	cr_expect_str_eq(said,
	    "postrider.conf:1:1: error: everyone can write this file; run: "
	    "chmod o-w postrider.conf\n"
	    "    1 | workers = 2;\n"
	    "      | ^\n");
	free(said);

	config_folder_put("postrider.conf",
	    "upstreams = ( { name = \"a\"; host = \"h\";\n"
	    "  auth = { user = \"u\"; password = { value = \"x\"; }; }; } );\n",
	    0644);
	said = config_folder_load(NULL, &config);
	cr_expect_null(config);
	cr_expect_str_eq(said,
	    "postrider.conf:2:45: error: everyone can read the password in "
	    "this file; run: chmod o-r postrider.conf\n"
	    "    2 |   auth = { user = \"u\"; password = { value = \"x\"; }; "
	    "}; "
	    "} );\n"
	    "      |                                             ^~~\n");
	free(said);
}

Test(diagnoses, point_below_tabs_and_umlauts)
{
	struct config *config;

	config_folder_put("postrider.conf", "root\t= \"ö@b\"; frob = 1;", 0600);
	char *said = config_folder_load(NULL, &config);
	cr_expect_null(config);
	cr_expect_str_eq(said,
	    "postrider.conf:1:15: error: unknown setting 'frob'; "
	    "postrider.conf(5) lists all\n"
	    "    1 | root\t= \"ö@b\"; frob = 1;\n"
	    "      |     \t         ^~~~\n");
	free(said);
}
