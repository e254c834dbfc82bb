/*
 * naming.c
 *		Which rows differ: every state that the log gives a key, in order, ending with what the table has.
 *
 * Each change consumes the row it replaces and produces the row it leaves. Sorted by key and time, a row that is consumed must be
 * the one that stands; if it is not, something changed it outside the log in between, even if a lawful update has
 * overwritten it since. Inside one transaction the order is not looked at: triggers may change a key several
 * times under several commands, and nobody else can come between.
 */
#include "verify/tables.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "executor/tuptable.h"
#include "lib/bloomfilter.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplesort.h"

#include "core/catalog.h"

enum
{
	COLUMN_KEY,
	COLUMN_ORDER,
	COLUMN_COMMAND,
	COLUMN_PHASE,
	COLUMN_RECORD,
	COLUMN_RELATION,
	COLUMN_LEAF,
	COLUMN_ROW,
	COLUMNS_COUNT
};

typedef enum GlPhase
{
	PHASE_CONSUME,
	PHASE_PRODUCE,
	PHASE_TABLE					/* the row is in the table */
} GlPhase;

/* A row at a time. */
typedef struct GlState
{
	uint64		order;
	uint64		record;
	int			relation;
	int64		leaf;
	GlBytes		row;
} GlState;

/* Every row of a relation was gone from here on. */
typedef struct GlReset
{
	uint64		order;
	uint64		record;
	int			relation;
} GlReset;

typedef struct GlNaming
{
	GlVerify   *verify;
	GlTable    *table;
	GlColumnTypes *types;
	GlNamingResult *result;
	bool		has_key;

	TupleDesc	descriptor;
	TupleTableSlot *input;
	Tuplesortstate *sort;
	GlNarrow   *narrow;			/* keys that may differ; NULL: all */
	bool		counting;		/* first pass: filling it */
	bloom_filter *changed;		/* with since: keys that have events */
	GlBuffer	key;
	List	   *resets;			/* of GlReset *, in order */

	/* the key in hand */
	MemoryContext key_memory;
	bool		any;
	bool		events;			/* it has some, not only a table row */
	GlBytes		current_key;
	uint64		order;			/* of the entry in hand */
	List	   *standing;		/* of GlState *: what the log has left */
	List	   *wanting;		/* consumed in this entry, and not standing before */
	List	   *present;		/* in the table */
} GlNaming;

/* --- collecting --- */

/* The key of a row as bytes: its key columns; without a key, a hash of all that cannot be erased. */
static void
make_key(GlNaming *naming, GlBytes row)
{
	GlBuffer   *key = &naming->key;
	GlCursor	field;
	GlHash		hash;
	GlBytes		rest;

	key->length = 0;
	gl_cursor_init(&field, row);
	while (gl_cursor_next(&field))
	{
		const GlLedgerColumn *column = gl_table_column(naming->table, field.column_id);
		bool		in_key;

		if (naming->has_key)
			in_key = column != NULL && column->key_ordinal > 0;
		else
			in_key = column == NULL || !column->personal;
		if (!in_key)
			continue;
		gl_buffer_varint(key, field.column_id);
		gl_buffer_text(key, field.value.data, field.value.length);
	}
	if (naming->has_key)
		return;
	rest.data = key->data;
	rest.length = key->length;
	gl_sum_hash(0, rest, &hash);
	key->length = 0;
	gl_buffer_append(key, hash.bytes, GL_HASH_SIZE);
}

