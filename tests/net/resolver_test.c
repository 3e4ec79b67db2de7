#include "lib/dns_server.h"
#include "lib/loop_until.h"
#include "net/resolver.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const struct dns_server_row rows[] = {
    {.name = "both.example", .a = {"192.0.2.1"}, .aaaa = {"2001:db8::1"}},
    {.name = "four.example", .a = {"192.0.2.4"}},
    {.name = "six.example", .aaaa = {"2001:db8::6"}},
    {.name = "empty.example", .a = {NULL}},
    {.name = "alias.example", .alias_of = "four.example"},
    {.name = "loop.example", .alias_of = "second.example"},
    {.name = "second.example", .alias_of = "third.example"},
    {.name = "third.example", .a = {"192.0.2.3"}},
    {.name = "many.example",
	.a = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5",
	    "192.0.2.6", "192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.10",
	    "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14",
	    "192.0.2.15", "192.0.2.16", "192.0.2.17", "192.0.2.18"}},
    {.name = "mixed.example",
	.a = {"192.0.2.1", "192.0.2.2", "192.0.2.3"},
	.aaaa = {"2001:db8::1", "2001:db8::2"}},
    {.name = "broken.example", .manner = DNS_SERVER_FAILS},
    {.name = "silent.example", .manner = DNS_SERVER_IS_SILENT},
    {.name = "slow.example",
	.manner = DNS_SERVER_DROPS_FIRST,
	.a = {"192.0.2.7"}},
    {.name = "garbage.example",
	.manner = DNS_SERVER_SAYS_GARBAGE,
	.a = {"192.0.2.8"}},
    {.name = "spoofed.example", .manner = DNS_SERVER_LIES, .a = {"192.0.2.9"}},
    {.name = NULL},
};

struct scene {
	int descriptors;
	struct loop *loop;
	struct dns_server *server;
	struct resolver *resolver;
};

struct answer {
	struct scene *scene;
	bool is_there;
	bool frees;      /* the resolver */
	char texts[400]; /* "192.0.2.1 [2001:db8::1]" */
	size_t count;
	struct resolver_address first;
	struct error error;
};

static void
scene_init(struct scene *scene)
{
	struct error error;

	*scene = (struct scene){.descriptors = open_descriptors()};
	scene->loop = loop_new();
	scene->server = dns_server_new(rows);
	cr_assert(resolver_new(scene->loop, dns_server_address(scene->server),
		      &scene->resolver, &error),
	    "%s", error.text);
}

static void
scene_clear(struct scene *scene)
{
	resolver_free(scene->resolver);
	dns_server_free(scene->server);
	loop_free(scene->loop);
	cr_expect_eq(open_descriptors(), scene->descriptors);
}

static void
note_answer(const struct resolver_address *addresses, size_t count,
    const struct error *error, void *ctx)
{
	struct answer *answer = ctx;

	cr_expect_not(answer->is_there, "called twice");
	answer->is_there = true;
	answer->count = count;
	answer->error = *error;
	if (count > 0)
		answer->first = addresses[0];
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(answer->texts);
		snprintf(answer->texts + len, sizeof(answer->texts) - len,
		    "%s%s", i > 0 ? " " : "", addresses[i].text);
	}
	if (answer->frees) {
		resolver_free(answer->scene->resolver);
		answer->scene->resolver = NULL;
	}
}

static void
look_up(struct scene *scene, const char *host, struct answer *answer)
{
	*answer = (struct answer){.scene = scene};
	cr_expect_not_null(
	    resolver_lookup(scene->resolver, host, 2525, note_answer, answer));
	cr_expect_not(answer->is_there, "called within the call");
	loop_until_set(scene->loop, &answer->is_there);
}

struct row {
	const char *host;
	const char *texts; /* "" and an error */
	const char *reason;
	int number;
};

static void
expect_row(struct scene *scene, const struct row *row)
{
	struct answer answer;
	char expected[600];

	look_up(scene, row->host, &answer);
	cr_expect_str_eq(answer.texts, row->texts, "%s", row->host);
	if (row->reason == NULL)
		return;
	snprintf(expected, sizeof(expected), "look up %s: %s", row->host,
	    row->reason);
	cr_expect_eq(answer.count, 0, "%s", row->host);
	cr_expect_eq(answer.error.kind, ERROR_RESOLVE, "%s", row->host);
	cr_expect_eq(answer.error.number, row->number, "%s", row->host);
	cr_expect_str_eq(answer.error.text, expected);
}

