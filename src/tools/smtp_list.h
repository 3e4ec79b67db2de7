/* Texts in a row, as the library wants them. */
#pragma once

#include "base/bytes.h"

#include <stddef.h>

/* All of it is owned; it ends in NULL where it is not empty. */
struct smtp_list {
	char **items;
	size_t count;
};

/* A copy of item behind the others. */
void smtp_list_add(struct smtp_list *list, struct bytes item);
void smtp_list_clear(struct smtp_list *list);
/* As the library wants it. */
const char *const *smtp_list_get(const struct smtp_list *list);
