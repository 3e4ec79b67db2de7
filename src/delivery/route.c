#include "delivery/route.h"

#include "smtp/address.h"

static bool
matches(struct bytes mailbox, const char *pattern)
{
	return pattern == NULL || address_matches(mailbox, bytes_of(pattern));
}

uint16_t
route_find(const struct route_table *table, struct bytes sender,
    struct bytes recipient)
{
	for (size_t i = 0; i < table->count && i < ROUTES_MAX; i++) {
		const struct route_rule *rule = &table->rules[i];
		if (matches(recipient, rule->recipient) &&
		    matches(sender, rule->sender))
			return (uint16_t)i;
	}
	return ROUTE_NONE;
}
