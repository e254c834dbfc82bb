/*
 * stream.c
 *		The log as rows of histories; see stream.h.
 */
#include "history/stream.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "core/catalog.h"
#include "core/text.h"
#include "format/record.h"
#include "ledger/row.h"

/* Column ids are small numbers given in order; a larger one is damage. */
#define COLUMNS_MAX 65536

const char *const gl_history_field_names[GL_HISTORY_FIELDS] = {
	"ledger_operation", "ledger_entry", "ledger_record", "ledger_command", "ledger_relation", "ledger_time",
	"ledger_user", "ledger_actor", "ledger_reason"
};

const Oid	gl_history_field_types[GL_HISTORY_FIELDS] = {
	TEXTOID, INT8OID, INT8OID, INT8OID, INT4OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID
};

const char *const gl_history_operation_names[] = {
	[GL_HISTORY_INSERT] = "insert",
	[GL_HISTORY_GENESIS] = "genesis",
	[GL_HISTORY_UPDATE] = "update",
	[GL_HISTORY_DELETE] = "delete",
	[GL_HISTORY_TRUNCATE] = "truncate",
	[GL_HISTORY_REMOVED] = "removed"
};

static void GL_NORETURN
raise_damage(const GlLogEntry *entry, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("%s cannot be read: %s", gl_entry_name(entry->generation, entry->transaction_id), what),
			 errhint("Run SELECT * FROM govledger.verify() to see what was changed.")));
}

/* --- which column goes where --- */

static AttrNumber
attribute_of(TupleDesc descriptor, const char *name)
{
	int			i;

	for (i = 0; i < descriptor->natts; i++)
		if (!TupleDescAttr(descriptor, i)->attisdropped && strcmp(NameStr(TupleDescAttr(descriptor, i)->attname), name) == 0)
			return i + 1;
	return InvalidAttrNumber;
}

static void
reserve_column(GlHistorySource *source, uint64 column_id)
{
	int			count = Max(source->columns_count * 2, (int) column_id + 1);

	if (column_id < (uint64) source->columns_count)
		return;
	source->attributes = repalloc(source->attributes, sizeof(int16) * count);
	source->keys = repalloc(source->keys, sizeof(bool) * count);
	memset(source->attributes + source->columns_count, 0, sizeof(int16) * (count - source->columns_count));
	memset(source->keys + source->columns_count, 0, sizeof(bool) * (count - source->columns_count));
	source->columns_count = count;
}

static void
map_column(GlHistorySource *source, const GlSchemaColumn *logged)
{
	char	   *type_name = gl_server_text(logged->type);
	const GlHistoryColumn *column = NULL;
	AttrNumber	attribute = InvalidAttrNumber;

	if (type_name != NULL && logged->column_id < COLUMNS_MAX)
		column = gl_history_column_find(source->table, (int) logged->column_id, type_name);
	if (column != NULL)
		attribute = attribute_of(source->descriptor, column->name);
	if (attribute == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("history \"%s\" has no place for column \"%s\" of type %s",
						get_rel_name(source->table->history) ? get_rel_name(source->table->history) : "?",
						gl_shown(logged->name, false), gl_shown(logged->type, false)),
				 errhint("Run SELECT govledger.rebuild('schema.table').")));
	reserve_column(source, logged->column_id);
	source->attributes[logged->column_id] = attribute;
	source->keys[logged->column_id] = logged->key_ordinal > 0;
}

void
gl_source_remap(GlHistorySource *source, TupleDesc descriptor, GlBytes body)
{
	MemoryContext old = MemoryContextSwitchTo(source->memory);
	GlReader	reader;
	GlSchemaHead head;
	GlSchemaColumn logged;
	uint64		left;

	source->descriptor = descriptor;
	if (descriptor->natts > source->count || source->values == NULL)
	{
		source->values = palloc0(sizeof(GlBytes) * (descriptor->natts + 1));
		source->nulls = palloc0(sizeof(bool) * (descriptor->natts + 1));
	}
	source->count = descriptor->natts;
	memset(source->attributes, 0, sizeof(int16) * source->columns_count);
	memset(source->keys, 0, sizeof(bool) * source->columns_count);
	gl_reader_init(&reader, body.data, body.length);
	if (body.length > 0 && gl_schema_read_head(&reader, &head))
		for (left = gl_read_varint(&reader); left > 0 && gl_schema_read_column(&reader, &logged); left--)
			map_column(source, &logged);
	MemoryContextSwitchTo(old);
}

