/*
 * events.c
 *		Event triggers: the log follows DDL on ledger tables, and what cannot be followed truthfully is refused.
 *
 * A superuser can switch event triggers off; verify then finds the difference. They are here for honest users.
 */
#include "core/compat.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
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

#include "capture/encode.h"
#include "capture/guard.h"
#include "capture/schema.h"
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

/* The ledger table that a row security policy is on; 0 if none. */
static int
gl_policy_table(Oid policy)
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
	return OidIsValid(relation) ? gl_table_above(relation) : 0;
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

/* The type whose values print differently after this command; InvalidOid if none does. */
static Oid
gl_altered_type(const Node *command, const GlObject *object)
{
	if (IsA(command, AlterEnumStmt))
		return ((const AlterEnumStmt *) command)->oldVal != NULL ? object->object_id : InvalidOid;
	if (IsA(command, AlterTableStmt) && get_rel_relkind(object->object_id) == RELKIND_COMPOSITE_TYPE)
		return get_rel_type_id(object->object_id);
	return InvalidOid;
}

/* Rows of a ledger table would print otherwise than they were recorded, with no record of why. */
static void
gl_refuse_type_change(Oid type)
{
	List	   *ids = gl_ledger_table_ids();
	ListCell   *cell;

	foreach(cell, ids)
	{
		GlLedgerTable *table = gl_ledger_table_load(lfirst_int(cell));
		Relation	relation = try_table_open(((GlLedgerRelation *) linitial(table->relations))->relation, AccessShareLock);
		TupleDesc	descriptor;
		int			i;

		if (relation == NULL)
			continue;			/* gone without a record of it: verify says so */
		descriptor = RelationGetDescr(relation);
		for (i = 0; i < descriptor->natts; i++)
		{
			Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

			if (!attribute->attisdropped && gl_type_contains(attribute->atttypid, type))
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("type %s cannot be changed like this: ledger table \"%s\" uses it",
								format_type_be(type), RelationGetRelationName(relation)),
						 errdetail("Values of column \"%s\" would change without a record of it.", NameStr(attribute->attname)),
						 errhint("Add a column of a new type, UPDATE it from the old one, and drop the old one.")));
		}
		table_close(relation, AccessShareLock);
	}
}

Datum
gl_on_ddl_command_start(PG_FUNCTION_ARGS)
{
	gl_check_event(fcinfo, "on_ddl_command_start");
	gl_guard_command(((EventTriggerData *) fcinfo->context)->parsetree);
	PG_RETURN_NULL();
}

Datum
gl_on_ddl_command_end(PG_FUNCTION_ARGS)
{
	Node	   *command;
	List	   *objects;
	List	   *tables = NIL;
	ListCell   *cell;
	bool		guarded;

	gl_check_event(fcinfo, "on_ddl_command_end");
	if (gl_nothing_to_follow())
		PG_RETURN_NULL();
	objects = gl_event_objects("SELECT classid, objid, object_type, NULL::text[] FROM pg_catalog.pg_event_trigger_ddl_commands()"
							   " WHERE classid IS NOT NULL");
	guarded = gl_guards_on();
	command = ((EventTriggerData *) fcinfo->context)->parsetree;
	foreach(cell, objects)
	{
		const GlObject *object = lfirst(cell);
		Oid			type = gl_altered_type(command, object);

		if (guarded)
			gl_guard_altered(command, object->class_id, object->object_id);
		if (OidIsValid(type))
			gl_refuse_type_change(type);
		if (object->class_id == TypeRelationId)
		{
			/* a renamed type, or one in another schema, is another type name in the schema */
			if (IsA(command, RenameStmt) || IsA(command, AlterObjectSchemaStmt))
				tables = list_concat_unique_int(tables, gl_ledger_table_ids());
			continue;
		}
		if (object->class_id == PolicyRelationId)
		{
			int			table_id = gl_policy_table(object->object_id);

			if (table_id != 0)
				tables = list_append_unique_int(tables, table_id);
			continue;
		}
		/* a renamed schema renames all its tables */
		if (object->class_id == NamespaceRelationId)
			tables = list_concat_unique_int(tables, gl_ledger_table_ids());
		else if (object->class_id == RelationRelationId)
		{
			int			table_id = gl_table_above(object->object_id);
			List	   *parents = NIL;

			/* a child, or a parent: a ledger table may inherit from it, and its columns with it */
			if (table_id == 0 && (has_superclass(object->object_id) ||
								  (get_rel_relkind(object->object_id) == RELKIND_RELATION && has_subclass(object->object_id))))
				parents = gl_ledger_table_ids();
			if (table_id != 0)
				tables = list_append_unique_int(tables, table_id);
			tables = list_concat_unique_int(tables, parents);
		}
	}
	foreach(cell, tables)
	{
		gl_refuse_inheritance(lfirst_int(cell));
		gl_schema_sync(lfirst_int(cell), "");
	}
	PG_RETURN_NULL();
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
	objects = gl_event_objects("SELECT classid, objid, object_type, address_names FROM pg_catalog.pg_event_trigger_dropped_objects()"
							   " WHERE object_type IN ('table', 'trigger', 'table column', 'composite type column', 'policy')");
	guarded = gl_guards_on();
	foreach(cell, objects)
	{
		const GlObject *object = lfirst(cell);
		int			table_id;
		int			relation_id;

		if (strcmp(object->type, "trigger") == 0)
		{
			if (guarded)
				gl_guard_dropped_trigger(object->names);
		}
		else if (strcmp(object->type, "composite type column") == 0)
			gl_refuse_type_change(get_rel_type_id(object->object_id));
		else if (strcmp(object->type, "policy") == 0)
		{
			Oid			relation = gl_dropped_from(object);

			table_id = OidIsValid(relation) ? gl_table_above(relation) : 0;
			if (table_id != 0)
				tables = list_append_unique_int(tables, table_id);
		}
		else if (strcmp(object->type, "table column") == 0)
		{
			/* dropped with its type, say: no DDL on the table itself is reported */
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

Datum
gl_on_table_rewrite(PG_FUNCTION_ARGS)
{
	List	   *objects;
	ListCell   *cell;

	gl_check_event(fcinfo, "on_table_rewrite");
	if (gl_nothing_to_follow())
		PG_RETURN_NULL();
	objects = gl_event_objects("SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid,"
							   " pg_catalog.pg_event_trigger_table_rewrite_oid(), 'table'::text, NULL::text[]");
	foreach(cell, objects)
	{
		const GlObject *object = lfirst(cell);

		if (gl_table_above(object->object_id) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("ledger table \"%s\" cannot be rewritten", get_rel_name(object->object_id)),
					 errdetail("The command would change stored values without a record of it."),
					 errhint("Add a new column, UPDATE it from the old one, and drop the old one; "
							 "or use govledger.unprotect(), change the table, and protect it again.")));
	}
	PG_RETURN_NULL();
}
