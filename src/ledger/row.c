/*
 * row.c
 *		Walks the fields of images and changes; see row.h.
 *
 * Verify and history spend much of their time here, so a field is used where it lies.
 */
#include "ledger/row.h"

void
gl_cursor_init(GlCursor *cursor, GlBytes row)
{
	cursor->at = row.data;
	cursor->end = row.length > 0 ? row.data + row.length : row.data;
	cursor->start = cursor->at;
	cursor->column_id = 0;
	cursor->failed = false;
	cursor->is_null = false;
}

bool
gl_cursor_varint_slow(GlCursor *cursor, uint64 *value)
{
	GlReader	reader;

	gl_reader_init(&reader, cursor->at, (size_t) (cursor->end - cursor->at));
	*value = gl_read_varint(&reader);
	cursor->at = reader.at;
	cursor->failed = cursor->failed || reader.failed;
	return !cursor->failed;
}

bool
gl_row_value(GlBytes row, uint64 column_id, GlCursor *field)
{
	gl_cursor_init(field, row);
	while (gl_cursor_step(field, false))
		if (field->column_id == column_id)
			return true;
	return false;
}

GlBytes
gl_row_of_image(GlBytes image)
{
	GlCursor	cursor;
	uint64		count;

	gl_cursor_init(&cursor, image);
	(void) gl_cursor_varint(&cursor, &count);
	image.length = (size_t) (cursor.end - cursor.at);
	image.data = cursor.at;
	return image;
}

bool
gl_fields_take(GlCursor *cursor, bool changes, GlBytes *fields)
{
	uint64		left;
	uint64		previous = 0;
	bool		first = true;

	if (!gl_cursor_varint(cursor, &left))
		return false;
	fields->data = cursor->at;
	for (; left > 0; left--)
	{
		if (!gl_cursor_step(cursor, changes) || (!first && cursor->column_id <= previous))
			return false;
		first = false;
		previous = cursor->column_id;
	}
	fields->length = (size_t) (cursor->at - fields->data);
	return true;
}