void
gl_source_open(GlHistorySource *source)
{
	source->memory = CurrentMemoryContext;
	source->columns_count = 64;
	source->attributes = palloc0(sizeof(int16) * source->columns_count);
	source->keys = palloc0(sizeof(bool) * source->columns_count);
	source->former = palloc0(sizeof(int16));
	source->former_count = 0;
	source->former_leaf = GL_NO_LEAF;
	gl_source_remap(source, source->descriptor, source->table->schema);
}

/* --- context --- */

static void
read_context(GlHistoryStream *stream)
{
	const GlLogEntry *entry = stream->entry;
	GlReader	reader;
	GlBytes		known;
	GlBytes		value;
	uint8_t		previous = 0;
	uint8_t		field;

	if (stream->context_read)
		return;
	stream->context_read = true;
	stream->user.length = stream->actor.length = stream->reason.length = 0;
	/* without the secret the context was erased */
	if (!entry->has_secret)
		return;
	stream->context.length = 0;
	if (gl_log_context(stream->log, entry->context_id, &known))
		gl_buffer_append(&stream->context, known.data, known.length);
	gl_buffer_append(&stream->context, entry->claimed.data, entry->claimed.length);
	gl_reader_init(&reader, stream->context.data, stream->context.length);
	while (gl_context_next(&reader, &previous, &field, &value))
	{
		if (field == GL_CONTEXT_SESSION_USER)
			stream->user = value;
		else if (field == GL_CONTEXT_CLAIMED_ACTOR)
			stream->actor = value;
		else if (field == GL_CONTEXT_CLAIMED_REASON)
			stream->reason = value;
	}
}

/* --- values --- */

/* A personal value that is still there. */
static bool
find_personal(GlHistoryStream *stream, uint64 number, uint64 column_id, bool old, GlBytes *found)
{
	GlReader	reader;
	GlPersonalValue value;

	if (!stream->personal_read || stream->personal_record != number)
	{
		stream->personal_read = true;
		stream->personal_record = number;
		if (!gl_log_personal(stream->log, stream->entry, number, &stream->personal))
			stream->personal.length = 0;
	}
	gl_reader_init(&reader, stream->personal.data, stream->personal.length);
	while (gl_personal_next(&reader, &value))
		if (value.column_id == column_id && value.old == old)
		{
			*found = value.value;
			return value.present;
		}
	return false;
}

/* Put fields over the values of the row in hand. */
static void
put_fields_at(GlHistoryStream *stream, GlHistorySource *source, uint64 number, GlBytes fields, bool changes,
			  const int16 *attributes, int count)
{
	GlCursor	field;

	gl_cursor_init(&field, fields);
	while (gl_cursor_step(&field, changes))
	{
		int			i;

		if (field.column_id >= (uint64) count || attributes[field.column_id] == 0)
			continue;
		i = attributes[field.column_id] - 1;
		source->values[i] = field.value;
		source->nulls[i] = field.is_null;
		if (field.is_personal)
			source->nulls[i] = !find_personal(stream, number, field.column_id, changes, &source->values[i]);
	}
}

static void
put_fields(GlHistoryStream *stream, GlHistorySource *source, uint64 number, GlBytes fields, bool changes)
{
	put_fields_at(stream, source, number, fields, changes, source->attributes, source->columns_count);
}

static void
keep_former(GlHistoryStream *stream, GlHistorySource *source)
{
	source->former = repalloc(source->former, sizeof(int16) * source->columns_count);
	memcpy(source->former, source->attributes, sizeof(int16) * source->columns_count);
	source->former_count = source->columns_count;
	source->former_leaf = stream->entry->leaf;
	source->former_known = false;
}

/*
 * DDL that changes keys, or rows without a key, records what it took away behind the schema record, in one command with what it
 * put there: those rows have the types from before. If it changed nothing, the first command behind it may be a DELETE; what that
 * takes away was there before and is printed as it was, so it is a value of the former type too.
 */
static bool
has_former_types(const GlHistoryStream *stream, GlHistorySource *source, const GlRecord *record)
{
	if (source->former_leaf != stream->entry->leaf)
		return false;
	if (!source->former_known)
		source->former_command = record->command_id;
	source->former_known = true;
	return record->kind == GL_RECORD_DELETE && record->command_id == source->former_command;
}

