/*
 * Numbers and texts as they lie on disk: little endian, and texts as 4 octets
 * length + 1 and the octets (0 and nothing where there is no text).
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void packed_put16(struct buffer *buffer, uint16_t value);
void packed_put32(struct buffer *buffer, uint32_t value);
void packed_put64(struct buffer *buffer, uint64_t value);
/* text may be NULL. */
void packed_put_text(struct buffer *buffer, const char *text);
/* Zeros up to a multiple of 8 octets from start on. */
void packed_put_filling(struct buffer *buffer, size_t start);
/* Over what is in the buffer already, at octets from its start. */
void packed_set32(struct buffer *buffer, size_t at, uint32_t value);
void packed_set64(struct buffer *buffer, size_t at, uint64_t value);

/* Takes from the front; where too little is left, it is bad, and gives 0. */
struct packed {
	struct bytes rest;
	bool is_bad;
};

struct bytes packed_take(struct packed *packed, size_t len);
unsigned packed_take8(struct packed *packed);
uint16_t packed_take16(struct packed *packed);
uint32_t packed_take32(struct packed *packed);
uint64_t packed_take64(struct packed *packed);
/* A copy that the caller owns; NULL for a text that is not there, or bad. */
char *packed_take_text(struct packed *packed);
