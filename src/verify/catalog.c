/*
 * catalog.c
 *		What capture depends on in the system catalog, read under the snapshot of the run: are the relations still those that
 *		the ledger knows, and does every partition belong to it?
 */
#include "verify/tables.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* One relation of a table: what pg_class says. */
typedef struct GlClass
{
	bool		exists;
	char	   *name;
	char	   *schema_name;
	char		kind;
	char		persistence;
	bool		has_triggers;
	char	   *shown;			/* quoted and qualified */
} GlClass;

static void
read_class(Snapshot snapshot, Oid relation, GlClass *class)
{
	Relation	heap = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	memset(class, 0, sizeof(*class));
	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(heap, ClassOidIndexId, true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);
		char	   *schema_name = get_namespace_name(form->relnamespace);

		class->exists = true;
		class->name = pstrdup(NameStr(form->relname));
		class->schema_name = schema_name != NULL ? schema_name : pstrdup("?");
		class->kind = form->relkind;
		class->persistence = form->relpersistence;
		class->has_triggers = form->relhastriggers;
		class->shown = quote_qualified_identifier(class->schema_name, class->name);
	}
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
}

static const GlLedgerColumn *
find_column(const GlTable *table, const char *name)
{
	ListCell   *cell;

	foreach(cell, table->ledger->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (!column->dropped && strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

static void
report_column(GlVerify *verify, const GlTable *table, const char *relation, const char *column, const char *logged,
			  const char *found, const char *detail)
{
	GlFinding	finding = {.check = GL_CHECK_CATALOG, .scope = table->name, .object = relation, .leaf = GL_NO_LEAF};

	finding.detail = detail;
	finding.column = column;
	finding.logged = logged;
	finding.found = found;
	gl_report_finding(verify->report, &finding);
}

/* A column that the ledger knows by name; NULL if it does not. */
static const GlLedgerColumn *
check_attribute(GlVerify *verify, GlTable *table, const GlClass *class, Form_pg_attribute attribute)
{
	const GlLedgerColumn *column = find_column(table, NameStr(attribute->attname));
	char	   *type_name = format_type_with_typemod(attribute->atttypid, attribute->atttypmod);

	if (column == NULL)
	{
		/* capture refuses to print such a row, and so must we */
		table->unprintable = true;
		report_column(verify, table, class->shown, NameStr(attribute->attname), NULL, type_name,
					  "the table has a column that the ledger does not know: added or renamed while the event triggers were off");
	}
	else if (strcmp(column->type_name, type_name) != 0)
		report_column(verify, table, class->shown, column->name, column->type_name, type_name,
					  "the column has another type than the ledger knows");
	return column;
}

static void
check_attributes(GlVerify *verify, GlTable *table, Oid relation, const GlClass *class)
{
	Relation	heap = table_open(AttributeRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *seen = NIL;
	ListCell   *cell;

	ScanKeyInit(&keys[0], Anum_pg_attribute_attrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	ScanKeyInit(&keys[1], Anum_pg_attribute_attnum, BTGreaterStrategyNumber, F_INT2GT, Int16GetDatum(0));
	scan = systable_beginscan(heap, AttributeRelidNumIndexId, true, verify->snapshot, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_attribute attribute = (Form_pg_attribute) GETSTRUCT(tuple);

		if (!attribute->attisdropped && attribute->attgenerated != ATTRIBUTE_GENERATED_VIRTUAL)
			seen = lappend(seen, unconstify(GlLedgerColumn *, check_attribute(verify, table, class, attribute)));
	}
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
	foreach(cell, table->ledger->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (!column->dropped && !list_member_ptr(seen, column))
			report_column(verify, table, class->shown, column->name, column->type_name, NULL,
						  "a column that the ledger knows is not in the table");
	}
}

static void
check_relation(GlVerify *verify, GlTable *table, const GlLedgerRelation *relation)
{
	const char *known = quote_qualified_identifier(relation->schema_name, relation->name);
	GlClass		class;

	read_class(verify->snapshot, relation->relation, &class);
	if (!class.exists)
	{
		table->unprintable = true;
		report_column(verify, table, known, NULL, NULL, NULL, "the relation is gone without a record of it");
		return;
	}
	if (class.kind != RELKIND_RELATION && class.kind != RELKIND_PARTITIONED_TABLE)
	{
		table->unprintable = true;
		report_column(verify, table, known, NULL, NULL, class.shown, "the relation is no table any more");
		return;
	}
	if (strcmp(class.name, relation->name) != 0 || strcmp(class.schema_name, relation->schema_name) != 0)
		report_column(verify, table, known, NULL, known, class.shown,
					  "the relation has another name than the ledger knows: renamed while the event triggers were off");
	if (class.persistence != RELPERSISTENCE_PERMANENT)
		report_column(verify, table, class.shown, NULL, "logged", "unlogged", "the relation does not survive a crash");
	if (!class.has_triggers)
		gl_report_object(verify->report, GL_CHECK_TRIGGER, class.shown,
						 "pg_class says the relation has no triggers, so none fires");
	check_attributes(verify, table, relation->relation, &class);
	gl_triggers_check(verify, table, relation->relation, class.shown);
	gl_report_pass(verify->report, GL_CHECK_TRIGGER, class.shown, class.shown, "both triggers of govledger are in force");
}

static bool
is_known(const GlTable *table, Oid oid)
{
	ListCell   *cell;

	foreach(cell, table->ledger->relations)
		if (((const GlLedgerRelation *) lfirst(cell))->relation == oid)
			return true;
	return false;
}

/* Partitions: every one below the root is in the ledger, and every one in the ledger is below the root. */
static void
check_tree(GlVerify *verify, const GlTable *table, const GlLedgerRelation *root)
{
	List	   *tree = gl_inheritance_tree(verify->snapshot, root->relation);
	ListCell   *cell;
	GlClass		class;

	foreach(cell, tree)
	{
		if (is_known(table, lfirst_oid(cell)))
			continue;
		read_class(verify->snapshot, lfirst_oid(cell), &class);
		report_column(verify, table, class.exists ? class.shown : "?", NULL, NULL, class.shown,
					  "the partition is not in the ledger: it escaped while the event triggers were off");
	}
	foreach(cell, table->ledger->relations)
	{
		const GlLedgerRelation *relation = lfirst(cell);

		if (OidIsValid(relation->relation) && !list_member_oid(tree, relation->relation))
			report_column(verify, table, quote_qualified_identifier(relation->schema_name, relation->name), NULL, NULL,
						  NULL, "it is no partition of the table any more: detached while the event triggers were off");
	}
}

static void
check_table(GlVerify *verify, GlTable *table)
{
	ListCell   *cell;
	bool		has_root = false;
	int			count = 0;

	foreach(cell, table->ledger->relations)
	{
		const GlLedgerRelation *relation = lfirst(cell);

		if (!OidIsValid(relation->relation))
			continue;
		count++;
		check_relation(verify, table, relation);
		if (relation->relation_id == 0 && !table->unprintable)
		{
			has_root = true;
			check_tree(verify, table, relation);
		}
	}
	if (!has_root && !table->unprintable)
	{
		table->unprintable = true;
		gl_report_object(verify->report, GL_CHECK_CATALOG, table->name, "the table is missing in ledger_relation");
	}
	gl_report_pass(verify->report, GL_CHECK_CATALOG, table->name, table->name,
				   "%d relations and their columns are those of the log", count);
}

void
gl_catalog_check(GlVerify *verify)
{
	ListCell   *cell;

	foreach(cell, gl_tables_list(verify->tables))
	{
		GlTable    *table = lfirst(cell);

		if (table->wanted && !table->ended)
			check_table(verify, table);
	}
	gl_functions_check(verify);
}