static bool
has_key(const GlHistorySource *source, GlBytes changes)
{
	GlCursor	field;

	gl_cursor_init(&field, changes);
	while (gl_cursor_step(&field, true))
		if (field.column_id < (uint64) source->columns_count && source->keys[field.column_id])
			return true;
	return false;
}

static void
emit(GlHistoryStream *stream, GlHistorySource *source, GlHistoryOperation operation, uint64 number,
	 const GlRecord *record, bool takes_key)
{
	GlHistoryRow row;

	read_context(stream);
	row.entry = stream->entry;
	row.operation = operation;
	row.record = number;
	row.command = record->command_id;
	row.relation = record->relation_id;
	row.takes_key = takes_key;
	row.user = stream->user;
	row.actor = stream->actor;
	row.reason = stream->reason;
	row.count = source->count;
	row.values = source->values;
	row.nulls = source->nulls;
	source->callbacks->row(source, &row);
}

static void
emit_empty(GlHistoryStream *stream, GlHistorySource *source, GlHistoryOperation operation, uint64 number,
		   const GlRecord *record)
{
	memset(source->nulls, true, source->count);
	emit(stream, source, operation, number, record, false);
}

static void
change_row(GlHistoryStream *stream, GlHistorySource *source, uint64 number, const GlRecord *record)
{
	GlCursor	cursor;
	GlBytes		image;
	GlBytes		changes = {NULL, 0};
	bool		takes_key;

	gl_cursor_init(&cursor, record->body);
	if (!gl_fields_take(&cursor, false, &image) ||
		(record->kind == GL_RECORD_UPDATE && !gl_fields_take(&cursor, true, &changes)) || cursor.at != cursor.end)
		raise_damage(stream->entry, psprintf("record %llu is broken", (unsigned long long) number));
	memset(source->nulls, true, source->count);
	if (has_former_types(stream, source, record))
		put_fields_at(stream, source, number, image, false, source->former, source->former_count);
	else
		put_fields(stream, source, number, image, false);
	switch (record->kind)
	{
		case GL_RECORD_INSERT:
			emit(stream, source, GL_HISTORY_INSERT, number, record, true);
			break;
		case GL_RECORD_GENESIS:
			emit(stream, source, GL_HISTORY_GENESIS, number, record, false);
			break;
		case GL_RECORD_DELETE:
			emit(stream, source, GL_HISTORY_DELETE, number, record, false);
			break;
		default:
			takes_key = has_key(source, changes);
			if (takes_key)
			{
				/* the row with the old key is gone; then the new one comes */
				put_fields(stream, source, number, changes, true);
				emit(stream, source, GL_HISTORY_DELETE, number, record, false);
				memset(source->nulls, true, source->count);
				put_fields(stream, source, number, image, false);
			}
			emit(stream, source, GL_HISTORY_UPDATE, number, record, takes_key);
			break;
	}
}

/* --- records --- */

static void
keep_schema(GlHistorySource *source, GlBytes body)
{
	MemoryContext old = MemoryContextSwitchTo(source->memory);

	source->table->schema = gl_bytes_copy(body);
	source->table->has_schema = true;
	MemoryContextSwitchTo(old);
}

static void
change_schema(GlHistoryStream *stream, GlHistorySource *source, uint64 number, const GlRecord *record)
{
	if (!gl_record_check_body(record))
		raise_damage(stream->entry, psprintf("schema record %llu is broken", (unsigned long long) number));
	if (record->body.data[0] == GL_SCHEMA_RELATION_REMOVED)
		emit_empty(stream, source, GL_HISTORY_REMOVED, number, record);
	if (source->table->first_leaf == GL_HISTORY_NONE)
		source->table->first_leaf = stream->entry->leaf;
	if (record->body.data[0] == GL_SCHEMA_UNPROTECT)
	{
		source->table->ended = true;
		return;
	}
	keep_former(stream, source);
	if (source->callbacks->schema != NULL)
		source->callbacks->schema(source, record->body);
	gl_source_remap(source, source->descriptor, record->body);
	keep_schema(source, record->body);
}

static void
tell_erasure(GlHistoryStream *stream, const GlRecord *record)
{
	GlReader	reader;
	GlErasure	erasure;
	ListCell   *cell;

	gl_reader_init(&reader, record->body.data, record->body.length);
	if (!gl_erasure_read(&reader, &erasure) || !gl_reader_done(&reader))
		raise_damage(stream->entry, "its erasure record is broken");
	foreach(cell, stream->sources)
	{
		stream->current = lfirst(cell);
		if (stream->current->callbacks->erasure != NULL)
			stream->current->callbacks->erasure(stream->current, &erasure);
	}
	stream->current = NULL;
}