static void
put_event(GlNaming *naming, const GlState *state, uint64 command, GlPhase phase)
{
	TupleTableSlot *slot = naming->input;
	MemoryContext old;
	GlBytes		key;

	key.data = naming->key.data;
	key.length = naming->key.length;
	if (naming->counting)
	{
		gl_narrow_count(naming->narrow, key, state->relation, state->row, phase == PHASE_PRODUCE);
		return;
	}
	if (naming->narrow != NULL && !gl_narrow_wants(naming->narrow, key))
		return;
	old = MemoryContextSwitchTo(naming->key_memory);
	ExecClearTuple(slot);
	slot->tts_values[COLUMN_KEY] = gl_bytea(key.data, key.length);
	slot->tts_values[COLUMN_ORDER] = Int64GetDatum((int64) state->order);
	slot->tts_values[COLUMN_COMMAND] = Int64GetDatum((int64) command);
	slot->tts_values[COLUMN_PHASE] = Int64GetDatum(phase);
	slot->tts_values[COLUMN_RECORD] = Int64GetDatum((int64) state->record);
	slot->tts_values[COLUMN_RELATION] = Int64GetDatum(state->relation);
	slot->tts_values[COLUMN_LEAF] = Int64GetDatum(state->leaf);
	slot->tts_values[COLUMN_ROW] = gl_bytea(state->row.data, state->row.length);
	memset(slot->tts_isnull, 0, COLUMNS_COUNT * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(naming->sort, slot);
	MemoryContextSwitchTo(old);
	MemoryContextReset(naming->key_memory);
}

static void
put_change(GlNaming *naming, GlState *state, GlBytes row, bool erased, uint64 command, GlPhase phase)
{
	state->row = row;
	make_key(naming, row);
	if (erased && naming->counting)
	{
		GlBytes		key = {naming->key.data, naming->key.length};

		/* no sum can tell what an erased value was */
		gl_narrow_suspect(naming->narrow, key);
	}
	if (naming->changed != NULL)
		bloom_add_element(naming->changed, naming->key.data, naming->key.length);
	put_event(naming, state, command, phase);
}

static void
add_reset(GlNaming *naming, const GlState *state)
{
	MemoryContext old = MemoryContextSwitchTo(naming->verify->memory);
	GlReset    *reset = palloc(sizeof(GlReset));

	reset->order = state->order;
	reset->record = state->record;
	reset->relation = state->relation;
	naming->resets = lappend(naming->resets, reset);
	MemoryContextSwitchTo(old);
}

static void
collect_record(void *arg, const GlLogEntry *entry, uint64 number, GlBytes bytes)
{
	GlNaming   *naming = arg;
	GlRecord	record;
	GlRows		rows;
	GlState		state;

	if (!gl_record_read(bytes, &record) || record.table_id != (uint64) naming->table->ledger->table_id)
		return;
	state.order = entry->order;
	state.record = number;
	state.relation = (int) record.relation_id;
	state.leaf = entry->leaf;
	if (record.kind == GL_RECORD_TRUNCATE ||
		(record.kind == GL_RECORD_SCHEMA && record.body.length > 0 &&
		 record.body.data[0] == GL_SCHEMA_RELATION_REMOVED))
		add_reset(naming, &state);
	if (record.kind == GL_RECORD_SCHEMA)
		gl_column_types_schema(naming->types, entry->order, record.body);
	if (record.kind == GL_RECORD_TRUNCATE || record.kind == GL_RECORD_SCHEMA ||
		!gl_rows_of(naming->verify, naming->table, entry, number, &record, false, &rows))
		return;
	if (rows.has_old)
		put_change(naming, &state, rows.old_row, rows.erased, record.command_id, PHASE_CONSUME);
	if (rows.has_new)
		put_change(naming, &state, rows.new_row, rows.erased, record.command_id, PHASE_PRODUCE);
}

static void
collect_relation(GlNaming *naming, const GlLedgerRelation *relation)
{
	GlScan	   *scan = gl_scan_open(naming->verify, naming->table, relation);
	GlState		state = {.order = (uint64) PG_INT64_MAX, .leaf = GL_NO_LEAF, .relation = relation->relation_id};

	while (gl_scan_next(scan, &state.row))
	{
		make_key(naming, state.row);
		/* with since, only what changed is of interest; a reset changed everything */
		if (naming->changed != NULL && naming->resets == NIL &&
			bloom_lacks_element(naming->changed, naming->key.data, naming->key.length))
			continue;
		put_event(naming, &state, 0, PHASE_TABLE);
	}
	gl_scan_close(scan);
}

/* --- reporting --- */

static void
report_row(GlNaming *naming, GlBytes row, int64 leaf, const char *detail, const char *column, const char *logged,
		   const char *found)
{
	GlFinding	finding = {.check = GL_CHECK_ROWS, .scope = naming->table->name, .object = naming->table->name};

	naming->result->findings++;
	/* printing is work: not for what the cap cuts off */
	if (gl_report_count(naming->verify->report, GL_CHECK_ROWS, naming->table->name) < GL_REPORT_CAP)
		finding.key = gl_value_key(naming->types, naming->table, row);
	finding.detail = detail;
	finding.column = column;
	finding.logged = logged;
	finding.found = found;
	finding.leaf = leaf;
	gl_report_finding(naming->verify->report, &finding);
}

/* A value for a reader. Whether it is NULL is not for those to know who may not read the column. */
static const char *
show_value(const GlNaming *naming, const GlLedgerColumn *column, bool present, const GlCursor *field)
{
	if (!gl_access_column(naming->table->access, column))
		return gl_access_withheld(naming->table->access);
	if (!present)
		return NULL;
	return field->is_personal ? "(erased)" : gl_value_shown(naming->types, field->column_id, field->value);
}

/* All of a row for a reader, where there is no counterpart to compare it with. */
static char *
show_row(const GlNaming *naming, GlBytes row)
{
	StringInfoData text;
	GlCursor	field;

	initStringInfo(&text);
	gl_cursor_init(&field, row);
	while (gl_cursor_next(&field))
	{
		const GlLedgerColumn *column = gl_table_column(naming->table, field.column_id);

		if (!gl_access_column(naming->table->access, column))
			continue;
		appendStringInfo(&text, "%s%s: %s", text.len > 0 ? ", " : "", column != NULL ? column->name : "?",
						 show_value(naming, column, true, &field));
		if (text.len > 1000)
		{
			appendStringInfoString(&text, ", ...");
			break;
		}
	}
	if (gl_access_limited(naming->table->access))
		appendStringInfo(&text, "%s%s", text.len > 0 ? ", other columns " : "",
						 gl_access_withheld(naming->table->access));
	return text.data;
}

/* Compare one column of two rows; true if it differs. */
static bool
report_column(GlNaming *naming, const GlLedgerColumn *column, const GlState *logged, const GlState *found, int64 leaf,
			  const char *detail)
{
	uint64		id = (uint64) column->column_id;
	GlCursor	a;
	GlCursor	b;
	bool		has_a = gl_row_value(logged->row, id, &a);
	bool		has_b = gl_row_value(found->row, id, &b);

	if ((has_a && a.is_personal) || (has_b && b.is_personal))
		return false;			/* erased */
	if (has_a == has_b && (!has_a || gl_value_same(naming->types, id, logged->order, a.value, b.value)))
		return false;
	report_row(naming, found->row, leaf, detail, column->name, show_value(naming, column, has_a, &a),
			   show_value(naming, column, has_b, &b));
	return true;
}

/* Name the columns in which two rows differ; none if they only print differently. */
static void
report_difference(GlNaming *naming, const GlState *logged, const GlState *found, int64 leaf, const char *detail)
{
	bool		differs = false;
	ListCell   *cell;

	foreach(cell, naming->table->ledger->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (!column->dropped && report_column(naming, column, logged, found, leaf, detail))
			differs = true;
	}
	if (logged->relation != found->relation)
		report_row(naming, found->row, leaf, "the row lies in another partition than the log says", NULL,
				   psprintf("relation %d", logged->relation), psprintf("relation %d", found->relation));
	else if (!differs)
		naming->result->printed++;
}

/* --- walking --- */

static bool
has_erased(GlBytes row)
{
	GlCursor	field;

	gl_cursor_init(&field, row);
	while (gl_cursor_next(&field))
		if (field.is_personal)
			return true;
	return false;
}

/* The same row, where erased values match anything. */
static bool
same_row(const GlNaming *naming, GlBytes a, GlBytes b)
{
	ListCell   *cell;

	if (gl_bytes_equal(a, b))
		return true;
	if (!has_erased(a) && !has_erased(b))
		return false;
	foreach(cell, naming->table->ledger->columns)
	{
		uint64		id = (uint64) ((const GlLedgerColumn *) lfirst(cell))->column_id;
		GlCursor	x;
		GlCursor	y;
		bool		has_x = gl_row_value(a, id, &x);
		bool		has_y = gl_row_value(b, id, &y);

		if ((has_x && x.is_personal) || (has_y && y.is_personal))
			continue;
		if (has_x != has_y || (has_x && !gl_bytes_equal(x.value, y.value)))
			return false;
	}
	return true;
}

/* One key may have millions of states, one after the other. */
static void
free_state(GlState *state)
{
	pfree(unconstify(uint8 *, state->row.data));
	pfree(state);
}

/* Take the first state equal to this one out of the list. */
static bool
take_equal(const GlNaming *naming, List **states, const GlState *wanted)
{
	ListCell   *cell;

	foreach(cell, *states)
	{
		GlState    *state = lfirst(cell);

		if (state->relation == wanted->relation && same_row(naming, state->row, wanted->row))
		{
			*states = foreach_delete_current(*states, cell);
			free_state(state);
			return true;
		}
	}
	return false;
}

/* Was the relation emptied between these two places? */
static bool
was_reset(const GlNaming *naming, const GlState *state, uint64 order, uint64 record)
{
	ListCell   *cell;

	foreach(cell, naming->resets)
	{
		const GlReset *reset = lfirst(cell);

		if (reset->relation == state->relation &&
			(reset->order > state->order || (reset->order == state->order && reset->record > state->record)) &&
			(reset->order < order || (reset->order == order && reset->record < record)))
			return true;
	}
	return false;
}

static void
drop_reset(GlNaming *naming, uint64 order, uint64 record)
{
	ListCell   *cell;

	if (naming->resets == NIL)
		return;
	foreach(cell, naming->standing)
		if (was_reset(naming, lfirst(cell), order, record))
			naming->standing = foreach_delete_current(naming->standing, cell);
}

/* Oldest state from before the entry in hand. */
static GlState *
take_earlier(GlNaming *naming)
{
	ListCell   *cell;

	foreach(cell, naming->standing)
	{
		GlState    *state = lfirst(cell);

		if (state->order < naming->order)
		{
			naming->standing = foreach_delete_current(naming->standing, cell);
			return state;
		}
	}
	return NULL;
}

/* All events of one entry for one key are in: what it consumed must have stood before. */
static void
close_entry(GlNaming *naming)
{
	ListCell   *cell;
	GlState    *earlier;

	foreach(cell, naming->wanting)
	{
		const GlState *state = lfirst(cell);

		earlier = take_earlier(naming);
		if (earlier != NULL)
			report_difference(naming, earlier, state, state->leaf, "changed outside the log before this entry");
		else if (naming->has_key && list_length(naming->standing) > 1)
		{
			/* the transaction did it itself, between two of its commands */
			earlier = linitial(naming->standing);
			naming->standing = list_delete_first(naming->standing);
			report_difference(naming, earlier, state, state->leaf, "changed outside the log within this entry");
		}
		else
			report_row(naming, state->row, state->leaf, "put into the table outside the log before this entry", NULL,
					   NULL, show_row(naming, state->row));
	}
	naming->wanting = NIL;
	/* another row under the same key: the earlier one went without a record */
	while (naming->has_key && list_length(naming->standing) > 1 && (earlier = take_earlier(naming)) != NULL)
		report_row(naming, earlier->row, ((GlState *) llast(naming->standing))->leaf,
				   "taken out of the table outside the log before this entry", NULL, show_row(naming, earlier->row), NULL);
}

static void
close_key(GlNaming *naming)
{
	ListCell   *cell;

	if (!naming->any)
		return;
	close_entry(naming);
	drop_reset(naming, UINT64_MAX, 0);
	foreach(cell, naming->present)
		if (take_equal(naming, &naming->standing, lfirst(cell)))
			naming->present = foreach_delete_current(naming->present, cell);
	/* with since, a row without events is none of our business, unless its relation was emptied */
	if (naming->verify->since > 0 && !naming->events && naming->resets == NIL)
		return;
	foreach(cell, naming->present)
	{
		const GlState *found = lfirst(cell);

		if (naming->standing != NIL)
		{
			const GlState *logged = linitial(naming->standing);

			naming->standing = list_delete_first(naming->standing);
			report_difference(naming, logged, found, logged->leaf, "the table has another value than the log");
		}
		else if (naming->verify->since == 0 || naming->events || was_reset(naming, found, UINT64_MAX, 0))
			report_row(naming, found->row, GL_NO_LEAF, "the row is in the table and not in the log", NULL, NULL,
					   show_row(naming, found->row));
	}
	foreach(cell, naming->standing)
	{
		const GlState *logged = lfirst(cell);

		report_row(naming, logged->row, logged->leaf, "the row is in the log and not in the table", NULL,
				   show_row(naming, logged->row), NULL);
	}
}

static void
open_key(GlNaming *naming, GlBytes key)
{
	MemoryContextReset(naming->key_memory);
	naming->any = true;
	naming->events = false;
	naming->current_key = gl_bytes_copy(key);
	naming->order = 0;
	naming->standing = NIL;
	naming->wanting = NIL;
	naming->present = NIL;
}

static void
apply_event(GlNaming *naming, GlState *state, GlPhase phase)
{
	bool		first = !naming->events;

	if (phase == PHASE_TABLE)
	{
		naming->present = lappend(naming->present, state);
		return;
	}
	if (state->order != naming->order)
	{
		close_entry(naming);
		naming->order = state->order;
	}
	drop_reset(naming, state->order, state->record);
	naming->events = true;
	if (take_equal(naming, phase == PHASE_PRODUCE ? &naming->wanting : &naming->standing, state))
		free_state(state);
	else if (phase == PHASE_PRODUCE)
		naming->standing = lappend(naming->standing, state);
	else if (first && naming->verify->since > 0)
		free_state(state);		/* what stood before is not known */
	else
		naming->wanting = lappend(naming->wanting, state);
}

static void
walk_event(GlNaming *naming, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(naming->key_memory);
	GlState    *state;
	GlBytes		key;

	slot_getallattrs(slot);
	key = gl_bytea_bytes(slot->tts_values[COLUMN_KEY]);
	if (!naming->any || !gl_bytes_equal(key, naming->current_key))
	{
		close_key(naming);
		open_key(naming, key);
	}
	state = palloc0(sizeof(GlState));
	state->order = (uint64) DatumGetInt64(slot->tts_values[COLUMN_ORDER]);
	state->record = (uint64) DatumGetInt64(slot->tts_values[COLUMN_RECORD]);
	state->relation = (int) DatumGetInt64(slot->tts_values[COLUMN_RELATION]);
	state->leaf = DatumGetInt64(slot->tts_values[COLUMN_LEAF]);
	state->row = gl_bytes_copy(gl_bytea_bytes(slot->tts_values[COLUMN_ROW]));
	apply_event(naming, state, (GlPhase) DatumGetInt64(slot->tts_values[COLUMN_PHASE]));
	MemoryContextSwitchTo(old);
}

static void
walk_events(GlNaming *naming)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(naming->descriptor, &TTSOpsMinimalTuple);
	MemoryContext old;

	tuplesort_performsort(naming->sort);
	while (tuplesort_gettupleslot(naming->sort, true, false, slot, NULL))
	{
		gl_verify_progress(naming->verify, naming->table->name, 0, 0);
		walk_event(naming, slot);
	}
	old = MemoryContextSwitchTo(naming->key_memory);
	close_key(naming);
	MemoryContextSwitchTo(old);
	ExecDropSingleTupleTableSlot(slot);
}

