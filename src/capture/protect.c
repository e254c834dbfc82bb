/*
 * protect.c
 *		govledger.protect(), unprotect(), record_schema() and note().
 */
#include "core/compat.h"

#include <math.h>

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "capture/capture.h"
#include "capture/key.h"
#include "capture/pending.h"
#include "capture/personal.h"
#include "capture/progress.h"
#include "capture/schema.h"
#include "core/catalog.h"
#include "core/version.h"
#include "ledger/state.h"
#include "ledger/table.h"

PG_FUNCTION_INFO_V1(gl_protect);
PG_FUNCTION_INFO_V1(gl_unprotect);
PG_FUNCTION_INFO_V1(gl_record_schema);
PG_FUNCTION_INFO_V1(gl_note);

/* Rough costs for the estimate that protect gives before it starts (see test/bench/README.md). */
#define GL_GENESIS_ROWS_PER_SECOND 400000.0
#define GL_GENESIS_BYTES_PER_SECOND 100e6

/* name[] argument as a List of char * */
static List *
gl_name_list(ArrayType *array)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	List	   *names = NIL;
	int			i;

	deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &elements, &nulls, &count);
	for (i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("column name must not be null")));
		names = lappend(names, pstrdup(NameStr(*DatumGetName(elements[i]))));
	}
	return names;
}

/* --- key --- */

static GlLedgerColumn *
gl_column_by_name(const GlLedgerTable *table, const char *name, const char *argument)
{
	ListCell   *cell;

	foreach(cell, table->columns)
	{
		GlLedgerColumn *column = lfirst(cell);

		if (strcmp(column->name, name) == 0)
			return column;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" in argument \"%s\" does not exist", name, argument)));
	return NULL;				/* not reached */
}

static void
gl_mark_key_column(GlLedgerColumn *column, Relation relation, int ordinal)
{
	if (!TupleDescAttr(RelationGetDescr(relation), column->attribute_number - 1)->attnotnull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("key column \"%s\" can be null", column->name),
				 errhint("Run ALTER TABLE ... ALTER COLUMN ... SET NOT NULL first.")));
	if (column->key_ordinal != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("column \"%s\" appears twice in the key", column->name)));
	column->key_ordinal = ordinal;
}

static void
gl_choose_given_key(GlLedgerTable *table, Relation relation, List *names)
{
	ListCell   *cell;
	int			ordinal = 0;

	if (names == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"key\" names no column"),
				 errhint("Leave it out to use the primary key.")));
	foreach(cell, names)
		gl_mark_key_column(gl_column_by_name(table, lfirst(cell), "key"), relation, ++ordinal);
	if (!gl_key_is_unique(table, relation, NIL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("the key given for \"%s\" is not unique", RelationGetRelationName(relation)),
				 errdetail("There is no unique index over exactly these columns."),
				 errhint("Create a unique index on them first.")));
}

/* Also a deferrable one, which rd_pkindex leaves out. */
static Oid
gl_primary_key(Relation relation)
{
	List	   *indexes = RelationGetIndexList(relation);
	ListCell   *cell;
	Oid			primary = InvalidOid;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index->rd_index->indisprimary && index->rd_index->indisvalid)
			primary = lfirst_oid(cell);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return primary;
}

static void
gl_choose_primary_key(GlLedgerTable *table, Relation relation)
{
	Oid			primary = gl_primary_key(relation);
	Relation	index;
	int			i;

	if (!OidIsValid(primary))
	{
		if (table->append_only)
			return;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("table \"%s\" has no primary key", RelationGetRelationName(relation)),
				 errdetail("The history of a row needs something that identifies the row."),
				 errhint("Add a primary key, name the columns of a unique index in \"key\", or protect it with append_only => true.")));
	}
	index = index_open(primary, AccessShareLock);
	for (i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		ListCell   *cell;

		foreach(cell, table->columns)
		{
			GlLedgerColumn *column = lfirst(cell);

			if (column->attribute_number == index->rd_index->indkey.values[i])
				column->key_ordinal = i + 1;
		}
	}
	index_close(index, AccessShareLock);
}

/* --- protect --- */

static List *
gl_new_columns(Relation relation)
{
	TupleDesc	descriptor = RelationGetDescr(relation);
	List	   *columns = NIL;
	int			i;

	for (i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		GlLedgerColumn *column;

		if (attribute->attisdropped || attribute->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
			continue;
		column = palloc0(sizeof(GlLedgerColumn));
		column->column_id = list_length(columns) + 1;
		column->attribute_number = attribute->attnum;
		column->name = pstrdup(NameStr(attribute->attname));
		column->type_name = gl_column_type_name(attribute);
		columns = lappend(columns, column);
	}
	if (columns == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("table \"%s\" has no columns", RelationGetRelationName(relation))));
	return columns;
}