Test(resolver, answers_without_dns_where_there_is_nothing_to_ask)
{
	static const struct row list[] = {
	    {"192.0.2.1", "192.0.2.1", NULL, 0},
	    {"[192.0.2.1]", "192.0.2.1", NULL, 0},
	    {"2001:db8::1", "[2001:db8::1]", NULL, 0},
	    {"[2001:DB8::0:1]", "[2001:db8::1]", NULL, 0},
	    {"localhost", "127.0.0.1 [::1]", NULL, 0},
	    {"LocalHost.", "127.0.0.1 [::1]", NULL, 0},
	    {"a.localhost", "127.0.0.1 [::1]", NULL, 0},
	    {"", "", "that is no name", 0},
	    {"a\nb", "", "that is no name", 0},
	};
	struct scene scene;

	scene_init(&scene);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		expect_row(&scene, &list[i]);
	cr_expect_eq(dns_server_asked(scene.server), 0);
	scene_clear(&scene);
}

/* Threats: I14. */
Test(resolver, asks_for_names)
{
	static const struct row list[] = {
	    {"four.example", "192.0.2.4", NULL, 0},
	    {"FOUR.example.", "192.0.2.4", NULL, 0},
	    {"six.example", "[2001:db8::6]", NULL, 0},
	    {"alias.example", "192.0.2.4", NULL, 0},
	    {"loop.example", "192.0.2.3", NULL, 0},
	    {"spoofed.example", "192.0.2.9", NULL, 0},
	    {"missing.example", "", "no such name", 0},
	    {"empty.example", "", "the name has no address", 0},
	    {"broken.example", "", "the name servers fail or cannot be reached",
		EAGAIN},
	};
	struct scene scene;

	scene_init(&scene);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		expect_row(&scene, &list[i]);
	scene_clear(&scene);
}

Test(resolver, fills_in_the_port)
{
	struct scene scene;
	struct answer answer;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	scene_init(&scene);
	look_up(&scene, "four.example", &answer);
	cr_assert_eq(answer.first.len, sizeof(ipv4));
	memcpy(&ipv4, &answer.first.address, sizeof(ipv4));
	cr_expect_eq(ipv4.sin_family, AF_INET);
	cr_expect_eq(ntohs(ipv4.sin_port), 2525);
	look_up(&scene, "six.example", &answer);
	cr_assert_eq(answer.first.len, sizeof(ipv6));
	memcpy(&ipv6, &answer.first.address, sizeof(ipv6));
	cr_expect_eq(ipv6.sin6_family, AF_INET6);
	cr_expect_eq(ntohs(ipv6.sin6_port), 2525);
	scene_clear(&scene);
}

static bool
is_ipv6(const char *text)
{
	return text[0] == '[';
}

Test(resolver, lets_families_take_turns)
{
	struct scene scene;
	struct answer answer;
	char *rest = NULL;
	char *texts[5];
	int count = 0;

	scene_init(&scene);
	look_up(&scene, "both.example", &answer);
	cr_expect_eq(answer.count, 2);
	look_up(&scene, "mixed.example", &answer);
	cr_assert_eq(answer.count, 5);
	for (char *text = strtok_r(answer.texts, " ", &rest); text != NULL;
	     text = strtok_r(NULL, " ", &rest))
		texts[count++] = text;
	for (int i = 1; i < 4; i++)
		cr_expect_neq(is_ipv6(texts[i]), is_ipv6(texts[i - 1]));
	cr_expect_not(is_ipv6(texts[4]));
	scene_clear(&scene);
}

Test(resolver, returns_so_many_addresses_and_no_more)
{
	struct scene scene;
	struct answer answer;

	scene_init(&scene);
	look_up(&scene, "many.example", &answer);
	cr_expect_eq(answer.count, RESOLVER_ADDRESSES_MAX);
	scene_clear(&scene);
}

Test(resolver, asks_again_where_an_answer_is_lost)
{
	struct scene scene;
	struct answer answer;

	scene_init(&scene);
	look_up(&scene, "slow.example", &answer);
	cr_expect_str_eq(answer.texts, "192.0.2.7");
	scene_clear(&scene);
}

Test(resolver, survives_garbage)
{
	struct scene scene;
	struct answer answer;

	scene_init(&scene);
	look_up(&scene, "garbage.example", &answer);
	cr_expect_eq(answer.count, 0);
	cr_expect_eq(answer.error.kind, ERROR_RESOLVE);
	cr_expect_eq(answer.error.number, EAGAIN);
	scene_clear(&scene);
}

