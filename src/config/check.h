/*
 * Contradictions across settings, and what may not be left out.  What is true
 * of one value alone is in the table (config.c) and checked while reading.
 */
#pragma once

#include "config/diagnose.h"
#include "config/setting.h"

/* root is after derive_settings(). */
void check_settings(const struct setting *root, struct diagnose *diagnose);
