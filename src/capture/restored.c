/*
 * restored.c
 *		Tables that come from a dump: their columns have other numbers, and their triggers may be anything or missing.
 */
#include "capture/schema.h"

#include "access/table.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/reltrigger.h"

#include "capture/capture.h"
#include "core/catalog.h"

/* Does this relation have a trigger of that name, which fires always? */
static bool
gl_trigger_is_always(Relation relation, const char *name)
{
	int			i;

	for (i = 0; relation->trigdesc != NULL && i < relation->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &relation->trigdesc->triggers[i];

		if (strcmp(trigger->tgname, name) == 0)
			return trigger->tgenabled == TRIGGER_FIRES_ALWAYS;
	}
	return false;
}

static bool
gl_triggers_are_there(const List *tree)
{
	bool		there = true;
	ListCell   *cell;

	foreach(cell, tree)
	{
		Relation	relation = table_open(lfirst_oid(cell), NoLock);

		there &= gl_trigger_is_always(relation, GL_ROW_TRIGGER) && gl_trigger_is_always(relation, GL_TRUNCATE_TRIGGER);
		table_close(relation, NoLock);
	}
	return there;
}

void
gl_triggers_drop_left_over(const List *tree)
{
	ListCell   *cell;

	/* the root comes first, and what was cloned from it goes with its trigger */
	foreach(cell, tree)
	{
		bool		row = OidIsValid(get_trigger_oid(lfirst_oid(cell), GL_ROW_TRIGGER, true));

		if (row || OidIsValid(get_trigger_oid(lfirst_oid(cell), GL_TRUNCATE_TRIGGER, true)))
			gl_triggers_drop(lfirst_oid(cell), row);
	}
}

/*
 * A dump without its last section has no triggers, and one restored with --disable-triggers leaves them enabled
 * for ordinary sessions only.
 */
static void
gl_triggers_restore(Oid root)
{
	List	   *tree = gl_relation_tree(root, ShareRowExclusiveLock);
	ListCell   *cell;

	if (gl_triggers_are_there(tree))
		return;
	gl_triggers_drop_left_over(tree);
	foreach(cell, tree)
	{
		gl_triggers_create(lfirst_oid(cell), lfirst_oid(cell) == root);
		CacheInvalidateRelcacheByRelid(lfirst_oid(cell));
	}
	CommandCounterIncrement();
}

/* A dump leaves dropped columns out, so the columns behind them have other numbers. */
static void
gl_columns_number_anew(const GlLedgerTable *table, Oid root)
{
	ListCell   *cell;

	foreach(cell, table->columns)
	{
		GlLedgerColumn *column = lfirst(cell);
		AttrNumber	number = get_attnum(root, column->name);

		if (column->dropped || number == InvalidAttrNumber || number == column->attribute_number)
			continue;
		column->attribute_number = number;
		gl_ledger_column_put(table->table_id, column);
	}
}

void
gl_capture_adopted(void)
{
	List	   *ids = gl_ledger_table_ids();
	ListCell   *cell;

	foreach(cell, ids)
	{
		GlLedgerTable *table = gl_ledger_table_load(lfirst_int(cell));
		Oid			root = ((GlLedgerRelation *) linitial(table->relations))->relation;
		Relation	relation = OidIsValid(root) ? try_table_open(root, ShareRowExclusiveLock) : NULL;

		/* what is not there, verify names */
		if (relation == NULL)
			continue;
		table_close(relation, NoLock);
		gl_columns_number_anew(table, root);
		gl_triggers_restore(root);
		gl_schema_tell(table, GL_SCHEMA_ALTER, NULL);
	}
}
