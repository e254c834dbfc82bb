/*
 * read.c
 *		govledger.entry_records(): the records of one entry, readable.
 */
#include "core/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

#include "core/catalog.h"
#include "format/record.h"
#include "ledger/access.h"
#include "ledger/rows.h"
#include "ledger/table.h"

PG_FUNCTION_INFO_V1(gl_entry_records);

/* What printing one entry needs. */
typedef struct GlEntryReader
{
	ReturnSetInfo *result;
	Datum		transaction_id;
	Datum		generation;
	uint64		number;			/* of the next record */
	List	   *tables;			/* of GlReaderTable *, those met so far */
	MemoryContext row_memory;
} GlEntryReader;

typedef struct GlReaderTable
{
	GlLedgerTable *ledger;
	GlAccess   *access;
} GlReaderTable;

static const GlReaderTable *
gl_reader_table(GlEntryReader *reader, int table_id)
{
	MemoryContext old;
	ListCell   *cell;
	GlReaderTable *table;

	foreach(cell, reader->tables)
	{
		table = lfirst(cell);
		if (table->ledger->table_id == table_id)
			return table;
	}
	old = MemoryContextSwitchTo(reader->result->econtext->ecxt_per_query_memory);
	table = palloc(sizeof(GlReaderTable));
	table->ledger = gl_ledger_table_load(table_id);
	table->access = gl_access_open(table->ledger);
	reader->tables = lappend(reader->tables, table);
	MemoryContextSwitchTo(old);
	return table;
}

/* Text of the database if the bytes are text, else hexadecimal like bytea. */
static char *
gl_printable(GlBytes bytes, bool is_bytea)
{
	if (!is_bytea && pg_verify_mbstr(PG_UTF8, (const char *) bytes.data, bytes.length, true))
		return pg_any_to_server(pnstrdup((const char *) bytes.data, bytes.length), bytes.length, PG_UTF8);
	return DatumGetCString(DirectFunctionCall1(byteaout, gl_bytea(bytes.data, bytes.length)));
}

