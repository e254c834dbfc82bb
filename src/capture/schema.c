/*
 * schema.c
 *		The catalog of a ledger table follows the table; see schema.h.
 */
#include "capture/schema.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "capture/capture.h"
#include "capture/ddl.h"
#include "capture/encode.h"
#include "capture/key.h"
#include "capture/pending.h"
#include "capture/personal.h"
#include "core/catalog.h"

bool		gl_schema_busy = false;
GlSchemaHook gl_schema_hook = NULL;

void
gl_schema_tell(const GlLedgerTable *table, GlSchemaOperation operation, const char *history_name)
{
	GlSchemaChange change = {.operation = operation,.table = table,.history_name = history_name};

	change.relation = ((const GlLedgerRelation *) linitial(table->relations))->relation;
	if (gl_schema_hook != NULL)
		gl_schema_hook(&change);
}

void
gl_schema_run(const char *command)
{
	Oid			user;
	int			context;
	bool		busy = gl_schema_busy;

	GetUserIdAndSecContext(&user, &context);
	gl_schema_busy = true;
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, context | SECURITY_LOCAL_USERID_CHANGE);
	PG_TRY();
	{
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		if (SPI_execute(command, false, 0) < 0)
			elog(ERROR, "could not run: %s", command);
		SPI_finish();
	}
	PG_FINALLY();
	{
		gl_schema_busy = busy;
		SetUserIdAndSecContext(user, context);
	}
	PG_END_TRY();
}

static void
gl_relation_refuse(const char *name, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" cannot be a ledger table: it is %s", name, what),
			 hint != NULL ? errhint("%s", hint) : 0));
}

static const char *
gl_relkind_refusal(char relkind)
{
	switch (relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			return NULL;
		case RELKIND_VIEW:
			return "a view";
		case RELKIND_MATVIEW:
			return "a materialized view";
		case RELKIND_FOREIGN_TABLE:
			return "a foreign table";
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			return "an index";
		case RELKIND_SEQUENCE:
			return "a sequence";
		case RELKIND_COMPOSITE_TYPE:
			return "a composite type";
		default:
			return "no table";
	}
}

/* How the rows of a relation are stored: they must survive a crash, and only heap says which command changed a row. */
static void
gl_storage_check(Form_pg_class class)
{
	if (class->relpersistence == RELPERSISTENCE_TEMP)
		gl_relation_refuse(NameStr(class->relname), "a temporary table",
						   "A ledger outlives sessions: create it as an ordinary table.");
	if (class->relpersistence == RELPERSISTENCE_UNLOGGED)
		gl_relation_refuse(NameStr(class->relname), "an unlogged table",
						   "It must be logged, to survive a crash: ALTER TABLE ... SET LOGGED.");
	if (class->relkind == RELKIND_RELATION && class->relam != HEAP_TABLE_AM_OID)
		gl_relation_refuse(NameStr(class->relname), "not stored as heap",
						   "It must be stored as heap: ALTER TABLE ... SET ACCESS METHOD heap.");
}

void
gl_relation_check(Relation relation)
{
	TupleDesc	descriptor = RelationGetDescr(relation);
	const char *name = RelationGetRelationName(relation);
	const char *kind = gl_relkind_refusal(relation->rd_rel->relkind);
	int			i;

	if (kind != NULL)
		gl_relation_refuse(name, kind, relation->rd_rel->relkind == RELKIND_FOREIGN_TABLE ?
						   "Protect the table where it is stored." : "Protect the tables below it.");
	if (IsCatalogRelation(relation) || RelationGetNamespace(relation) == get_namespace_oid(GL_SCHEMA, true))
		gl_relation_refuse(name, "a system table", NULL);
	gl_storage_check(relation->rd_rel);
	for (i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (!attribute->attisdropped)
			gl_type_check(attribute->atttypid, NameStr(attribute->attname));
	}
}

char *
gl_column_type_name(Form_pg_attribute attribute)
{
	return format_type_with_typemod(attribute->atttypid, attribute->atttypmod);
}

static GlBytes
gl_utf8_bytes(const char *string)
{
	GlBytes		bytes;
	int			length;

	bytes.data = (const uint8_t *) gl_to_utf8(string, &length);
	bytes.length = length;
	return bytes;
}