static List *
gl_new_relations(List *tree)
{
	List	   *relations = NIL;
	ListCell   *cell;

	foreach(cell, tree)
	{
		GlLedgerRelation *relation = palloc0(sizeof(GlLedgerRelation));
		int			table_id;
		int			relation_id;

		relation->relation_id = list_length(relations);
		relation->relation = lfirst_oid(cell);
		relation->name = get_rel_name(relation->relation);
		relation->schema_name = get_namespace_name(get_rel_namespace(relation->relation));
		if (gl_ledger_relation_find(relation->relation, &table_id, &relation_id))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("\"%s\" is already protected", relation->name),
					 errhint("To protect it with other options, use govledger.unprotect() first.")));
		relations = lappend(relations, relation);
	}
	return relations;
}

/* Asked before the lock is taken, so that nobody can lock another's table, and after, when it cannot change any more. */
static void
gl_require_owner(Oid relid)
{
	if (!gl_owns_relation(relid))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
}

static void
gl_check_target(Relation relation)
{
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a database with encoding SQL_ASCII cannot hold a ledger"),
				 errdetail("Its texts have no defined characters, so nobody else could read the log."),
				 errhint("Move the data to a database with encoding UTF8.")));
	gl_relation_check(relation);
	gl_require_owner(RelationGetRelid(relation));
	if (relation->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a partition", RelationGetRelationName(relation)),
				 errhint("Protect the partitioned table it belongs to.")));
	if (relation->rd_rel->relkind == RELKIND_RELATION && has_subclass(RelationGetRelid(relation)) &&
		find_inheritance_children(RelationGetRelid(relation), AccessShareLock) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" has inheritance children", RelationGetRelationName(relation)),
				 errdetail("Rows written to a child would not be captured by the parent."),
				 errhint("Use declarative partitioning, or protect each table by itself.")));
}

/* Before the long part: what is locked, and how much there is to do. */
static void
gl_announce(Relation root, List *tree)
{
	double		rows;
	double		bytes;

	gl_estimate(tree, &rows, &bytes);
	ereport(NOTICE,
			(errmsg("protecting \"%s\": about %.0f rows, about %.0f s", RelationGetRelationName(root), rows,
					rows / GL_GENESIS_ROWS_PER_SECOND + bytes / GL_GENESIS_BYTES_PER_SECOND),
			 errdetail("The table is locked in SHARE ROW EXCLUSIVE mode until commit: reads go on, writes wait. "
					   "The log grows by about %.0f MB.", ceil((bytes * 1.1 + rows * 24) / 1e6))));
}

static void
gl_protect_store(const GlLedgerTable *table)
{
	ListCell   *cell;

	gl_ledger_table_put(table);
	foreach(cell, table->columns)
		gl_ledger_column_put(table->table_id, lfirst(cell));
	foreach(cell, table->relations)
		gl_ledger_relation_put(table->table_id, lfirst(cell));
	foreach(cell, table->relations)
	{
		const GlLedgerRelation *relation = lfirst(cell);

		gl_triggers_create(relation->relation, relation->relation_id == 0);
		CacheInvalidateRelcacheByRelid(relation->relation);
	}
	CommandCounterIncrement();
}

static GlLedgerTable *
gl_protect_options(FunctionCallInfo fcinfo)
{
	GlLedgerTable *table = palloc0(sizeof(GlLedgerTable));

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3) || PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("only the arguments \"key\" and \"history_name\" of govledger.protect() can be null")));
	table->append_only = PG_GETARG_BOOL(1);
	table->visibility = gl_visibility_parse(text_to_cstring(PG_GETARG_TEXT_PP(2)));
	table->history = PG_GETARG_BOOL(5);
	return table;
}