static void
open_sort(GlNaming *naming)
{
	AttrNumber	columns[] = {COLUMN_KEY + 1, COLUMN_ORDER + 1, COLUMN_COMMAND + 1, COLUMN_PHASE + 1, COLUMN_RECORD + 1};
	Oid			operators[] = {ByteaLessOperator, Int8LessOperator, Int8LessOperator, Int8LessOperator, Int8LessOperator};
	Oid			collations[] = {InvalidOid, InvalidOid, InvalidOid, InvalidOid, InvalidOid};
	bool		nulls_first[] = {false, false, false, false, false};
	int			i;

	naming->descriptor = CreateTemplateTupleDesc(COLUMNS_COUNT);
	for (i = 0; i < COLUMNS_COUNT; i++)
		TupleDescInitEntry(naming->descriptor, i + 1, NULL, i == COLUMN_KEY || i == COLUMN_ROW ? BYTEAOID : INT8OID,
						   -1, 0);
	naming->input = MakeSingleTupleTableSlot(naming->descriptor, &TTSOpsVirtual);
	naming->sort = tuplesort_begin_heap(naming->descriptor, lengthof(columns), columns, operators, collations,
										nulls_first, work_mem, NULL, 0);
}

static void
open_types(GlNaming *naming)
{
	const GlLedgerRelation *root = linitial(naming->table->ledger->relations);
	Relation	heap = table_open(root->relation, AccessShareLock);
	ListCell   *cell;

	naming->types = gl_column_types_open(naming->table, RelationGetDescr(heap), heap->rd_rel->relowner);
	table_close(heap, NoLock);
	foreach(cell, naming->table->ledger->columns)
		naming->has_key |= ((const GlLedgerColumn *) lfirst(cell))->key_ordinal > 0;
}

