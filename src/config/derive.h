/*
 * Defaults that follow from other settings or from the system: the names of
 * this machine, the usual doors, ports by TLS and TLS by ports, the last route.
 */
#pragma once

#include "config/setting.h"

#include <stdbool.h>

/* Put them into the tree where nobody wrote a value ("auto" counts as that). */
void derive_settings(struct setting *root);

/* Delivery within this machine: a unix socket, a loopback address, a maildir.
 */
bool derive_is_local(const struct setting *upstream);
