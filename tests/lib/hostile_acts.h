/* What a hostile server may do to a client: threats A and I, row by row. */
#pragma once

#include "lib/hostile_server.h"

#include <stddef.h>

#define HOSTILE_IN_CLEAR (1U << HOSTILE_PLAIN)
#define HOSTILE_STARTED  (1U << HOSTILE_TLS_STARTED)
#define HOSTILE_IMPLICIT (1U << HOSTILE_TLS_IMPLICIT)
#define HOSTILE_ANY      (HOSTILE_IN_CLEAR | HOSTILE_STARTED | HOSTILE_IMPLICIT)

/* Ends in one without a name. */
extern const struct hostile_act hostile_acts[];

/* "MAIL" */
const char *hostile_stage_name(enum hostile_stage stage);
const char *hostile_channel_name(enum hostile_channel channel);
/* Can act be tried there: is it meant to be, and does the stage exist? */
bool hostile_act_fits(const struct hostile_act *act, enum hostile_stage stage,
    enum hostile_channel channel);
