#include "delivery/route.h"

#include <criterion/criterion.h>

static const struct route_rule rules[] = {
    {.recipient = "@inner.example", .upstreams = {0}, .upstream_count = 1},
    {.recipient = "*@*.inner.example",
	.sender = "<>",
	.upstreams = {1},
	.upstream_count = 1},
    {.sender = "boss", .upstreams = {2}, .upstream_count = 1},
    {.recipient = "root", .sender = "@x.example", .upstream_count = 1},
};

static const struct route_table table = {rules, 4};

static const struct route_row {
	const char *sender;
	const char *recipient;
	uint16_t route;
} rows[] = {
    {"a@x.example", "u@inner.example", 0},
    {"", "u@inner.example", 0},
    {"boss@x.example", "u@INNER.example", 0},
    {"", "u@deep.inner.example", 1},
    {"a@x.example", "u@deep.inner.example", ROUTE_NONE},
    {"boss@x.example", "u@deep.inner.example", 2},
    {"boss@y.example", "u@z.example", 2},
    {"a@x.example", "root@z.example", 3},
    {"a@y.example", "root@z.example", ROUTE_NONE},
    {"a@y.example", "u@y.example", ROUTE_NONE},
    {"", "", ROUTE_NONE},
};

Test(route, is_the_first_rule_that_matches_both)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(route_find(&table, bytes_of(rows[i].sender),
				 bytes_of(rows[i].recipient)),
		    rows[i].route, "from <%s> to <%s>", rows[i].sender,
		    rows[i].recipient);
}

Test(route, without_patterns_is_the_default)
{
	static const struct route_rule all[] = {
	    {.recipient = "root", .upstream_count = 1},
	    {.upstream_count = 1},
	    {.sender = "*", .upstream_count = 1},
	};
	const struct route_table with_default = {all, 3};

	cr_expect_eq(
	    route_find(&with_default, BYTES_NONE, BYTES("u@x.example")), 1);
	cr_expect_eq(
	    route_find(&with_default, BYTES("a@b"), BYTES("root@x")), 0);
}

Test(route, is_none_where_there_are_no_rules)
{
	const struct route_table empty = {NULL, 0};

	cr_expect_eq(
	    route_find(&empty, BYTES("a@b"), BYTES("c@d")), ROUTE_NONE);
}