/* Personal values of one record, as stored beside the entry; empty if none. */
static GlBytes
gl_reader_personal(GlEntryReader *reader)
{
	Relation	relation = gl_relation_open(GL_REL_PERSONAL, AccessShareLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;
	GlBytes		bytes = {NULL, 0};

	ScanKeyInit(&keys[0], Anum_gl_personal_generation, BTEqualStrategyNumber, F_INT4EQ, reader->generation);
	ScanKeyInit(&keys[1], Anum_gl_personal_transaction_id, BTEqualStrategyNumber, F_XID8EQ, reader->transaction_id);
	ScanKeyInit(&keys[2], Anum_gl_personal_record, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum((int64) reader->number));
	scan = systable_beginscan(relation, gl_relation_oid(GL_REL_PERSONAL_PKEY), true, NULL, 3, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		content = heap_getattr(tuple, Anum_gl_personal_content, RelationGetDescr(relation), &isnull);
		GlBytes		stored = gl_bytea_bytes(content);

		/* the tuple goes away with the scan */
		bytes.data = memcpy(palloc(Max(stored.length, 1)), stored.data, stored.length);
		bytes.length = stored.length;
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return bytes;
}

static bool
gl_find_personal(GlBytes stored, uint64 column_id, bool old, GlPersonalValue *value)
{
	GlReader	reader;

	gl_reader_init(&reader, stored.data, stored.length);
	while (gl_personal_next(&reader, value))
		if (value->column_id == column_id && value->old == old)
			return true;
	return false;
}

static void
gl_append_name(StringInfo json, const char *name)
{
	if (json->data[json->len - 1] != '{')
		appendStringInfoChar(json, ',');
	escape_json(json, name);
	appendStringInfoChar(json, ':');
}

static void
gl_append_field(StringInfo json, const GlReaderTable *table, const GlField *field, GlBytes personal, bool old)
{
	const GlLedgerColumn *column = NULL;
	ListCell   *cell;
	GlPersonalValue value;
	bool		readable;

	foreach(cell, table->ledger->columns)
		if (((GlLedgerColumn *) lfirst(cell))->column_id == (int64) field->column_id)
			column = lfirst(cell);
	readable = gl_access_column(table->access, column);
	if (!readable && !old)
		return;					/* gl_append_withheld says it for all of them */
	gl_append_name(json, column != NULL ? column->name : psprintf("column " UINT64_FORMAT, field->column_id));
	if (!readable)
		escape_json(json, gl_access_withheld(table->access));
	else if (field->is_null)
		appendStringInfoString(json, "null");
	else if (!field->is_personal)
		escape_json(json, gl_printable(field->value, column != NULL && strcmp(column->type_name, "bytea") == 0));
	else if (!gl_find_personal(personal, field->column_id, old, &value))
		appendStringInfoString(json, "\"(erased)\"");
	else if (!value.present)
		appendStringInfoString(json, "null");
	else
		escape_json(json, gl_printable(value.value, column != NULL && strcmp(column->type_name, "bytea") == 0));
}

/* Every column that the caller may not read, NULL or not: an image leaves NULLs out, and even that is not for everybody. */
static void
gl_append_withheld(StringInfo json, const GlReaderTable *table)
{
	ListCell   *cell;

	foreach(cell, table->ledger->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (column->dropped || gl_access_column(table->access, column))
			continue;
		gl_append_name(json, column->name);
		escape_json(json, gl_access_withheld(table->access));
	}
}

/* An image or a list of changes as a JSON object of column names and texts. */
static Datum
gl_fields_json(GlReader *body, const GlReaderTable *table, GlBytes personal, bool changes)
{
	StringInfoData json;
	GlFieldReader fields;
	GlField		field;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	gl_fields_begin(&fields, body, changes);
	while (gl_fields_next(&fields, &field))
		gl_append_field(&json, table, &field, personal, changes);
	if (!changes)
		gl_append_withheld(&json, table);
	appendStringInfoChar(&json, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

static const char *
gl_kind_name(uint8_t kind)
{
	switch ((GlRecordKind) kind)
	{
		case GL_RECORD_INSERT:
			return "insert";
		case GL_RECORD_GENESIS:
			return "genesis";
		case GL_RECORD_UPDATE:
			return "update";
		case GL_RECORD_DELETE:
			return "delete";
		case GL_RECORD_TRUNCATE:
			return "truncate";
		case GL_RECORD_SCHEMA:
			return "schema";
		case GL_RECORD_KEY:
			return "key";
		case GL_RECORD_ERASURE:
			return "erasure";
		case GL_RECORD_ADOPTION:
			return "adoption";
		case GL_RECORD_SUCCESSION:
			return "succession";
		case GL_RECORD_NOTE:
			return "note";
	}
	return "unknown";
}

static bool
gl_kind_has_image(uint8_t kind)
{
	return kind == GL_RECORD_INSERT || kind == GL_RECORD_GENESIS || kind == GL_RECORD_UPDATE || kind == GL_RECORD_DELETE;
}

/* The relation's name as the catalog has it now; partitions by their own name. */
static Datum
gl_record_relation(const GlLedgerTable *table, uint64 relation_id)
{
	ListCell   *cell;

	foreach(cell, table->relations)
	{
		const GlLedgerRelation *relation = lfirst(cell);

		if (relation->relation_id == (int64) relation_id)
			return CStringGetTextDatum(quote_qualified_identifier(relation->schema_name, relation->name));
	}
	return CStringGetTextDatum(psprintf("relation " UINT64_FORMAT, relation_id));
}

static void
gl_reader_put(GlEntryReader *reader, GlBytes bytes)
{
	Datum		values[6] = {0};
	bool		nulls[6] = {false, false, true, false, true, true};
	MemoryContext old = MemoryContextSwitchTo(reader->row_memory);
	GlRecord	record;
	GlReader	body;

	if (!gl_record_read(bytes, &record))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("record " UINT64_FORMAT " of the entry is damaged", reader->number),
				 errhint("Run govledger.verify() to see what else was changed.")));
	values[0] = Int64GetDatum((int64) reader->number);
	values[1] = CStringGetTextDatum(gl_kind_name(record.kind));
	values[3] = Int64GetDatum((int64) record.command_id);
	gl_reader_init(&body, record.body.data, record.body.length);
	if (record.table_id != 0)
	{
		const GlReaderTable *table = gl_reader_table(reader, (int) record.table_id);

		values[2] = gl_record_relation(table->ledger, record.relation_id);
		nulls[2] = false;
		if (gl_kind_has_image(record.kind))
		{
			GlBytes		personal = gl_reader_personal(reader);

			values[4] = gl_fields_json(&body, table, personal, false);
			nulls[4] = false;
			if (record.kind == GL_RECORD_UPDATE)
			{
				values[5] = gl_fields_json(&body, table, personal, true);
				nulls[5] = false;
			}
		}
	}
	tuplestore_putvalues(reader->result->setResult, reader->result->setDesc, values, nulls);
	MemoryContextSwitchTo(old);
	MemoryContextReset(reader->row_memory);
	reader->number++;
}

static void
gl_reader_stream(GlEntryReader *reader, GlBytes stream)
{
	GlReader	bytes;
	GlBytes		record;

	gl_reader_init(&bytes, stream.data, stream.length);
	while (gl_record_next(&bytes, &record))
	{
		CHECK_FOR_INTERRUPTS();
		gl_reader_put(reader, record);
	}
	if (bytes.failed)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the records of the entry are damaged after record " UINT64_FORMAT, reader->number),
				 errhint("Run govledger.verify() to see what else was changed.")));
}