Datum
gl_protect(PG_FUNCTION_ARGS)
{
	GlLedgerTable *table = gl_protect_options(fcinfo);
	Oid			relid = PG_GETARG_OID(0);
	List	   *personal = gl_name_list(PG_GETARG_ARRAYTYPE_P(3));
	Relation	relation;
	List	   *tree;
	ListCell   *cell;

	gl_version_require_current();
	if (get_rel_name(relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	gl_require_owner(relid);
	/* readers of indexes and views cannot be opened as tables, so say what they are before table_open does */
	relation = relation_open(relid, ShareRowExclusiveLock);
	gl_check_target(relation);
	tree = gl_relation_tree(relid, ShareRowExclusiveLock);
	foreach(cell, tree)
	{
		Relation	member = table_open(lfirst_oid(cell), NoLock);

		gl_relation_check(member);
		table_close(member, NoLock);
	}
	gl_ledger_state_create();
	gl_ledger_require_ours(gl_ledger_state());

	table->columns = gl_new_columns(relation);
	foreach(cell, personal)
		gl_column_by_name(table, lfirst(cell), "personal")->personal = true;
	foreach(cell, table->columns)
		gl_personal_check(table, relation, lfirst(cell));
	if (PG_ARGISNULL(4))
		gl_choose_primary_key(table, relation);
	else
		gl_choose_given_key(table, relation, gl_name_list(PG_GETARG_ARRAYTYPE_P(4)));
	table->relations = gl_new_relations(tree);
	table->table_id = gl_ledger_table_next_id();
	gl_announce(relation, tree);
	/* keep the lock; DDL refuses to work on a table that is open here */
	relation_close(relation, NoLock);
	gl_triggers_drop_left_over(tree);
	gl_protect_store(table);
	gl_schema_record(table, GL_SCHEMA_PROTECT, 0, "");
	if (table->visibility == GL_VISIBILITY_PUBLIC)
		gl_visibility_apply(table);
	gl_schema_tell(table, GL_SCHEMA_PROTECT, PG_NARGS() < 7 || PG_ARGISNULL(6) ? NULL : NameStr(*PG_GETARG_NAME(6)));
	foreach(cell, tree)
		gl_genesis(lfirst_oid(cell));
	PG_RETURN_VOID();
}

/* --- unprotect and the rest --- */

GlLedgerTable *
gl_ledger_table_owned(Oid relid)
{
	int			table_id;
	int			relation_id;

	if (!gl_ledger_relation_find(relid, &table_id, &relation_id) || relation_id != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("\"%s\" is not a ledger table", get_rel_name(relid) != NULL ? get_rel_name(relid) : "?"),
				 errhint("See govledger.ledger_relation for those that are.")));
	gl_require_owner(relid);
	return gl_ledger_table_load(table_id);
}

void
gl_require_reason(const char *reason, const char *function)
{
	if (strspn(reason, " \t\r\n") == strlen(reason))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s needs a reason", function),
				 errdetail("The reason is recorded in the log.")));
}

Datum
gl_unprotect(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	char	   *reason = text_to_cstring(PG_GETARG_TEXT_PP(1));
	GlLedgerTable *table;
	ListCell   *cell;

	gl_version_require_current();
	gl_require_reason(reason, "unprotect");
	(void) gl_ledger_table_owned(relid);
	LockRelationOid(relid, AccessExclusiveLock);
	table = gl_ledger_table_owned(relid);
	gl_ledger_require_ours(gl_ledger_state());
	(void) gl_relation_tree(relid, AccessExclusiveLock);
	gl_schema_record(table, GL_SCHEMA_UNPROTECT, 0, reason);
	gl_schema_tell(table, GL_SCHEMA_UNPROTECT, NULL);
	table->unprotected = true;
	gl_ledger_table_put(table);
	if (table->visibility == GL_VISIBILITY_PUBLIC)
		gl_visibility_apply(table);
	foreach(cell, table->relations)
	{
		GlLedgerRelation *member = lfirst(cell);

		if (OidIsValid(member->relation))
		{
			gl_triggers_drop(member->relation, member->relation_id == 0);
			CacheInvalidateRelcacheByRelid(member->relation);
		}
		member->relation = InvalidOid;
		gl_ledger_relation_put(table->table_id, member);
	}
	PG_RETURN_VOID();
}

Datum
gl_record_schema(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	GlLedgerTable *table;

	(void) gl_ledger_table_owned(relid);
	LockRelationOid(relid, ShareRowExclusiveLock);
	table = gl_ledger_table_owned(relid);
	gl_ledger_require_ours(gl_ledger_state());
	gl_schema_sync(table->table_id, "");
	PG_RETURN_VOID();
}

Datum
gl_note(PG_FUNCTION_ARGS)
{
	char	   *note = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *utf8;
	int			length;
	GlBuffer	body;

	utf8 = gl_to_utf8(note, &length);
	gl_ledger_state_create();
	gl_buffer_init(&body, gl_grow);
	gl_buffer_text(&body, utf8, length);
	gl_capture_event(GL_RECORD_NOTE, body.data, body.length);
	PG_RETURN_VOID();
}
