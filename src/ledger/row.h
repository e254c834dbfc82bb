/*
 * row.h
 *		The fields of images and changes (src/format/README.md section 3). A *row* is an image without its count.
 */
#ifndef GL_LEDGER_ROW_H
#define GL_LEDGER_ROW_H

#include "core/compat.h"
#include "format/hash.h"

/* Walks a row. */
typedef struct GlCursor
{
	const uint8 *at;
	const uint8 *end;
	const uint8 *start;			/* of the field in hand */
	uint64		column_id;
	bool		is_null;		/* only in changes */
	bool		is_personal;
	GlBytes		value;
	bool		failed;
} GlCursor;

extern void gl_cursor_init(GlCursor *cursor, GlBytes row);
/* Value of one column; false if the row has none (NULL). */
extern bool gl_row_value(GlBytes row, uint64 column_id, GlCursor *field);
/* Image of the table as a row: skips the count. */
extern GlBytes gl_row_of_image(GlBytes image);
/* Take a counted list of fields off the front of `cursor`: ids ascend, lengths fit; else false. */
extern bool gl_fields_take(GlCursor *cursor, bool changes, GlBytes *fields);
extern bool gl_cursor_varint_slow(GlCursor *cursor, uint64 *value);

/* Ids and lengths are mostly below 128: one byte. */
static inline bool
gl_cursor_varint(GlCursor *cursor, uint64 *value)
{
	if (likely(cursor->at < cursor->end && *cursor->at < 0x80))
	{
		*value = *cursor->at++;
		return true;
	}
	return gl_cursor_varint_slow(cursor, value);
}

/* Next field of an image or, with a code for NULL, of changes. */
static inline bool
gl_cursor_step(GlCursor *cursor, bool changes)
{
	uint64		code;

	if (cursor->at == cursor->end || cursor->failed)
		return false;
	cursor->start = cursor->at;
	if (!gl_cursor_varint(cursor, &cursor->column_id) || !gl_cursor_varint(cursor, &code))
		return false;
	cursor->is_null = changes && code == 0;
	if (changes && code > 0)
		code--;
	cursor->is_personal = code & 1;
	cursor->value.data = cursor->at;
	cursor->value.length = code >> 1;
	if (cursor->value.length > (size_t) (cursor->end - cursor->at) ||
		(cursor->is_personal && cursor->value.length != GL_HASH_SIZE))
	{
		cursor->failed = true;
		return false;
	}
	cursor->at += cursor->value.length;
	return true;
}

static inline bool
gl_cursor_next(GlCursor *cursor)
{
	return gl_cursor_step(cursor, false);
}

#endif
