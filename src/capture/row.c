/*
 * row.c
 *		One row change as a record; see row.h.
 */
#include "capture/row.h"

#include "access/htup_details.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "capture/pending.h"
#include "core/catalog.h"

/* A row taken apart; small rows need no allocation. */
#define GL_ROW_ON_STACK 32

typedef struct GlRow
{
	Datum	   *values;
	bool	   *nulls;
	Datum		stack_values[GL_ROW_ON_STACK];
	bool		stack_nulls[GL_ROW_ON_STACK];
} GlRow;

static void
gl_row_deform(GlRow *row, const GlEncoder *encoder, HeapTuple tuple)
{
	row->values = row->stack_values;
	row->nulls = row->stack_nulls;
	if (encoder->natts > GL_ROW_ON_STACK)
	{
		row->values = palloc(sizeof(Datum) * encoder->natts);
		row->nulls = palloc(sizeof(bool) * encoder->natts);
	}
	heap_deform_tuple(tuple, encoder->descriptor, row->values, row->nulls);
}

/* column id, code, bytes: the code in a list of changes (old) is one higher, for 0 is NULL there */
static void
gl_field_write(GlBuffer *out, const GlEncoderColumn *column, GlBytes bytes, bool null, bool old)
{
	int			shift = old ? 1 : 0;
	GlHash		leaf;

	gl_buffer_varint(out, column->column_id);
	if (column->personal)
	{
		gl_pending_personal(column->column_id, old, !null, bytes, &leaf);
		gl_buffer_varint(out, (((uint64) GL_HASH_SIZE << 1) | 1) + shift);
		gl_buffer_append(out, leaf.bytes, GL_HASH_SIZE);
		return;
	}
	if (null)
	{
		/* only among changes; an image leaves NULLs out */
		gl_buffer_varint(out, 0);
		return;
	}
	gl_buffer_varint(out, ((uint64) bytes.length << 1) + shift);
	gl_buffer_append(out, bytes.data, bytes.length);
}

static void
gl_datum_write(GlBuffer *out, GlEncoderColumn *column, Datum value, bool null, bool old)
{
	char		scratch[GL_VALUE_SCRATCH];
	GlBytes		bytes = {NULL, 0};

	if (!null)
		bytes = gl_value_bytes(&column->writer, value, scratch);
	gl_field_write(out, column, bytes, null, old);
}

static void
gl_image_write(GlBuffer *out, const GlEncoder *encoder, const GlRow *row)
{
	int			count = 0;
	int			i;

	for (i = 0; i < encoder->columns_count; i++)
		count += encoder->columns[i].personal || !row->nulls[encoder->columns[i].index];
	gl_buffer_varint(out, count);
	for (i = 0; i < encoder->columns_count; i++)
	{
		GlEncoderColumn *column = &encoder->columns[i];
		bool		null = row->nulls[column->index];

		if (column->personal || !null)
			gl_datum_write(out, column, row->values[column->index], null, false);
	}
}

static bool
gl_value_changed(const GlEncoderColumn *column, const GlRow *row, const GlRow *old)
{
	Datum		a = row->values[column->index];
	Datum		b = old->values[column->index];

	if (row->nulls[column->index] || old->nulls[column->index])
		return row->nulls[column->index] != old->nulls[column->index];
	if (column->writer.by_value)
		return a != b;
	/* an untouched large value keeps its pointer: no need to fetch it */
	if (column->writer.length == -1 && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(a)) &&
		VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(b)) &&
		memcmp(DatumGetPointer(a), DatumGetPointer(b), VARSIZE_EXTERNAL(DatumGetPointer(a))) == 0)
		return false;
	return !datum_image_eq(a, b, false, column->writer.length);
}

static void
gl_changes_write(GlBuffer *out, const GlEncoder *encoder, const GlRow *row, const GlRow *old)
{
	int			count = 0;
	bool	   *changed = palloc(sizeof(bool) * Max(encoder->columns_count, 1));
	int			i;

	for (i = 0; i < encoder->columns_count; i++)
	{
		changed[i] = gl_value_changed(&encoder->columns[i], row, old);
		count += changed[i];
	}
	gl_buffer_varint(out, count);
	for (i = 0; i < encoder->columns_count && count > 0; i++)
	{
		GlEncoderColumn *column = &encoder->columns[i];

		if (changed[i])
			gl_datum_write(out, column, old->values[column->index], old->nulls[column->index], true);
	}
}