static void
gl_schema_record_columns(GlBuffer *record, const GlLedgerTable *table)
{
	ListCell   *cell;
	int			count = 0;

	foreach(cell, table->columns)
		count += ((GlLedgerColumn *) lfirst(cell))->dropped ? 0 : 1;
	gl_buffer_varint(record, count);
	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);
		GlSchemaColumn body;

		if (column->dropped)
			continue;
		body.column_id = column->column_id;
		body.name = gl_utf8_bytes(column->name);
		body.type = gl_utf8_bytes(column->type_name);
		body.flags = column->personal ? GL_COLUMN_PERSONAL : 0;
		body.key_ordinal = column->key_ordinal;
		gl_schema_write_column(record, &body);
	}
}

static void
gl_schema_record_relations(GlBuffer *record, const GlLedgerTable *table)
{
	ListCell   *cell;
	int			count = 0;

	foreach(cell, table->relations)
	{
		const GlLedgerRelation *relation = lfirst(cell);

		count += relation->relation_id != 0 && OidIsValid(relation->relation);
	}
	gl_buffer_varint(record, count);
	foreach(cell, table->relations)
	{
		const GlLedgerRelation *relation = lfirst(cell);
		GlSchemaRelation body;

		if (relation->relation_id == 0 || !OidIsValid(relation->relation))
			continue;
		body.relation_id = relation->relation_id;
		body.schema_name = gl_utf8_bytes(relation->schema_name);
		body.name = gl_utf8_bytes(relation->name);
		gl_schema_write_relation(record, &body);
	}
}

void
gl_schema_record(const GlLedgerTable *table, GlSchemaOperation operation, int relation_id, const char *reason)
{
	const GlLedgerRelation *root = linitial(table->relations);
	GlBuffer   *record = gl_pending_start();
	GlSchemaHead head;
	GlBytes		reason_bytes = gl_utf8_bytes(reason);

	head.operation = operation;
	head.schema_name = gl_utf8_bytes(root->schema_name);
	head.table_name = gl_utf8_bytes(root->name);
	head.visibility = table->visibility;
	head.flags = (table->append_only ? GL_TABLE_APPEND_ONLY : 0) | (table->history ? GL_TABLE_HISTORY : 0);
	gl_record_begin(record, GL_RECORD_SCHEMA, table->table_id, relation_id, GetCurrentCommandId(true));
	gl_schema_write_head(record, &head);
	gl_schema_record_columns(record, table);
	gl_schema_record_relations(record, table);
	gl_buffer_text(record, reason_bytes.data, reason_bytes.length);
	gl_pending_finish();
}

static char *
gl_qualified_name(Oid relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation));
}

void
gl_triggers_create(Oid relation, bool root)
{
	char	   *name = gl_qualified_name(relation);

	if (root)
		gl_schema_run(psprintf("CREATE TRIGGER \"" GL_ROW_TRIGGER "\" AFTER INSERT OR UPDATE OR DELETE ON %s "
							   "FOR EACH ROW EXECUTE FUNCTION govledger.capture_row()", name));
	gl_schema_run(psprintf("ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER \"" GL_ROW_TRIGGER "\"", name));
	gl_schema_run(psprintf("CREATE TRIGGER \"" GL_TRUNCATE_TRIGGER "\" AFTER TRUNCATE ON %s "
						   "FOR EACH STATEMENT EXECUTE FUNCTION govledger.capture_truncate()", name));
	gl_schema_run(psprintf("ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER \"" GL_TRUNCATE_TRIGGER "\"", name));
}

void
gl_triggers_drop(Oid relation, bool root)
{
	char	   *name = gl_qualified_name(relation);

	/* IF EXISTS: whoever tampered with the triggers must not be able to block this */
	if (root)
		gl_schema_run(psprintf("DROP TRIGGER IF EXISTS \"" GL_ROW_TRIGGER "\" ON %s", name));
	gl_schema_run(psprintf("DROP TRIGGER IF EXISTS \"" GL_TRUNCATE_TRIGGER "\" ON %s", name));
}

List *
gl_relation_tree(Oid root, LOCKMODE lockmode)
{
	List	   *tree = list_make1_oid(root);
	int			i;

	/* the list grows while we walk it */
	for (i = 0; i < list_length(tree); i++)
	{
		Oid			relation = list_nth_oid(tree, i);

		if (get_rel_relkind(relation) == RELKIND_PARTITIONED_TABLE)
			tree = list_concat(tree, find_inheritance_children_extended(relation, false, lockmode, NULL, NULL));
	}
	return tree;
}

/* --- following the table --- */

