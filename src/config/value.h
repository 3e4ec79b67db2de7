/*
 * One value of an option: what it must look like, and what it stands for.
 */
#pragma once

#include "base/bytes.h"
#include "config/option.h"

#include <stdbool.h>
#include <stdint.h>

/* "a size in quotes, like \"64K\" (K M G T)": how the option's value is
 * written. */
const char *value_example(const struct option *option);
/* The number that text stands for (a boolean is 0 or 1); false where it is none
 * of the option's type. */
bool value_number(
    const struct option *option, struct bytes text, int64_t *out_number);
/* Its values stand for numbers. */
bool value_is_number(const struct option *option);
/* The row of a word; NULL where the option has none such. */
const struct option_choice *value_choice(
    const struct option *option, const char *text);
/* Tell what is wrong with text, if anything. */
void value_check(const struct option *option, const char *text,
    struct source_place place, struct diagnose *diagnose);
