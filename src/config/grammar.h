/*
 * Where the settings of a configuration text stand.
 *
 * libconfig reads the values but knows only lines, and stops at the first thing
 * that it does not like.  So this walks over the same grammar first: it notes
 * the place of every name and value, in the order in which libconfig will build
 * its tree (each setting before what it holds), and says what is wrong with the
 * syntax in words.
 *
 *   configuration = *setting
 *   setting       = name ("=" / ":") value [";" / ","]
 *   value         = scalar / array / list / group
 *   array         = "[" [scalar *("," scalar)] "]"   ; all of one type
 *   list          = "(" [value *("," value)] ")"
 *   group         = "{" *setting "}"
 *   scalar        = 1*string / number / boolean
 */
#pragma once

#include "config/diagnose.h"

#include <stdbool.h>
#include <stddef.h>

/* More than any sane file has; they bound the work. */
#define GRAMMAR_SIZE_MAX     ((size_t)1024 * 1024)
#define GRAMMAR_SETTINGS_MAX 4096
#define GRAMMAR_DEPTH_MAX    16

/* Offsets into the text; name_len is 0 for the elements of arrays and lists. */
struct grammar_mark {
	size_t name;
	size_t name_len;
	size_t value;
	size_t value_len;
};

struct grammar {
	struct grammar_mark *marks; /* owned */
	size_t count;
};

/*
 * False: the syntax is wrong (once told, the rest can not be understood); no
 * grammar to clear then.  A setting given twice in one group is told,
 * overwritten with blanks in text, and left out; so the rest can still be
 * looked at.
 *
 * text   a copy of source's, to be handed to libconfig
 */
bool grammar_scan(const struct source *source, char *text,
    struct diagnose *diagnose, struct grammar *out_grammar);
void grammar_clear(struct grammar *scan);
