/*
 * From the tree of settings to the plain struct, by the offsets in the table.
 */
#pragma once

#include "config/option.h"
#include "config/setting.h"

/* Fill the zeroed struct; defaults where root has nothing (NULL: everywhere).
 * root is without errors. */
void store_settings(const struct option_group *group,
    const struct setting *root, void *out_struct);
/* Free what store_settings() made in the struct, overwriting secrets; the
 * struct itself is the caller's. */
void store_release(const struct option_group *group, void *object);
