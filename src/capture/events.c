/*
 * events.c
 *		Event triggers: the log follows DDL on ledger tables, and what cannot be followed truthfully is refused.
 *
 * A superuser can switch event triggers off; verify then finds the difference. They are here for honest users.
 */
#include "core/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "capture/ddl.h"
#include "capture/guard.h"
#include "capture/schema.h"
#include "capture/users.h"
#include "core/catalog.h"
#include "ledger/state.h"
#include "ledger/table.h"

PG_FUNCTION_INFO_V1(gl_on_ddl_command_start);
PG_FUNCTION_INFO_V1(gl_on_ddl_command_end);
PG_FUNCTION_INFO_V1(gl_on_sql_drop);
PG_FUNCTION_INFO_V1(gl_on_table_rewrite);

typedef struct GlObject
{
	Oid			class_id;
	Oid			object_id;
	char	   *type;
	List	   *names;			/* of char *; only for drops */
} GlObject;

static void
gl_check_event(FunctionCallInfo fcinfo, const char *name)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function govledger.%s() must be called by an event trigger", name)));
}

bool
gl_nothing_to_follow(void)
{
	const GlLedgerState *state;

	if (gl_schema_busy || IsBinaryUpgrade)
		return true;
	state = gl_ledger_state();
	return !state->exists || !gl_ledger_is_ours(state);
}

/* What the command touched or dropped, from the event trigger functions of the server. */
static List *
gl_event_objects(const char *query)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *objects = NIL;
	uint64		i;

	if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(query, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the objects of a DDL command");
	for (i = 0; i < SPI_processed; i++)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);
		HeapTuple	tuple = SPI_tuptable->vals[i];
		GlObject   *object = palloc0(sizeof(GlObject));
		bool		isnull;
		Datum		names;

		object->class_id = DatumGetObjectId(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull));
		object->object_id = DatumGetObjectId(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull));
		object->type = TextDatumGetCString(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 3, &isnull));
		names = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 4, &isnull);
		if (!isnull)
		{
			Datum	   *elements;
			bool	   *nulls;
			int			count;
			int			n;

			deconstruct_array(DatumGetArrayTypePCopy(names), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
			for (n = 0; n < count; n++)
				object->names = lappend(object->names, TextDatumGetCString(elements[n]));
		}
		objects = lappend(objects, object);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return objects;
}

/* The ledger table that a relation is or is a partition of; 0 if none. */
static int
gl_table_above(Oid relid)
{
	int			table_id;
	int			relation_id;
	List	   *ancestors;
	ListCell   *cell;

	if (gl_ledger_relation_find(relid, &table_id, &relation_id))
		return table_id;
	if (!get_rel_relispartition(relid))
		return 0;
	ancestors = get_partition_ancestors(relid);
	foreach(cell, ancestors)
		if (gl_ledger_relation_find(lfirst_oid(cell), &table_id, &relation_id))
			return table_id;
	return 0;
}

/* What a row security policy is on. */
static Oid
gl_policy_relation(Oid policy)
{
	Relation	heap = table_open(PolicyRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			relation = InvalidOid;

	ScanKeyInit(&key, Anum_pg_policy_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(policy));
	scan = systable_beginscan(heap, PolicyOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		relation = ((Form_pg_policy) GETSTRUCT(tuple))->polrelid;
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
	return relation;
}

/* A plain inheritance child takes rows that its parent's trigger never sees. */
static void
gl_refuse_inheritance(int table_id)
{
	GlLedgerTable *table = gl_ledger_table_load(table_id);
	GlLedgerRelation *root = linitial(table->relations);

	if (OidIsValid(root->relation) && get_rel_relkind(root->relation) == RELKIND_RELATION &&
		find_inheritance_children(root->relation, AccessShareLock) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ledger table \"%s\" cannot have inheritance children", root->name),
				 errdetail("Rows written to a child would not be captured."),
				 errhint("Use declarative partitioning.")));
}

/*
 * Rows that contain this type print otherwise from now on. That is recorded if the beginning of the command was seen; else
 * rows of a ledger table would change without a record of it.
 */
static void
gl_refuse_type_change(Oid type)
{
	List	   *users = gl_type_users(type);
	ListCell   *cell;

	foreach(cell, users)
	{
		Oid			user = lfirst_oid(cell);
		int			table_id;
		int			relation_id;

		if (gl_ddl_covers(user) || !gl_ledger_relation_find(user, &table_id, &relation_id))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("type %s cannot be changed like this: ledger table \"%s\" uses it", format_type_be(type),
						get_rel_name(user)),
				 errdetail("Values would change without a record of it."),
				 errhint("Use ALTER TYPE or ALTER TABLE on the type itself, with the event triggers of govledger enabled.")));
	}
}