/* The chunks of an entry in the order of their first record. */
static void
gl_reader_chunks(GlEntryReader *reader)
{
	Relation	relation = gl_relation_open(GL_REL_RECORD_CHUNK, AccessShareLock);
	Relation	index = index_open(gl_relation_oid(GL_REL_RECORD_CHUNK_PKEY), AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_gl_record_chunk_generation, BTEqualStrategyNumber, F_INT4EQ, reader->generation);
	ScanKeyInit(&keys[1], Anum_gl_record_chunk_transaction_id, BTEqualStrategyNumber, F_XID8EQ, reader->transaction_id);
	scan = systable_beginscan_ordered(relation, index, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		bool		isnull;

		gl_reader_stream(reader, gl_bytea_bytes(heap_getattr(tuple, Anum_gl_record_chunk_content,
															 RelationGetDescr(relation), &isnull)));
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(relation, AccessShareLock);
}

Datum
gl_entry_records(PG_FUNCTION_ARGS)
{
	GlEntryReader reader;
	Relation	relation;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	gl_init_materialized_srf(fcinfo);
	memset(&reader, 0, sizeof(reader));
	reader.result = (ReturnSetInfo *) fcinfo->resultinfo;
	reader.transaction_id = PG_GETARG_DATUM(0);
	reader.generation = PG_GETARG_DATUM(1);
	reader.row_memory = AllocSetContextCreate(CurrentMemoryContext, "govledger record", ALLOCSET_DEFAULT_SIZES);

	relation = gl_relation_open(GL_REL_ENTRY, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_gl_entry_generation, BTEqualStrategyNumber, F_INT4EQ, reader.generation);
	ScanKeyInit(&keys[1], Anum_gl_entry_transaction_id, BTEqualStrategyNumber, F_XID8EQ, reader.transaction_id);
	scan = systable_beginscan(relation, gl_relation_oid(GL_REL_ENTRY_PKEY), true, NULL, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		content = heap_getattr(tuple, Anum_gl_entry_content, RelationGetDescr(relation), &isnull);

		if (isnull)
			gl_reader_chunks(&reader);
		else
			gl_reader_stream(&reader, gl_bytea_bytes(content));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return (Datum) 0;
}