/* All changes in the log, then all rows in the table. */
static void
collect(GlNaming *naming)
{
	ListCell   *cell;

	gl_log_walk(naming->verify, collect_record, naming);
	foreach(cell, naming->table->ledger->relations)
	{
		const GlLedgerRelation *relation = lfirst(cell);

		if (OidIsValid(relation->relation) && get_rel_relkind(relation->relation) == RELKIND_RELATION)
			collect_relation(naming, relation);
	}
}

void
gl_naming_check(GlVerify *verify, GlTable *table, GlNamingResult *result)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "govledger naming", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	GlNaming   *naming = palloc0(sizeof(GlNaming));

	memset(result, 0, sizeof(*result));
	naming->verify = verify;
	naming->table = table;
	naming->result = result;
	naming->key_memory = AllocSetContextCreate(memory, "govledger key", ALLOCSET_DEFAULT_SIZES);
	gl_buffer_init(&naming->key, gl_grow);
	gl_buffer_reserve(&naming->key, 256);
	open_types(naming);
	open_sort(naming);
	if (verify->since > 0)
		naming->changed = bloom_create(Max(verify->records, 1000), Max(work_mem / 4, 1024), 0);
	else
	{
		naming->narrow = gl_narrow_open();
		naming->counting = true;
		collect(naming);
		naming->counting = false;
		/* a reset takes rows away without naming them, so there is nothing to subtract */
		if (naming->resets != NIL)
			naming->narrow = NULL;
		naming->resets = NIL;
	}
	collect(naming);
	walk_events(naming);
	tuplesort_end(naming->sort);
	ExecDropSingleTupleTableSlot(naming->input);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
}
