#include "message/header.h"

/* Nested comments, RFC 5322 3.2.2 knows no limit. */
#define COMMENT_DEPTH_MAX 100

/*
 *   address-list = [CFWS] *("," [CFWS]) address *("," [address / CFWS])
 *   address      = mailbox / group
 *   group        = phrase ":" [address-list] ";" [CFWS]
 *   mailbox      = addr-spec / [phrase] [CFWS] "<" [route] addr-spec ">" [CFWS]
 *
 * Read as tokens; a member ends at ',' or ';', and what stands before ':' is a
 * group's name.  So groups need no state from one call to the next.
 */
enum token_kind {
	TOKEN_END,
	TOKEN_BAD,
	TOKEN_BLANK, /* blanks, folds and comments */
	TOKEN_WORD,  /* an atom, a quoted string, a domain literal */
	TOKEN_SPECIAL
};

/* Octets of the comment at the front, 0 where it has no end. */
static size_t
comment_len(struct bytes text)
{
	unsigned depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\\')
			i++;
		else if (text.data[i] == '(')
			depth++;
		else if (text.data[i] == ')')
			depth--;
		if (depth == 0)
			return i + 1;
		if (depth > COMMENT_DEPTH_MAX)
			return 0;
	}
	return 0;
}

/* Octets of the quoted string at the front, 0 where it has no end. */
static size_t
quoted_len(struct bytes text)
{
	for (size_t i = 1; i < text.len; i++) {
		if (text.data[i] == '\\')
			i++;
		else if (text.data[i] == '"')
			return i + 1;
	}
	return 0;
}

/*
 * Octets of the domain literal at the front; 1 where it is none: people write
 * "[" into names.  Stops at whatever cannot be in one, so that scanning "[[[["
 * stays linear.
 */
static size_t
literal_len(struct bytes text)
{
	for (size_t i = 1; i < text.len; i++) {
		if (text.data[i] == ']')
			return i + 1;
		if (bytes_contains(BYTES("[<>,;()\""), text.data[i]))
			return 1;
	}
	return 1;
}

static bool
is_atom(char c)
{
	switch (c) {
	case '(':
	case ')':
	case '<':
	case '>':
	case '[':
	case ':':
	case ';':
	case '@':
	case ',':
	case '.':
	case '"':
		return false;
	default:
		return !bytes_is_space_char(c);
	}
}

static size_t
atom_len(struct bytes text)
{
	size_t len = 0;

	while (len < text.len && is_atom(text.data[len]))
		len += text.data[len] == '\\' && len + 1 < text.len ? 2 : 1;
	return len;
}

static size_t
blank_len(struct bytes text)
{
	size_t len = 0;

	while (len < text.len && bytes_is_space_char(text.data[len]))
		len++;
	return len;
}

/* Kind and length of the token at the front. */
static enum token_kind
find_token(struct bytes text, size_t *out_len)
{
	if (text.len == 0)
		return TOKEN_END;

	char c = text.data[0];
	enum token_kind kind = TOKEN_WORD;
	if (c == '(') {
		kind = TOKEN_BLANK;
		*out_len = comment_len(text);
	} else if (bytes_is_space_char(c)) {
		kind = TOKEN_BLANK;
		*out_len = blank_len(text);
	} else if (c == '"') {
		*out_len = quoted_len(text);
	} else if (c == '[') {
		*out_len = literal_len(text);
	} else if (is_atom(c)) {
		*out_len = atom_len(text);
	} else {
		kind = TOKEN_SPECIAL;
		*out_len = c == ')' ? 0 : 1;
	}
	return *out_len == 0 ? TOKEN_BAD : kind;
}

static enum token_kind
take_token(struct bytes *rest, struct bytes *out_token)
{
	size_t len = 0;
	enum token_kind kind = find_token(*rest, &len);

	*out_token = bytes_first(*rest, len);
	*rest = bytes_from(*rest, len);
	return kind;
}

/* Where a member's parts lie, as offsets into the value. */
struct member {
	size_t start;     /* of the whole, behind a group's name */
	size_t end;       /* of its last token that is no blank */
	size_t angle;     /* behind '<', where has_angle */
	size_t angle_end; /* of '>', where it is closed */
	size_t restart;   /* of the first word behind '>'; 0: none */
	size_t next;      /* where the next member begins */
	bool has_angle, is_closed;
	bool is_empty; /* nothing but blanks */
};

static const struct member no_member = {.is_empty = true};

/* False: the member ends before this token, at next. */
static bool
add_special(struct member *member, char c, size_t at, bool *out_bad)
{
	bool in_angle = member->has_angle && !member->is_closed;

	if (in_angle) {
		*out_bad = c == '<';
		member->is_closed = c == '>';
		member->angle_end = at;
		return !*out_bad;
	}
	if (c == ',' || c == ';') {
		member->next = at + 1;
		return false;
	}
	if (c == '<' && member->is_closed) {
		/* A comma is missing: nobody is to be lost for that. */
		member->next = member->restart == 0 ? at : member->restart;
		return false;
	}
	if (c == '<') {
		member->has_angle = true;
		member->angle = at + 1;
	}
	*out_bad = c == '>';
	return !*out_bad;
}