/* Does this command give the type another name? */
static bool
gl_renames(const Node *command)
{
	return IsA(command, RenameStmt) || IsA(command, AlterObjectSchemaStmt);
}

static List *
gl_tables_of_relations(List *relations)
{
	List	   *ids = NIL;
	ListCell   *cell;

	foreach(cell, relations)
	{
		int			table_id = gl_table_above(lfirst_oid(cell));

		if (table_id != 0)
			ids = list_append_unique_int(ids, table_id);
	}
	return ids;
}

/* What this relation inherits from. */
static List *
gl_parents(Oid relation)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	List	   *parents = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		parents = lappend_oid(parents, ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent);
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
	return parents;
}

/* Ledger tables that are concerned by DDL on this relation: itself, those above and below it, those that use its row type. */
static List *
gl_tables_of_class(const Node *command, Oid relation)
{
	List	   *relations = list_make1_oid(relation);
	Oid			type = get_rel_type_id(relation);

	if (has_subclass(relation))
		relations = find_all_inheritors(relation, NoLock, NULL);
	if (has_superclass(relation))
		relations = list_concat(relations, gl_parents(relation));
	if (OidIsValid(type) && gl_ddl_changes_row_type(command))
		gl_refuse_type_change(type);
	if (OidIsValid(type) && gl_renames(command))
		relations = list_concat_unique_oid(relations, gl_type_users(type));
	return gl_tables_of_relations(relations);
}

/* The ledger tables whose catalog may have to follow this object. */
static List *
gl_tables_of_object(const Node *command, const GlObject *object)
{
	switch (object->class_id)
	{
		case RelationRelationId:
			return gl_tables_of_class(command, object->object_id);
		case TypeRelationId:
			if (IsA(command, AlterEnumStmt) && ((const AlterEnumStmt *) command)->oldVal != NULL)
				gl_refuse_type_change(object->object_id);
			/* a renamed type, or one in another schema, is another type name in the schema */
			return gl_renames(command) ? gl_tables_of_relations(gl_type_users(object->object_id)) : NIL;
		case PolicyRelationId:
			/* histories have the row security of their tables */
			return gl_tables_of_relations(list_make1_oid(gl_policy_relation(object->object_id)));
		case NamespaceRelationId:
		case ExtensionRelationId:
			/* a renamed schema renames all that is in it; so does an extension that moves to another schema */
			return gl_renames(command) ? gl_ledger_table_ids() : NIL;
		default:
			return NIL;
	}
}

Datum
gl_on_ddl_command_start(PG_FUNCTION_ARGS)
{
	const Node *command;

	gl_check_event(fcinfo, "on_ddl_command_start");
	command = ((EventTriggerData *) fcinfo->context)->parsetree;
	gl_guard_command(command);
	if (!gl_nothing_to_follow())
		gl_ddl_begin(command);
	PG_RETURN_NULL();
}

Datum
gl_on_ddl_command_end(PG_FUNCTION_ARGS)
{
	Node	   *command;
	List	   *objects;
	List	   *tables;
	ListCell   *cell;
	bool		guarded;

	gl_check_event(fcinfo, "on_ddl_command_end");
	if (gl_nothing_to_follow())
		PG_RETURN_NULL();
	objects = gl_event_objects("SELECT classid, objid, object_type, NULL::text[] FROM pg_catalog.pg_event_trigger_ddl_commands()"
							   " WHERE classid IS NOT NULL");
	guarded = gl_guards_wanted();
	command = ((EventTriggerData *) fcinfo->context)->parsetree;
	tables = gl_ddl_tables(command);
	foreach(cell, objects)
	{
		const GlObject *object = lfirst(cell);

		if (guarded)
			gl_guard_altered(command, object->class_id, object->object_id);
		tables = list_concat_unique_int(tables, gl_tables_of_object(command, object));
	}
	foreach(cell, tables)
	{
		gl_refuse_inheritance(lfirst_int(cell));
		gl_schema_sync(lfirst_int(cell), "");
	}
	gl_ddl_finish(command);
	PG_RETURN_NULL();
}

/*
 * An index that went with something else (an operator class, a collation) is reported without its table. Where tables were dropped it
 * was one of theirs, and the end of ALTER TABLE looks at the key itself.
 */
