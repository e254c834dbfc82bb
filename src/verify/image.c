/*
 * image.c
 *		Records as rows: what a change consumed and what it produced.
 *
 * This is the hottest part of a verification after hashing, so an image of an ordinary table is used where it lies, and
 * an old row is made by copying the runs of fields between the changed ones.
 */
#include "verify/tables.h"

#include "core/catalog.h"

static GlBuffer old_buffer;
static GlBuffer new_buffer;
static GlBuffer changes_buffer;

/* Append [from, to). */
static inline void
copy_run(GlBuffer *out, const uint8 *from, const uint8 *to)
{
	gl_buffer_append(out, from, (size_t) (to - from));
}

/* The row before an update: the new one with the changes put back. */
static GlBytes
apply_changes(GlBytes row, GlBytes changes)
{
	GlCursor	field;
	GlCursor	change;
	const uint8 *run;
	bool		more;
	GlBytes		result;

	gl_cursor_init(&field, row);
	gl_cursor_init(&change, changes);
	old_buffer.length = 0;
	run = field.at;
	more = gl_cursor_step(&field, false);
	while (gl_cursor_step(&change, true))
	{
		while (more && field.column_id < change.column_id)
			more = gl_cursor_step(&field, false);
		copy_run(&old_buffer, run, more ? field.start : field.end);
		if (more && field.column_id == change.column_id)
		{
			run = field.at;
			more = gl_cursor_step(&field, false);
		}
		else
			run = more ? field.start : field.end;
		if (change.is_null)
			continue;
		gl_buffer_varint(&old_buffer, change.column_id);
		gl_buffer_varint(&old_buffer, (uint64) change.value.length << 1 | (change.is_personal ? 1 : 0));
		gl_buffer_append(&old_buffer, change.value.data, change.value.length);
	}
	copy_run(&old_buffer, run, field.end);
	result.data = old_buffer.data;
	result.length = old_buffer.length;
	return result;
}

/* --- personal values --- */

typedef struct GlPersonalRow
{
	GlVerify   *verify;
	GlTable    *table;
	const GlLogEntry *entry;
	uint64		number;
	bool		check;
	bool		read;			/* content was looked up */
	GlBytes		content;
	bool		erased;
} GlPersonalRow;

static bool
find_personal(GlPersonalRow *personal, uint64 column_id, bool old, GlPersonalValue *value)
{
	GlReader	reader;

	if (!personal->read)
	{
		personal->read = true;
		if (!gl_log_personal(personal->verify->log, personal->entry, personal->number, &personal->content))
			personal->content.length = 0;
	}
	gl_reader_init(&reader, personal->content.data, personal->content.length);
	while (gl_personal_next(&reader, value))
		if (value->column_id == column_id && value->old == old)
			return true;
	return false;
}

static void
check_personal(GlPersonalRow *personal, const GlPersonalValue *value, GlBytes expected)
{
	const GlLedgerColumn *column = gl_table_column(personal->table, value->column_id);
	const GlLogEntry *entry = personal->entry;
	GlFinding	finding = {.check = GL_CHECK_ENTRY, .leaf = entry->leaf};
	GlHash		leaf;

	gl_personal_leaf(&value->salt, (uint32) value->column_id, value->present, value->value.data, value->value.length,
					 &leaf);
	if (memcmp(leaf.bytes, expected.data, GL_HASH_SIZE) == 0)
		return;
	finding.object = gl_entry_name(entry->generation, entry->transaction_id);
	finding.detail = psprintf("the personal value kept beside record %llu is not the one that was written",
							  (unsigned long long) personal->number);
	finding.column = column != NULL ? column->name : NULL;
	if (!gl_access_column(personal->table->access, column))
		finding.found = gl_access_withheld(personal->table->access);
	else if (value->present)
		finding.found = gl_shown(value->value, false);
	gl_report_finding(personal->verify->report, &finding);
}

/* One field in clear; an erased one stays as it is. */
static void
write_clear(GlPersonalRow *personal, const GlCursor *field, bool changes, GlBuffer *out)
{
	GlPersonalValue value;
	bool		present;
	int			flags = 0;

	if (field->column_id < (uint64) personal->table->flags_count)
		flags = personal->table->flags[field->column_id];
	if (!field->is_personal)
	{
		if (!(flags & GL_COLUMN_DROPPED))
			copy_run(out, field->start, field->at);
		return;
	}
	present = find_personal(personal, field->column_id, changes, &value);
	if (present && personal->check)
		check_personal(personal, &value, field->value);
	if (!present && personal->check)
		gl_erasures_absent(personal->verify, personal->entry, personal->number,
						   personal->table->ledger->table_id, field->column_id);
	if (flags & GL_COLUMN_DROPPED)
		return;
	if (!present)
	{
		personal->erased = true;
		copy_run(out, field->start, field->at);
	}
	else if (value.present)
	{
		gl_buffer_varint(out, field->column_id);
		gl_buffer_varint(out, ((uint64) value.value.length << 1) + (changes ? 1 : 0));
		gl_buffer_append(out, value.value.data, value.value.length);
	}
	else if (changes)
	{
		/* it was NULL */
		gl_buffer_varint(out, field->column_id);
		gl_buffer_varint(out, 0);
	}
}

static GlBytes
clear_fields(GlPersonalRow *personal, GlBytes fields, bool changes, GlBuffer *out)
{
	GlCursor	field;
	GlBytes		result;

	gl_cursor_init(&field, fields);
	out->length = 0;
	while (gl_cursor_step(&field, changes))
		write_clear(personal, &field, changes, out);
	result.data = out->data;
	result.length = out->length;
	return result;
}

/* Buffers of the run: they live in the memory context of the first use, so every run makes them anew. */
void
gl_rows_init(void)
{
	GlBuffer   *const buffers[] = {&old_buffer, &new_buffer, &changes_buffer};
	int			i;

	for (i = 0; i < (int) lengthof(buffers); i++)
	{
		gl_buffer_init(buffers[i], gl_grow);
		gl_buffer_reserve(buffers[i], 1);
	}
}

bool
gl_rows_of(GlVerify *verify, GlTable *table, const GlLogEntry *entry, uint64 number, const GlRecord *record, bool check,
		   GlRows *rows)
{
	GlCursor	cursor;
	GlBytes		image;
	GlBytes		changes = {NULL, 0};
	bool		update = record->kind == GL_RECORD_UPDATE;

	memset(rows, 0, sizeof(GlRows));
	gl_cursor_init(&cursor, record->body);
	if (record->kind == GL_RECORD_TRUNCATE)
		return record->body.length == 0;
	if (!gl_fields_take(&cursor, false, &image) || (update && !gl_fields_take(&cursor, true, &changes)) ||
		cursor.at != cursor.end)
		return false;
	if (table->special)
	{
		GlPersonalRow personal = {verify, table, entry, number, check, false, {NULL, 0}, false};

		image = clear_fields(&personal, image, false, &new_buffer);
		if (update)
			changes = clear_fields(&personal, changes, true, &changes_buffer);
		rows->erased = personal.erased;
	}
	if (update)
	{
		rows->has_old = true;
		rows->old_row = apply_changes(image, changes);
	}
	if (record->kind == GL_RECORD_DELETE)
	{
		rows->has_old = true;
		rows->old_row = image;
	}
	else
	{
		rows->has_new = true;
		rows->new_row = image;
	}
	return true;
}