static GlHistorySource *
find_source(GlHistoryStream *stream, uint64 table_id, int64 leaf)
{
	GlHistorySource *found = stream->last;
	ListCell   *cell;

	if (found == NULL || (uint64) found->table->table_id != table_id)
	{
		found = NULL;
		foreach(cell, stream->sources)
			if ((uint64) ((GlHistorySource *) lfirst(cell))->table->table_id == table_id)
				found = lfirst(cell);
	}
	if (found == NULL)
		return NULL;
	stream->last = found;
	return found->from <= leaf && !found->table->ended ? found : NULL;
}

static void
take_record(void *arg, const GlLogEntry *entry, uint64 number, GlBytes bytes)
{
	GlHistoryStream *stream = arg;
	GlRecord	record;
	GlHistorySource *source;

	if (!gl_record_read(bytes, &record))
		raise_damage(entry, psprintf("record %llu is broken", (unsigned long long) number));
	if (record.kind == GL_RECORD_ERASURE)
		tell_erasure(stream, &record);
	if (record.table_id == 0 || (source = find_source(stream, record.table_id, entry->leaf)) == NULL)
		return;
	stream->current = source;
	switch (record.kind)
	{
		case GL_RECORD_INSERT:
		case GL_RECORD_GENESIS:
		case GL_RECORD_UPDATE:
		case GL_RECORD_DELETE:
			change_row(stream, source, number, &record);
			break;
		case GL_RECORD_TRUNCATE:
			emit_empty(stream, source, GL_HISTORY_TRUNCATE, number, &record);
			break;
		case GL_RECORD_SCHEMA:
			change_schema(stream, source, number, &record);
			break;
		default:
			break;
	}
	stream->current = NULL;
}

/* --- the run --- */

GlHistoryStream *
gl_stream_open(Snapshot snapshot, List *sources)
{
	GlHistoryStream *stream = palloc0(sizeof(GlHistoryStream));

	stream->snapshot = snapshot;
	stream->sources = sources;
	stream->log = gl_log_open(snapshot);
	stream->scratch = AllocSetContextCreate(CurrentMemoryContext, "govledger history entry", ALLOCSET_DEFAULT_SIZES);
	gl_buffer_init(&stream->context, gl_grow);
	gl_buffer_reserve(&stream->context, 512);
	return stream;
}

static uint64
run_entry(GlHistoryStream *stream, const GlLeaf *leaf)
{
	GlLogEntry	entry;
	MemoryContext old = MemoryContextSwitchTo(stream->scratch);
	const char *problem;
	uint64		count = 0;

	if (!gl_log_fetch(stream->log, leaf->generation, leaf->transaction_id, &entry))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("%s is missing", gl_entry_name(leaf->generation, leaf->transaction_id)),
				 errhint("Run SELECT * FROM govledger.verify() to see what was changed.")));
	entry.leaf = leaf->index;
	stream->entry = &entry;
	stream->leaf = leaf->index;
	stream->context_read = false;
	stream->personal_read = false;
	problem = gl_log_records(stream->log, &entry, take_record, stream, &count);
	if (problem != NULL)
		raise_damage(&entry, problem);
	stream->entry = NULL;
	MemoryContextSwitchTo(old);
	MemoryContextReset(stream->scratch);
	return count;
}

int64
gl_stream_run(GlHistoryStream *stream, int64 from, int64 to, GlHistoryPause pause, void *arg)
{
	GlLeaves   *leaves = gl_leaves_open(stream->snapshot, from);
	GlLeaf		leaf;
	int64		done = to;

	while (gl_leaves_next(leaves, to, &leaf))
	{
		uint64		records;

		CHECK_FOR_INTERRUPTS();
		if (leaf.index < from)
			continue;
		records = run_entry(stream, &leaf);
		if (pause != NULL && !pause(arg, leaf.index + 1, records))
		{
			done = leaf.index + 1;
			break;
		}
	}
	gl_leaves_close(leaves);
	return done;
}

void
gl_stream_close(GlHistoryStream *stream)
{
	gl_log_close(stream->log);
	MemoryContextDelete(stream->scratch);
}