static bool
gl_lost_an_index(const Node *command, List *objects)
{
	bool		lost = false;
	ListCell   *cell;

	if (IsA(command, AlterTableStmt))
		return false;
	foreach(cell, objects)
	{
		const GlObject *object = lfirst(cell);

		if (strcmp(object->type, "table") == 0 || strcmp(object->type, "materialized view") == 0)
			return false;
		lost |= strcmp(object->type, "dependent index") == 0;
	}
	return lost;
}

/* The relation that a dropped policy was on, if it is still there. */
static Oid
gl_dropped_from(const GlObject *object)
{
	Oid			schema;

	if (list_length(object->names) != 3)
		return InvalidOid;
	schema = get_namespace_oid(linitial(object->names), true);
	return OidIsValid(schema) ? get_relname_relid(lsecond(object->names), schema) : InvalidOid;
}

Datum
gl_on_sql_drop(PG_FUNCTION_ARGS)
{
	List	   *objects;
	List	   *tables = NIL;
	ListCell   *cell;
	bool		guarded;

	gl_check_event(fcinfo, "on_sql_drop");
	if (gl_nothing_to_follow())
		PG_RETURN_NULL();
	objects = gl_event_objects("SELECT classid, objid,"
							   " CASE WHEN object_type = 'index' AND NOT original THEN 'dependent index' ELSE object_type END, address_names"
							   " FROM pg_catalog.pg_event_trigger_dropped_objects() WHERE object_type IN"
							   " ('table', 'materialized view', 'index', 'trigger', 'table column', 'composite type column', 'policy')");
	if (gl_lost_an_index(((EventTriggerData *) fcinfo->context)->parsetree, objects))
		tables = gl_ledger_table_ids();
	guarded = gl_guards_wanted();
	foreach(cell, objects)
	{
		const GlObject *object = lfirst(cell);
		int			table_id;
		int			relation_id;

		if (strcmp(object->type, "index") == 0 || strcmp(object->type, "dependent index") == 0)
		{
			if (guarded && list_length(object->names) == 2)
				gl_guard_dropped_index(linitial(object->names), llast(object->names));
		}
		else if (strcmp(object->type, "trigger") == 0)
		{
			if (guarded)
				gl_guard_dropped_trigger(object->names);
		}
		else if (strcmp(object->type, "policy") == 0)
		{
			Oid			relation = gl_dropped_from(object);

			table_id = OidIsValid(relation) ? gl_table_above(relation) : 0;
			if (table_id != 0)
				tables = list_append_unique_int(tables, table_id);
		}
		else if (strcmp(object->type, "composite type column") == 0 || strcmp(object->type, "table column") == 0)
		{
			/* dropped with its type, say: no DDL on the table itself is reported */
			gl_refuse_type_change(get_rel_type_id(object->object_id));
			table_id = gl_table_above(object->object_id);
			if (table_id != 0)
				tables = list_append_unique_int(tables, table_id);
		}
		else
		{
			if (guarded)
				gl_guard_dropped_relation(object->object_id);
			/* without its root, a table has nothing left to follow */
			if (gl_ledger_relation_find(object->object_id, &table_id, &relation_id) && relation_id != 0)
				tables = list_append_unique_int(tables, table_id);
		}
	}
	foreach(cell, tables)
		gl_schema_sync(lfirst_int(cell), "");
	PG_RETURN_NULL();
}

/* A rewrite that only moves rows, or one whose rows are compared, may happen. */
Datum
gl_on_table_rewrite(PG_FUNCTION_ARGS)
{
	Oid			relation;
	int32		reason;

	gl_check_event(fcinfo, "on_table_rewrite");
	if (gl_nothing_to_follow())
		PG_RETURN_NULL();
	relation = DatumGetObjectId(OidFunctionCall0(F_PG_EVENT_TRIGGER_TABLE_REWRITE_OID));
	reason = DatumGetInt32(OidFunctionCall0(F_PG_EVENT_TRIGGER_TABLE_REWRITE_REASON));
	if ((reason & (AT_REWRITE_DEFAULT_VAL | AT_REWRITE_COLUMN_REWRITE)) != 0 && gl_table_above(relation) != 0 &&
		!gl_ddl_covers(relation))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ledger table \"%s\" cannot be rewritten", get_rel_name(relation)),
				 errdetail("The command would change stored values without a record of it."),
				 errhint("The event trigger govledger_ddl_command_start must be enabled when the command begins.")));
	PG_RETURN_NULL();
}
