/*
 * What the admin socket offers: the resources of control_server.h, one function
 * each.  Their ctx is the daemon.
 */
#pragma once

#include "control/control_server.h"

#include <stddef.h>

const struct control_resource *resources_table(void);
size_t resources_count(void);
