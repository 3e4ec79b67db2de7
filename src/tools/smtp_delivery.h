/* One letter, and what became of each of its recipients. */
#pragma once

#include "tools/smtp_letter.h"
#include "tools/smtp_visit.h"

struct smtp_delivery {
	const char *name; /* of the letter, for who reads */
	bool is_one_of_several;
	const char *from;
	const char *const *to;            /* ending in NULL */
	const struct smtp_letter *letter; /* any line ends */
	bool is_international;            /* its header is not ASCII */
};

/* Greeted; all is told, with the exit code. */
void smtp_delivery_send(
    struct smtp_visit *visit, const struct smtp_delivery *delivery);
/* A letter called name that cannot be sent at all: EX_USAGE. */
void smtp_delivery_fault(struct smtp_visit *visit, const char *name,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
