#include "intake/admission.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const char *const domains[] = {"a.example", "B.example"};
static const struct admission_options options = {
    .relay_domains = domains,
    .relay_domain_count = 2,
    .connections_max = 5,
    .connections_per_user_max = 2,
    .memory_max = 100,
};

Test(admission, counts_connections_of_each_user_and_of_all)
{
	const struct peer ada = {.local = true, .uid = 1000};
	const struct peer root = {.local = true, .uid = 0};
	const struct peer away = {.address = "192.0.2.1"};
	const struct peer off = {.address = "192.0.2.2"};
	struct admission admission;

	admission_init(&admission, &options);
	cr_expect_null(admission_enter(&admission, &ada));
	cr_expect_null(admission_enter(&admission, &ada));
	cr_expect_not_null(admission_enter(&admission, &ada));
	cr_expect_null(admission_enter(&admission, &away));
	cr_expect_null(admission_enter(&admission, &off));
	admission_leave(&admission, &off);
	admission_leave(&admission, &ada);
	cr_expect_null(admission_enter(&admission, &root));
	cr_expect_null(admission_enter(&admission, &root));
	cr_expect_null(admission_enter(&admission, &root),
	    "the administrator is locked out");
	cr_expect_not_null(
	    admission_enter(&admission, &root), "more than five");
	cr_expect_eq(admission.rejected, 2);
	for (int i = 0; i < 3; i++)
		admission_leave(&admission, &root);
	admission_leave(&admission, &away);
	admission_leave(&admission, &ada);
	cr_expect_eq(admission.connections, 0);
	cr_expect_eq(table_size(&admission.users), 0);
	admission_clear(&admission);
}

Test(admission, forgets_users_that_are_gone)
{
	struct admission admission;

	admission_init(&admission, &options);
	for (unsigned i = 0; i < 100000; i++) {
		struct peer peer = {.local = false};
		(void)snprintf(peer.address, sizeof(peer.address), "%u", i);
		cr_assert_null(admission_enter(&admission, &peer));
		admission_leave(&admission, &peer);
	}
	cr_expect_leq(admission.users.capacity, 64);
	admission_clear(&admission);
}

Test(admission, reserves_memory_up_to_its_limit)
{
	struct admission admission;

	admission_init(&admission, &options);
	cr_expect(admission_reserve(&admission, 60));
	cr_expect(admission_reserve(&admission, 40));
	cr_expect_not(admission_reserve(&admission, 1));
	cr_expect(admission_reserve(&admission, 0));
	admission_release(&admission, 50);
	cr_expect_not(admission_reserve(&admission, 51));
	cr_expect_not(admission_reserve(&admission, UINT64_MAX));
	cr_expect(admission_reserve(&admission, 50));
	admission_clear(&admission);
}

Test(admission, knows_its_relay_domains)
{
	struct admission admission;

	admission_init(&admission, &options);
	cr_expect(admission_relays(&admission, BYTES("a.example")));
	cr_expect(admission_relays(&admission, BYTES("b.EXAMPLE")));
	cr_expect_not(admission_relays(&admission, BYTES("x.a.example")));
	cr_expect_not(admission_relays(&admission, BYTES("")));
	admission_clear(&admission);
}
