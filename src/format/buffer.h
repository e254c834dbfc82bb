/*
 * buffer.h
 *		A growable byte string and a bounded reader, for code without a server.
 *
 * GlBuffer never allocates on its own: the owner gives a grow function (repalloc
 * in the server, realloc in a tool), so the formats do not care whose memory it is.
 * The append functions are inline: they are the hot path of capture.
 */
#ifndef GL_FORMAT_BUFFER_H
#define GL_FORMAT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Enlarge or (old == NULL) create; never returns NULL: it aborts or throws. */
typedef void *(*GlGrowFunction) (void *old, size_t size);

typedef struct GlBuffer
{
	uint8_t    *data;
	size_t		length;
	size_t		capacity;
	GlGrowFunction grow;
} GlBuffer;

/* Bytes that belong to somebody else. */
typedef struct GlBytes
{
	const uint8_t *data;
	size_t		length;
} GlBytes;

/* Reads from [at, end); after the first violation `failed` stays set and every read gives zero. */
typedef struct GlReader
{
	const uint8_t *at;
	const uint8_t *end;
	bool		failed;
} GlReader;

#define GL_VARINT_MAX_SIZE 10

/* Make room for `more` bytes beyond length. */
extern void gl_buffer_reserve_slow(GlBuffer *buffer, size_t more);

static inline void
gl_buffer_init(GlBuffer *buffer, GlGrowFunction grow)
{
	buffer->data = NULL;
	buffer->length = 0;
	buffer->capacity = 0;
	buffer->grow = grow;
}

static inline void
gl_buffer_reserve(GlBuffer *buffer, size_t more)
{
	if (buffer->capacity - buffer->length < more)
		gl_buffer_reserve_slow(buffer, more);
}

static inline void
gl_buffer_append(GlBuffer *buffer, const void *data, size_t length)
{
	gl_buffer_reserve(buffer, length);
	if (length > 0)
		memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
}

static inline void
gl_buffer_u8(GlBuffer *buffer, uint8_t value)
{
	gl_buffer_reserve(buffer, 1);
	buffer->data[buffer->length++] = value;
}

/* Write a varint at `out` (room for GL_VARINT_MAX_SIZE), return its size. */
static inline size_t
gl_varint_write(uint8_t *out, uint64_t value)
{
	size_t		n = 0;

	while (value >= 0x80)
	{
		out[n++] = (uint8_t) (value | 0x80);
		value >>= 7;
	}
	out[n++] = (uint8_t) value;
	return n;
}

static inline void
gl_buffer_varint(GlBuffer *buffer, uint64_t value)
{
	gl_buffer_reserve(buffer, GL_VARINT_MAX_SIZE);
	buffer->length += gl_varint_write(buffer->data + buffer->length, value);
}

extern void gl_buffer_u16(GlBuffer *buffer, uint16_t value);
extern void gl_buffer_u32(GlBuffer *buffer, uint32_t value);
extern void gl_buffer_u64(GlBuffer *buffer, uint64_t value);
/* varint length, then the bytes */
extern void gl_buffer_text(GlBuffer *buffer, const void *data, size_t length);

extern void gl_put_u32(uint8_t *out, uint32_t value);
extern void gl_put_u64(uint8_t *out, uint64_t value);

static inline void
gl_reader_init(GlReader *reader, const void *data, size_t length)
{
	reader->at = data;
	/* no arithmetic on a null pointer, which an empty byte string may be */
	reader->end = length > 0 ? reader->at + length : reader->at;
	reader->failed = false;
}

static inline size_t
gl_reader_left(const GlReader *reader)
{
	return (size_t) (reader->end - reader->at);
}

/* True iff nothing failed and nothing is left over. */
static inline bool
gl_reader_done(const GlReader *reader)
{
	return !reader->failed && reader->at == reader->end;
}

extern uint8_t gl_read_u8(GlReader *reader);
extern uint16_t gl_read_u16(GlReader *reader);
extern uint32_t gl_read_u32(GlReader *reader);
extern uint64_t gl_read_u64(GlReader *reader);
/* Shortest form only, value below 2^63. */
extern uint64_t gl_read_varint(GlReader *reader);
/* `length` bytes, or failure (data NULL, length 0) */
extern GlBytes gl_read_bytes(GlReader *reader, uint64_t length);
/* varint length, then the bytes; does not look at the encoding */
extern GlBytes gl_read_text(GlReader *reader);
/* the same, and failure unless the bytes are UTF-8 */
extern GlBytes gl_read_utf8(GlReader *reader);

/* Well-formed UTF-8: shortest forms, no surrogates, nothing above U+10FFFF. */
extern bool gl_utf8_valid(const void *data, size_t length);
extern bool gl_bytes_equal(GlBytes a, GlBytes b);

#endif