static void
gl_row_write(const GlEncoder *encoder, GlRecordKind kind, CommandId command, HeapTuple tuple, HeapTuple old_tuple)
{
	GlBuffer   *record = gl_pending_start();
	GlRow		row;

	gl_row_deform(&row, encoder, tuple);
	gl_record_begin(record, kind, encoder->table_id, encoder->relation_id, command);
	gl_image_write(record, encoder, &row);
	if (old_tuple != NULL)
	{
		GlRow		old;

		gl_row_deform(&old, encoder, old_tuple);
		gl_changes_write(record, encoder, &row, &old);
	}
	gl_pending_finish();
}

void
gl_row_record(const GlEncoder *encoder, GlRecordKind kind, CommandId command, HeapTuple tuple, HeapTuple old)
{
	GlPinState	state;

	if (encoder->pin == GL_PIN_NONE)
	{
		gl_row_write(encoder, kind, command, tuple, old);
		return;
	}
	gl_pin_begin(&state, encoder->pin);
	PG_TRY();
	{
		gl_row_write(encoder, kind, command, tuple, old);
	}
	PG_FINALLY();
	{
		gl_pin_end(&state);
	}
	PG_END_TRY();
}

/* --- rows that were printed before --- */

/* Fields of a clear image by the encoder's columns; data NULL: the value is NULL. */
static GlBytes *
gl_clear_fields(const GlEncoder *encoder, GlBytes image)
{
	GlBytes    *values = palloc0(sizeof(GlBytes) * Max(encoder->columns_count, 1));
	GlReader	reader;
	GlFieldReader fields;
	GlField		field;
	int			i = 0;

	gl_reader_init(&reader, image.data, image.length);
	gl_fields_begin(&fields, &reader, false);
	while (gl_fields_next(&fields, &field))
	{
		while (i < encoder->columns_count && (uint64) encoder->columns[i].column_id < field.column_id)
			i++;
		if (i < encoder->columns_count && (uint64) encoder->columns[i].column_id == field.column_id)
			values[i] = field.value;
	}
	if (reader.failed)
		elog(ERROR, "could not read a row that was printed before");
	return values;
}

static bool
gl_clear_changed(GlBytes a, GlBytes b)
{
	return (a.data == NULL) != (b.data == NULL) || a.length != b.length ||
		(a.length > 0 && memcmp(a.data, b.data, a.length) != 0);
}

/* All columns of `values` that are to be written; with `base`, only those where it differs (an update's old values). */
static void
gl_clear_write(GlBuffer *out, const GlEncoder *encoder, const GlBytes *values, const GlBytes *base)
{
	int			pass;
	int			i;
	int			count = 0;

	for (pass = 0; pass < 2; pass++)
	{
		if (pass == 1)
			gl_buffer_varint(out, count);
		for (i = 0; i < encoder->columns_count; i++)
		{
			const GlEncoderColumn *column = &encoder->columns[i];
			bool		null = values[i].data == NULL;

			if (base != NULL ? !gl_clear_changed(values[i], base[i]) : null && !column->personal)
				continue;
			if (pass == 0)
				count++;
			else
				gl_field_write(out, column, values[i], null, base != NULL);
		}
	}
}

void
gl_row_record_clear(const GlEncoder *encoder, GlRecordKind kind, CommandId command, GlBytes image, GlBytes old)
{
	GlBytes    *values = gl_clear_fields(encoder, image);
	GlBuffer   *record = gl_pending_start();

	gl_record_begin(record, kind, encoder->table_id, encoder->relation_id, command);
	gl_clear_write(record, encoder, values, NULL);
	if (kind == GL_RECORD_UPDATE)
		gl_clear_write(record, encoder, gl_clear_fields(encoder, old), values);
	gl_pending_finish();
}