Test(resolver, says_that_no_server_can_be_reached)
{
	struct scene scene;
	struct answer answer;
	struct error error;
	struct resolver *other = NULL;

	scene_init(&scene);
	char address[32];
	snprintf(
	    address, sizeof(address), "%s", dns_server_address(scene.server));
	struct dns_server *second = dns_server_new(rows);
	dns_server_free(scene.server);
	scene.server = second;
	look_up(&scene, "four.example", &answer);
	cr_expect_eq(answer.count, 0);
	cr_expect_eq(answer.error.kind, ERROR_RESOLVE);
	cr_expect_eq(answer.error.number, EAGAIN);

	cr_expect_not(
	    resolver_new(scene.loop, "not an address", &other, &error));
	cr_expect_null(other);
	cr_expect_eq(error.kind, ERROR_CONFIG);
	scene_clear(&scene);
}

Test(resolver, does_not_call_a_cancelled_query)
{
	static const char *const hosts[] = {
	    "192.0.2.1", "localhost", "four.example", "silent.example", ""};
	struct scene scene;
	struct answer answer;
	struct answer cancelled = {.is_there = true}; /* fails when called */

	scene_init(&scene);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		resolver_cancel(resolver_lookup(
		    scene.resolver, hosts[i], 25, note_answer, &cancelled));
	resolver_cancel(NULL);
	look_up(&scene, "both.example", &answer);
	loop_until_quiet(scene.loop);
	cr_expect_eq(answer.count, 2);
	scene_clear(&scene); /* silent.example is still asked */
}

Test(resolver, cancels_what_is_asked_when_freed)
{
	static const char *const hosts[] = {
	    "192.0.2.1", "four.example", "silent.example"};
	struct scene scene;
	struct answer answer = {.is_there = true};

	scene_init(&scene);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		resolver_lookup(
		    scene.resolver, hosts[i], 25, note_answer, &answer);
	scene_clear(&scene);
}

Test(resolver, may_be_freed_when_it_answers)
{
	static const char *const hosts[] = {
	    "192.0.2.1", "four.example", "broken.example"};

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct scene scene;
		struct answer answer = {.frees = true, .scene = &scene};
		struct answer cancelled = {.is_there = true};
		scene_init(&scene);
		resolver_lookup(
		    scene.resolver, hosts[i], 25, note_answer, &answer);
		resolver_lookup(scene.resolver, "silent.example", 25,
		    note_answer, &cancelled);
		loop_until_set(scene.loop, &answer.is_there);
		scene_clear(&scene);
	}
}

Test(resolver, answers_many_at_once)
{
	enum {
		COUNT = 300
	};
	static struct answer answers[COUNT];
	struct scene scene;

	scene_init(&scene);
	for (int i = 0; i < COUNT; i++)
		resolver_lookup(scene.resolver,
		    i % 3 == 0 ? "missing.example" : "both.example", 25,
		    note_answer, &answers[i]);
	for (int i = 0; i < COUNT; i++) {
		loop_until_set(scene.loop, &answers[i].is_there);
		cr_expect_eq(answers[i].count, i % 3 == 0 ? 0 : 2);
	}
	scene_clear(&scene);
}

/* The first name in the hosts file that is not of this machine's loopback. */
static bool
find_host(char *out_name, size_t capacity)
{
	FILE *file = fopen("/etc/hosts", "re");
	char line[512];
	bool is_found = false;

	while (file != NULL && !is_found &&
	    fgets(line, sizeof(line), file) != NULL) {
		char *rest = NULL;
		char *address = strtok_r(line, " \t\n", &rest);
		char *name = strtok_r(NULL, " \t\n", &rest);
		is_found = address != NULL && address[0] != '#' &&
		    name != NULL && strstr(name, "localhost") == NULL;
		if (is_found)
			snprintf(out_name, capacity, "%s", name);
	}
	if (file != NULL)
		fclose(file);
	return is_found;
}

Test(resolver, reads_the_hosts_file)
{
	struct scene scene;
	struct answer answer;
	char name[300];

	if (!find_host(name, sizeof(name)))
		cr_skip("no other name in /etc/hosts");
	scene_init(&scene);
	look_up(&scene, name, &answer);
	cr_expect_gt(answer.count, 0, "%s", name);
	scene_clear(&scene);
}

Test(resolver, uses_the_systems_configuration)
{
	struct scene scene;
	struct error error;
	struct answer answer;

	scene_init(&scene);
	resolver_free(scene.resolver);
	cr_assert(resolver_new(scene.loop, NULL, &scene.resolver, &error), "%s",
	    error.text);
	look_up(&scene, "localhost", &answer);
	cr_expect_eq(answer.count, 2);
	scene_clear(&scene);
}
