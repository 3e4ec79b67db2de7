/* For who comes from another tool. */
#pragma once

/* What to say instead of its option; NULL where word is none. */
const char *smtp_hint_of(const char *word);