static GlLedgerColumn *
gl_column_by_attribute(GlLedgerTable *table, AttrNumber number)
{
	ListCell   *cell;

	foreach(cell, table->columns)
	{
		GlLedgerColumn *column = lfirst(cell);

		if (!column->dropped && column->attribute_number == number)
			return column;
	}
	return NULL;
}

static void
gl_sync_new_column(GlLedgerTable *table, Relation root, Form_pg_attribute attribute)
{
	GlLedgerColumn *column = palloc0(sizeof(GlLedgerColumn));

	gl_type_check(attribute->atttypid, NameStr(attribute->attname));
	if (attribute->atthasmissing && !gl_ddl_covers(attribute->attrelid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" was added with a default, and the event triggers of govledger did not see it",
						NameStr(attribute->attname)),
				 errdetail("It changed existing rows without a record of it."),
				 errhint("Drop the column and add it again, or use govledger.unprotect() and govledger.protect().")));
	column->column_id = ((GlLedgerColumn *) llast(table->columns))->column_id + 1;
	column->attribute_number = attribute->attnum;
	column->name = pstrdup(NameStr(attribute->attname));
	column->type_name = gl_column_type_name(attribute);
	gl_personal_check(table, root, column);
	table->columns = lappend(table->columns, column);
	gl_ledger_column_put(table->table_id, column);
}

/* Columns by attribute number: same number and other name is a rename. */
static bool
gl_sync_columns(GlLedgerTable *table, Relation root)
{
	TupleDesc	descriptor = RelationGetDescr(root);
	bool		changed = false;
	ListCell   *cell;
	int			i;

	foreach(cell, table->columns)
	{
		GlLedgerColumn *column = lfirst(cell);

		if (column->dropped ||
			(column->attribute_number <= descriptor->natts &&
			 !TupleDescAttr(descriptor, column->attribute_number - 1)->attisdropped))
			continue;
		if (column->key_ordinal > 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("column \"%s\" cannot be dropped: it is in the key of a ledger table", column->name),
					 errhint("Use govledger.unprotect() first.")));
		column->dropped = true;
		gl_ledger_column_put(table->table_id, column);
		changed = true;
	}
	for (i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		GlLedgerColumn *column = gl_column_by_attribute(table, attribute->attnum);
		char	   *type_name;

		if (attribute->attisdropped || attribute->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
			continue;
		if (column == NULL)
		{
			gl_sync_new_column(table, root, attribute);
			changed = true;
			continue;
		}
		type_name = gl_column_type_name(attribute);
		if (strcmp(column->name, NameStr(attribute->attname)) == 0 && strcmp(column->type_name, type_name) == 0)
			continue;
		gl_type_check(attribute->atttypid, NameStr(attribute->attname));
		column->name = pstrdup(NameStr(attribute->attname));
		column->type_name = type_name;
		gl_ledger_column_put(table->table_id, column);
		changed = true;
	}
	return changed;
}

/* Names of the relations that are still there. */
static bool
gl_sync_names(GlLedgerTable *table)
{
	bool		changed = false;
	ListCell   *cell;

	foreach(cell, table->relations)
	{
		GlLedgerRelation *relation = lfirst(cell);
		char	   *schema_name;
		char	   *name;

		if (!OidIsValid(relation->relation) || (name = get_rel_name(relation->relation)) == NULL)
			continue;
		schema_name = get_namespace_name(get_rel_namespace(relation->relation));
		if (strcmp(relation->name, name) == 0 && strcmp(relation->schema_name, schema_name) == 0)
			continue;
		relation->name = name;
		relation->schema_name = schema_name;
		gl_ledger_relation_put(table->table_id, relation);
		changed = true;
	}
	return changed;
}

static void
gl_tree_check_storage(List *tree)
{
	ListCell   *cell;

	foreach(cell, tree)
	{
		HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(lfirst_oid(cell)));

		if (!HeapTupleIsValid(tuple))
			continue;
		gl_storage_check((Form_pg_class) GETSTRUCT(tuple));
		ReleaseSysCache(tuple);
	}
}

/* A partition that is half detached does not follow its table any more, but belongs to the ledger until it is detached. */
static void
gl_refuse_half_detached(const GlLedgerTable *table, List *tree)
{
	ListCell   *cell;

	foreach(cell, tree)
	{
		Oid			partition = lfirst_oid(cell);

		if (get_rel_relispartition(partition) && PartitionHasPendingDetach(partition))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("columns of ledger table \"%s\" cannot be changed while a partition is being detached",
							((GlLedgerRelation *) linitial(table->relations))->name),
					 errdetail("Partition \"%s\" would keep its columns.", get_rel_name(partition)),
					 errhint("Run ALTER TABLE ... DETACH PARTITION ... FINALIZE first.")));
	}
}

