/*
 * schema.c
 *		What the schema records of the log say a ledger table is, against the catalog.
 */
#include "verify/tables.h"

#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* The newest schema record of a table. */
typedef struct GlSchemaState
{
	uint64		table_id;		/* hash key */
	int64		leaf;
	GlBytes		body;
} GlSchemaState;

struct GlSchemas
{
	HTAB	   *states;
	MemoryContext memory;
};

GlSchemas *
gl_schemas_open(void)
{
	GlSchemas  *schemas = palloc0(sizeof(GlSchemas));
	HASHCTL		control;

	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(uint64);
	control.entrysize = sizeof(GlSchemaState);
	control.hcxt = CurrentMemoryContext;
	schemas->memory = CurrentMemoryContext;
	schemas->states = hash_create("govledger schemas", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return schemas;
}

void
gl_schemas_record(GlVerify *verify, const GlLogEntry *entry, const GlRecord *record)
{
	GlTable    *table = gl_tables_find(verify->tables, record->table_id);
	GlSchemaState *state;
	MemoryContext old;
	bool		found;

	if (!gl_record_check_body(record))
	{
		gl_report_log(verify->report, GL_CHECK_ENTRY, entry->leaf,
					  gl_entry_name(entry->generation, entry->transaction_id), "its schema record cannot be read");
		return;
	}
	if (table != NULL && record->body.data[0] == GL_SCHEMA_RELATION_REMOVED)
		gl_sums_reset(table, record->relation_id);
	if (table != NULL && record->body.data[0] == GL_SCHEMA_UNPROTECT)
		table->ended = true;
	state = hash_search(verify->schemas->states, &record->table_id, HASH_ENTER, &found);
	if (found)
		pfree(unconstify(uint8 *, state->body.data));
	old = MemoryContextSwitchTo(verify->schemas->memory);
	state->leaf = entry->leaf;
	state->body = gl_bytes_copy(record->body);
	MemoryContextSwitchTo(old);
}

/* One comparison of the catalog with the log. */
typedef struct GlSchemaCheck
{
	GlVerify   *verify;
	const GlTable *table;
	const GlSchemaState *state;
} GlSchemaCheck;

static void
report(const GlSchemaCheck *check, const char *column, const char *logged, const char *found, const char *detail)
{
	GlFinding	finding = {.check = GL_CHECK_CATALOG, .scope = check->table->name, .object = check->table->name};

	finding.detail = detail;
	finding.column = column;
	finding.logged = logged;
	finding.found = found;
	finding.leaf = check->state->leaf;
	gl_report_finding(check->verify->report, &finding);
}

static void
compare_text(const GlSchemaCheck *check, const char *column, GlBytes logged, const char *found, const char *detail)
{
	char	   *text = gl_server_text(logged);

	if (text == NULL || strcmp(text, found) != 0)
		report(check, column, gl_shown(logged, false), found, detail);
}

static void
compare_flag(const GlSchemaCheck *check, const char *column, bool logged, bool found, const char *detail)
{
	if (logged != found)
		report(check, column, logged ? "true" : "false", found ? "true" : "false", detail);
}

static void
check_column(const GlSchemaCheck *check, const GlSchemaColumn *logged)
{
	const GlLedgerColumn *column = gl_table_column(check->table, logged->column_id);

	if (column == NULL || column->dropped)
	{
		report(check, gl_shown(logged->name, false), gl_shown(logged->type, false), NULL,
			   "a column of the log is missing or dropped in ledger_column");
		return;
	}
	compare_text(check, column->name, logged->name, column->name, "ledger_column has another name than the log");
	compare_text(check, column->name, logged->type, column->type_name, "ledger_column has another type than the log");
	compare_flag(check, column->name, (logged->flags & GL_COLUMN_PERSONAL) != 0, column->personal,
				 "ledger_column says otherwise than the log whether the column is personal");
	if (logged->key_ordinal != (uint64) column->key_ordinal)
		report(check, column->name, psprintf("%llu", (unsigned long long) logged->key_ordinal),
			   psprintf("%d", column->key_ordinal), "ledger_column has another key than the log");
}

static void
check_columns(const GlSchemaCheck *check, GlReader *reader)
{
	uint64		count = gl_read_varint(reader);
	int			live = 0;
	GlSchemaColumn logged;
	ListCell   *cell;
	uint64		i;

	for (i = 0; i < count && gl_schema_read_column(reader, &logged); i++)
		check_column(check, &logged);
	foreach(cell, check->table->ledger->columns)
		live += ((const GlLedgerColumn *) lfirst(cell))->dropped ? 0 : 1;
	if ((uint64) live > count)
		report(check, NULL, psprintf("%llu columns", (unsigned long long) count), psprintf("%d columns", live),
			   "ledger_column has columns that the log does not know");
}

static const GlLedgerRelation *
find_relation(const GlTable *table, uint64 relation_id)
{
	ListCell   *cell;

	foreach(cell, table->ledger->relations)
	{
		const GlLedgerRelation *relation = lfirst(cell);

		if ((uint64) relation->relation_id == relation_id)
			return relation;
	}
	return NULL;
}

static void
check_relation(const GlSchemaCheck *check, uint64 relation_id, GlBytes schema_name, GlBytes name)
{
	const GlLedgerRelation *relation = find_relation(check->table, relation_id);

	if (relation == NULL || !OidIsValid(relation->relation))
	{
		report(check, NULL, gl_shown(name, false), NULL, "a relation of the log is missing in ledger_relation");
		return;
	}
	compare_text(check, NULL, schema_name, relation->schema_name, "ledger_relation has another schema than the log");
	compare_text(check, NULL, name, relation->name, "ledger_relation has another name than the log");
}

static void
check_relations(const GlSchemaCheck *check, const GlSchemaHead *head, GlReader *reader)
{
	uint64		count = gl_read_varint(reader);
	int			live = 0;
	GlSchemaRelation logged;
	ListCell   *cell;
	uint64		i;

	check_relation(check, 0, head->schema_name, head->table_name);
	for (i = 0; i < count && gl_schema_read_relation(reader, &logged); i++)
		check_relation(check, logged.relation_id, logged.schema_name, logged.name);
	foreach(cell, check->table->ledger->relations)
	{
		const GlLedgerRelation *relation = lfirst(cell);

		live += relation->relation_id != 0 && OidIsValid(relation->relation);
	}
	if ((uint64) live > count)
		report(check, NULL, psprintf("%llu partitions", (unsigned long long) count), psprintf("%d partitions", live),
			   "ledger_relation has partitions that the log does not know");
}

static void
check_live(const GlSchemaCheck *check, const GlSchemaHead *head, GlReader *reader)
{
	const GlLedgerTable *ledger = check->table->ledger;

	if (ledger->unprotected)
	{
		report(check, NULL, "protected", "unprotected", "ledger_table says it is no longer protected, the log does not");
		return;
	}
	if (head->visibility != (int) ledger->visibility)
		report(check, NULL, gl_visibility_name(Min(head->visibility, GL_VISIBILITY_PUBLIC)),
			   (int) ledger->visibility < 0 ? NULL : gl_visibility_name(ledger->visibility),
			   "ledger_table has another visibility than the log");
	compare_flag(check, NULL, (head->flags & GL_TABLE_APPEND_ONLY) != 0, ledger->append_only,
				 "ledger_table says otherwise than the log whether the table is append-only");
	compare_flag(check, NULL, (head->flags & GL_TABLE_HISTORY) != 0, ledger->history,
				 "ledger_table says otherwise than the log whether the table has a history");
	check_columns(check, reader);
	check_relations(check, head, reader);
}

static void
check_state(GlVerify *verify, const GlSchemaState *state)
{
	GlSchemaCheck check = {verify, gl_tables_find(verify->tables, state->table_id), state};
	GlReader	reader;
	GlSchemaHead head;

	gl_reader_init(&reader, state->body.data, state->body.length);
	if (!gl_schema_read_head(&reader, &head))
		return;
	if (check.table == NULL)
	{
		gl_report_log(verify->report, GL_CHECK_CATALOG, state->leaf,
					  psprintf("%s.%s", gl_shown(head.schema_name, false), gl_shown(head.table_name, false)),
					  "it is table %llu of the log and missing in ledger_table", (unsigned long long) state->table_id);
		return;
	}
	if (verify->target_table != 0 && (uint64) verify->target_table != state->table_id)
		return;
	if (head.operation != GL_SCHEMA_UNPROTECT)
		check_live(&check, &head, &reader);
	else if (!check.table->ledger->unprotected)
		report(&check, NULL, "unprotected", "protected", "the log says it is no longer protected, ledger_table does not");
}

void
gl_schemas_check(GlVerify *verify)
{
	HASH_SEQ_STATUS status;
	GlSchemaState *state;
	ListCell   *cell;

	hash_seq_init(&status, verify->schemas->states);
	while ((state = hash_seq_search(&status)) != NULL)
		check_state(verify, state);
	/* with since, the record may lie before it */
	foreach(cell, verify->since > 0 ? NIL : gl_tables_list(verify->tables))
	{
		GlTable    *table = lfirst(cell);
		uint64		table_id = (uint64) table->ledger->table_id;

		if (hash_search(verify->schemas->states, &table_id, HASH_FIND, NULL) == NULL)
			gl_report_object(verify->report, GL_CHECK_CATALOG, table->name,
							 "it is in ledger_table and the log does not know it");
	}
}
