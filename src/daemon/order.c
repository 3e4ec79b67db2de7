#include "daemon/order.h"

#include "base/memory.h"

#include <stdlib.h>

struct order *
order_new(enum order_kind kind, uint64_t id)
{
	struct order *order = memory_new(sizeof(*order));

	order->kind = kind;
	order->id = id;
	return order;
}

void
order_take_message(struct order *order, struct message *message)
{
	struct progress *progress = &message->progress;

	if (progress->attempts < order->attempts)
		progress->attempts = order->attempts;
	order->message = message;
}

void
order_free(struct order *order)
{
	if (order == NULL)
		return;
	if (order->message != NULL)
		message_free(order->message);
	if (order->settlement.report != NULL)
		message_free(order->settlement.report);
	free(order->recipients);
	free(order);
}