static void
gl_sync_removed(GlLedgerTable *table, List *tree, const char *reason)
{
	ListCell   *cell;

	foreach(cell, table->relations)
	{
		GlLedgerRelation *relation = lfirst(cell);
		Oid			oid = relation->relation;

		if (!OidIsValid(oid) || list_member_oid(tree, oid))
			continue;
		relation->relation = InvalidOid;
		gl_ledger_relation_put(table->table_id, relation);
		if (get_rel_name(oid) != NULL)
			gl_triggers_drop(oid, false);
		CacheInvalidateRelcacheAll();
		gl_schema_record(table, GL_SCHEMA_RELATION_REMOVED, relation->relation_id, reason);
	}
}

void
gl_schema_refuse_attach(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("\"%s\" is a ledger table of its own and cannot become a partition of another", name),
			 errhint("Use govledger.unprotect() on it first.")));
}

static void
gl_sync_added(GlLedgerTable *table, List *tree, const char *reason)
{
	ListCell   *cell;

	foreach(cell, tree)
	{
		Oid			oid = lfirst_oid(cell);
		GlLedgerRelation *relation;
		Relation	opened;
		int			table_id;
		int			relation_id;

		if (gl_ledger_relation_find(oid, &table_id, &relation_id))
		{
			if (table_id != table->table_id)
				gl_schema_refuse_attach(get_rel_name(oid));
			continue;
		}
		opened = table_open(oid, ShareRowExclusiveLock);
		gl_relation_check(opened);
		relation = palloc0(sizeof(GlLedgerRelation));
		relation->relation_id = ((GlLedgerRelation *) llast(table->relations))->relation_id + 1;
		relation->relation = oid;
		relation->schema_name = get_namespace_name(RelationGetNamespace(opened));
		relation->name = pstrdup(RelationGetRelationName(opened));
		table->relations = lappend(table->relations, relation);
		/* keep the lock; DDL refuses to work on a table that is open here */
		table_close(opened, NoLock);
		gl_ledger_relation_put(table->table_id, relation);
		gl_triggers_create(oid, false);
		CacheInvalidateRelcacheByRelid(oid);
		CommandCounterIncrement();
		gl_schema_record(table, GL_SCHEMA_RELATION_ADDED, relation->relation_id, reason);
		gl_genesis(oid);
	}
}

void
gl_schema_lock(int table_id)
{
	LockDatabaseObject(gl_relation_oid(GL_REL_LEDGER_TABLE), table_id, 0, ExclusiveLock);
}

void
gl_schema_sync(int table_id, const char *reason)
{
	GlLedgerTable *table = gl_ledger_table_load(table_id);
	Oid			root = ((GlLedgerRelation *) linitial(table->relations))->relation;
	Relation	relation;
	List	   *tree;
	bool		changed;

	if (table->unprotected || !OidIsValid(root))
		return;

	/*
	 * Two sessions may change different partitions at once. The second waits here until the first has committed, and
	 * only then reads the catalog. The table comes first, as in the command that holds it already.
	 */
	relation = try_table_open(root, AccessShareLock);
	if (relation == NULL)
		return;					/* gone without a record of it: verify says so */
	gl_schema_lock(table_id);
	table = gl_ledger_table_load(table_id);
	gl_relation_check(relation);
	tree = gl_relation_tree(root, NoLock);
	gl_tree_check_storage(tree);
	changed = gl_sync_columns(table, relation);
	if (changed)
		gl_refuse_half_detached(table, tree);
	changed |= gl_sync_names(table);
	if (changed)
	{
		CacheInvalidateRelcacheAll();
		CommandCounterIncrement();
		gl_schema_record(table, GL_SCHEMA_ALTER, 0, reason);
	}
	gl_sync_removed(table, tree, reason);
	gl_sync_added(table, tree, reason);
	gl_key_check(table, relation);
	gl_schema_tell(table, GL_SCHEMA_ALTER, NULL);
	if (changed && table->visibility == GL_VISIBILITY_PUBLIC)
		gl_visibility_apply(table);
	table_close(relation, NoLock);
}