/* Note a token that is no blank. */
static void
add_extent(struct member *member, size_t at, size_t len)
{
	if (member->is_empty)
		member->start = at;
	member->is_empty = false;
	member->end = at + len;
}

/* Find the first member's extent. False: unbalanced. */
static bool
find_member(struct bytes value, struct member *member)
{
	struct bytes rest = value;

	*member = no_member;
	for (;;) {
		struct bytes token;
		size_t at = value.len - rest.len;
		bool bad = false;
		enum token_kind kind = take_token(&rest, &token);

		member->next = value.len;
		if (kind == TOKEN_END)
			return !member->has_angle || member->is_closed;
		if (kind == TOKEN_BAD)
			return false;
		if (kind == TOKEN_BLANK)
			continue;
		bool was_closed = member->is_closed;
		if (kind == TOKEN_SPECIAL &&
		    !add_special(member, token.data[0], at, &bad))
			return !bad;
		if (kind == TOKEN_SPECIAL && token.data[0] == ':' &&
		    !member->has_angle) {
			*member = no_member;
			continue;
		}
		if (was_closed && member->restart == 0)
			member->restart = at;
		if (!was_closed)
			add_extent(member, at, token.len);
	}
}

/* Behind a route "@a,@b:", which means nothing any more (RFC 5321 C). */
static struct bytes
without_route(struct bytes spec)
{
	struct bytes rest = spec;
	struct bytes token;
	enum token_kind kind = take_token(&rest, &token);

	while (kind == TOKEN_BLANK)
		kind = take_token(&rest, &token);
	if (!bytes_is(token, "@"))
		return spec;
	while (kind != TOKEN_END && !bytes_is(token, ":"))
		kind = take_token(&rest, &token);
	return kind == TOKEN_END ? spec : rest;
}

static bool
joins(struct bytes token)
{
	return bytes_is(token, "@") || bytes_is(token, ".");
}

/* Append a word; folds in a quoted string are no part of it. */
static void
append_token(struct buffer *scratch, struct bytes token)
{
	for (size_t i = 0; i < token.len; i++) {
		if (!bytes_is_line_end_char(token.data[i]))
			buffer_append_char(scratch, token.data[i]);
	}
}

/*
 * Append spec without blanks and comments around '@' and '.'; between two words
 * one blank stays, so that "John Doe" does not pass for a mailbox.
 */
static void
append_spec(struct buffer *scratch, struct bytes spec)
{
	struct bytes before = BYTES(".");
	struct bytes token;
	bool blank = false;

	for (;;) {
		enum token_kind kind = take_token(&spec, &token);
		if (kind == TOKEN_END || kind == TOKEN_BAD)
			return;
		if (kind == TOKEN_BLANK) {
			blank = true;
			continue;
		}
		if (blank && !joins(before) && !joins(token))
			buffer_append_char(scratch, ' ');
		append_token(scratch, token);
		before = token;
		blank = false;
	}
}

/* Blanks and comments between the tokens, or folds in them? */
static bool
needs_cleaning(struct bytes spec)
{
	struct bytes token;
	enum token_kind kind;

	do {
		kind = take_token(&spec, &token);
		if (kind == TOKEN_BLANK || bytes_contains(token, '\n') ||
		    bytes_contains(token, '\r'))
			return true;
	} while (kind != TOKEN_END && kind != TOKEN_BAD);
	return false;
}

/* False: scratch has no room. */
static bool
clean(struct bytes spec, struct bytes whole_rest, struct buffer *scratch,
    struct bytes *out_mailbox)
{
	spec = bytes_trim(without_route(spec));
	if (!needs_cleaning(spec)) {
		*out_mailbox = spec;
		return true;
	}
	/* Cleaning never makes longer: with room for all that is left of the
	 * value, scratch is not moved until the walk is over. */
	if (buffer_reserve(scratch, whole_rest.len) == NULL)
		return false;
	size_t start = scratch->len;
	append_spec(scratch, spec);
	*out_mailbox = bytes_from(buffer_bytes(scratch), start);
	return true;
}

enum header_address_result
header_next_address(struct bytes *value, struct buffer *scratch,
    struct header_address *out_address)
{
	struct bytes text = *value;
	struct member member = no_member;

	while (member.is_empty) {
		*value = BYTES_NONE;
		if (text.len == 0)
			return HEADER_ADDRESS_END;
		if (!find_member(text, &member))
			return HEADER_ADDRESS_BAD;
		*value = bytes_from(text, member.next);
		if (member.is_empty)
			text = *value;
	}

	struct bytes whole =
	    bytes_from(bytes_first(text, member.end), member.start);
	struct bytes spec = member.has_angle
	    ? bytes_from(bytes_first(text, member.angle_end), member.angle)
	    : whole;
	struct bytes mailbox;
	if (!clean(spec, text, scratch, &mailbox)) {
		*value = BYTES_NONE;
		return HEADER_ADDRESS_BAD;
	}
	*out_address = (struct header_address){mailbox, whole};
	return HEADER_ADDRESS;
}
