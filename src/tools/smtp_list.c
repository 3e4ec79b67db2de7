#include "tools/smtp_list.h"

#include "base/memory.h"

#include <stdlib.h>

void
smtp_list_add(struct smtp_list *list, struct bytes item)
{
	list->items = memory_resize_array(
	    list->items, list->count + 2, sizeof(*list->items));
	list->items[list->count++] = memory_copy(item);
	list->items[list->count] = NULL;
}

void
smtp_list_clear(struct smtp_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct smtp_list){0};
}

const char *const *
smtp_list_get(const struct smtp_list *list)
{
	return (const char *const *)list->items;
}
