/*
 * text.c
 *		Bytes of the formats as text of this database; see text.h.
 */
#include "core/text.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Longest value shown, in bytes. */
#define SHOWN_MAX 200

char *
gl_hex(const void *data, size_t length)
{
	char	   *text = palloc(length * 2 + 1);

	hex_encode(data, length, text);
	text[length * 2] = '\0';
	return text;
}

bool
gl_bytes_are(GlBytes bytes, const char *string)
{
	return bytes.length == strlen(string) && memcmp(bytes.data, string, bytes.length) == 0;
}

GlBytes
gl_bytes_copy(GlBytes bytes)
{
	uint8	   *copy = MemoryContextAllocHuge(CurrentMemoryContext, bytes.length + 1);

	if (bytes.length > 0)
		memcpy(copy, bytes.data, bytes.length);
	copy[bytes.length] = 0;
	bytes.data = copy;
	return bytes;
}

GlBytes
gl_bytes_of(const char *string)
{
	GlBytes		bytes;

	bytes.data = (const uint8_t *) string;
	bytes.length = strlen(string);
	return bytes;
}

/* Never an error: what stands in the log may be anything once somebody has been at it. */
char *
gl_server_text(GlBytes bytes)
{
	size_t		room = bytes.length * MAX_CONVERSION_GROWTH + 1;
	unsigned char *text;
	Oid			conversion;

	if (!gl_utf8_valid(bytes.data, bytes.length) || memchr(bytes.data, 0, bytes.length) != NULL)
		return NULL;
	if (GetDatabaseEncoding() == PG_UTF8 || bytes.length == 0)
		return pnstrdup((const char *) bytes.data, bytes.length);
	conversion = FindDefaultConversionProc(PG_UTF8, GetDatabaseEncoding());
	if (!OidIsValid(conversion) || room >= MaxAllocSize)
		return NULL;
	text = palloc(room);
	if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, GetDatabaseEncoding(),
									  unconstify(unsigned char *, (const unsigned char *) bytes.data),
									  bytes.length, text, room, true) != bytes.length)
		return NULL;
	return (char *) text;
}

char *
gl_shown(GlBytes bytes, bool is_bytea)
{
	GlBytes		head = bytes;
	char	   *text = NULL;

	if (head.length > SHOWN_MAX)
	{
		head.length = SHOWN_MAX;
		/* not in the middle of a character */
		while (!is_bytea && head.length > SHOWN_MAX - 4 && (head.data[head.length] & 0xC0) == 0x80)
			head.length--;
	}
	if (!is_bytea)
		text = gl_server_text(head);
	if (text == NULL)
		text = psprintf("\\x%s", gl_hex(head.data, head.length));
	if (head.length < bytes.length)
		text = psprintf("%s... (%zu bytes)", text, bytes.length);
	return text;
}
