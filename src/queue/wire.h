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

void wire_put16(struct buffer *buffer, uint16_t value);
void wire_put32(struct buffer *buffer, uint32_t value);
void wire_put64(struct buffer *buffer, uint64_t value);
/* text may be NULL. */
void wire_put_text(struct buffer *buffer, const char *text);
/* Zeros up to a multiple of 8 octets from start on. */
void wire_put_filling(struct buffer *buffer, size_t start);
/* Over what is in the buffer already, at octets from its start. */
void wire_set32(struct buffer *buffer, size_t at, uint32_t value);
void wire_set64(struct buffer *buffer, size_t at, uint64_t value);

/* Takes from the front; where too little is left, it is bad, and gives 0. */
struct wire {
	struct bytes rest;
	bool is_bad;
};

struct bytes wire_take(struct wire *wire, size_t len);
unsigned wire_take8(struct wire *wire);
uint16_t wire_take16(struct wire *wire);
uint32_t wire_take32(struct wire *wire);
uint64_t wire_take64(struct wire *wire);
/* A copy that the caller owns; NULL for a text that is not there, or bad. */
char *wire_take_text(struct wire *wire);
