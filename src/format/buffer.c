/*
 * buffer.c
 *		Growable byte string, big endian numbers, bounded reader, UTF-8.
 */
#include "format/buffer.h"

#define MIN_CAPACITY 256

void
gl_buffer_reserve_slow(GlBuffer *buffer, size_t more)
{
	size_t		wanted;

	/* A request that cannot be expressed goes to the owner too, who aborts or throws. */
	if (more > SIZE_MAX - buffer->length)
		wanted = SIZE_MAX;
	else
		wanted = buffer->length + more;
	if (wanted < MIN_CAPACITY)
		wanted = MIN_CAPACITY;
	if (buffer->capacity <= SIZE_MAX / 2 && wanted < buffer->capacity * 2)
		wanted = buffer->capacity * 2;
	buffer->data = buffer->grow(buffer->data, wanted);
	buffer->capacity = wanted;
}

void
gl_put_u32(uint8_t *out, uint32_t value)
{
	out[0] = (uint8_t) (value >> 24);
	out[1] = (uint8_t) (value >> 16);
	out[2] = (uint8_t) (value >> 8);
	out[3] = (uint8_t) value;
}

void
gl_put_u64(uint8_t *out, uint64_t value)
{
	gl_put_u32(out, (uint32_t) (value >> 32));
	gl_put_u32(out + 4, (uint32_t) value);
}

void
gl_buffer_u16(GlBuffer *buffer, uint16_t value)
{
	gl_buffer_u8(buffer, (uint8_t) (value >> 8));
	gl_buffer_u8(buffer, (uint8_t) value);
}

void
gl_buffer_u32(GlBuffer *buffer, uint32_t value)
{
	gl_buffer_reserve(buffer, 4);
	gl_put_u32(buffer->data + buffer->length, value);
	buffer->length += 4;
}

void
gl_buffer_u64(GlBuffer *buffer, uint64_t value)
{
	gl_buffer_reserve(buffer, 8);
	gl_put_u64(buffer->data + buffer->length, value);
	buffer->length += 8;
}

void
gl_buffer_text(GlBuffer *buffer, const void *data, size_t length)
{
	gl_buffer_varint(buffer, length);
	gl_buffer_append(buffer, data, length);
}

GlBytes
gl_read_bytes(GlReader *reader, uint64_t length)
{
	GlBytes		bytes = {NULL, 0};

	if (reader->failed)
		return bytes;
	if (length > gl_reader_left(reader))
	{
		reader->failed = true;
		return bytes;
	}
	bytes.data = reader->at;
	bytes.length = (size_t) length;
	if (length > 0)
		reader->at += length;
	return bytes;
}

/* A big endian number of `size` bytes. */
static uint64_t
read_number(GlReader *reader, int size)
{
	GlBytes		bytes = gl_read_bytes(reader, (uint64_t) size);
	uint64_t	value = 0;
	size_t		i;

	for (i = 0; i < bytes.length; i++)
		value = value << 8 | bytes.data[i];
	return value;
}

uint8_t
gl_read_u8(GlReader *reader)
{
	return (uint8_t) read_number(reader, 1);
}

uint16_t
gl_read_u16(GlReader *reader)
{
	return (uint16_t) read_number(reader, 2);
}

uint32_t
gl_read_u32(GlReader *reader)
{
	return (uint32_t) read_number(reader, 4);
}

uint64_t
gl_read_u64(GlReader *reader)
{
	return read_number(reader, 8);
}

uint64_t
gl_read_varint(GlReader *reader)
{
	uint64_t	value = 0;
	int			shift;

	if (reader->failed)
		return 0;

	/* Nine bytes carry 63 bits: a tenth could only be zero or make the value too large. */
	for (shift = 0; shift < 63 && reader->at < reader->end; shift += 7)
	{
		uint8_t		byte = *reader->at++;

		value |= (uint64_t) (byte & 0x7F) << shift;
		if (byte & 0x80)
			continue;
		/* a last byte of zero means that a shorter form exists */
		if (byte == 0 && shift > 0)
			break;
		return value;
	}
	reader->failed = true;
	return 0;
}

GlBytes
gl_read_text(GlReader *reader)
{
	uint64_t	length = gl_read_varint(reader);

	return gl_read_bytes(reader, length);
}

GlBytes
gl_read_utf8(GlReader *reader)
{
	GlBytes		text = gl_read_text(reader);

	if (!gl_utf8_valid(text.data, text.length))
	{
		reader->failed = true;
		text.data = NULL;
		text.length = 0;
	}
	return text;
}

bool
gl_utf8_valid(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	size_t		i = 0;

	while (i < length)
	{
		uint8_t		first = bytes[i++];
		uint32_t	point;
		uint32_t	smallest;
		int			more;

		if (first < 0x80)
			continue;
		if (first < 0xC2 || first > 0xF4)
			return false;
		more = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
		smallest = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
		point = first & (0x3F >> more);
		if (length - i < (size_t) more)
			return false;
		for (; more > 0; more--, i++)
		{
			if ((bytes[i] & 0xC0) != 0x80)
				return false;
			point = point << 6 | (bytes[i] & 0x3F);
		}
		if (point < smallest || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
			return false;
	}
	return true;
}

bool
gl_bytes_equal(GlBytes a, GlBytes b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}
