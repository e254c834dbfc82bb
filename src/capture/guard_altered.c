/*
 * guard_altered.c
 *		Honest mistakes against a ledger: what a command created or altered; see guard.h.
 *
 * The state after the command is looked at, not the text of the command: whichever of its many forms was used, and
 * however deep in a function, the triggers of a ledger table are then what they must be or not, and a member of the
 * extension was touched or not. What the command did is rolled back with the error.
 */
#include "capture/guard.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "nodes/parsenodes.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "capture/intact.h"
#include "core/catalog.h"
#include "ledger/table.h"

/* Objects that are part of a table, and the column of their catalog that says of which. */
typedef struct GlPart
{
	Oid			class_id;
	Oid			index;			/* by oid */
	AttrNumber	table;
} GlPart;

static const GlPart gl_parts[] = {
	{TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_tgrelid},
	{RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_ev_class},
	{PolicyRelationId, PolicyOidIndexId, Anum_pg_policy_polrelid},
	{ConstraintRelationId, ConstraintOidIndexId, Anum_pg_constraint_conrelid},
};

static Oid
gl_table_of_part(const GlPart *part, Oid object_id)
{
	Relation	catalog = table_open(part->class_id, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			table = InvalidOid;

	/* the oid is the first column of every catalog */
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object_id));
	scan = systable_beginscan(catalog, part->index, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

		table = DatumGetObjectId(heap_getattr(tuple, part->table, RelationGetDescr(catalog), &isnull));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return table;
}

/*
 * The table that an object is or is a part of, or InvalidOid. Not by the name in the command: event triggers run with
 * another search_path.
 */
static Oid
gl_table_behind(Oid class_id, Oid object_id)
{
	char		kind;
	int			i;

	for (i = 0; i < (int) lengthof(gl_parts); i++)
		if (gl_parts[i].class_id == class_id)
			return gl_table_of_part(&gl_parts[i], object_id);
	if (class_id != RelationRelationId)
		return InvalidOid;
	kind = get_rel_relkind(object_id);
	return kind == RELKIND_INDEX || kind == RELKIND_PARTITIONED_INDEX ? IndexGetRelation(object_id, true) : object_id;
}

/* --- members of the extension --- */

/* How a table of the log is stored and planned for is the business of whoever runs the server. */
static bool
gl_is_storage_subcommand(AlterTableType type)
{
	switch (type)
	{
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
		case AT_SetTableSpace:
		case AT_SetStatistics:
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_ClusterOn:
		case AT_DropCluster:
		/* pg_restore --disable-triggers; the log tables have none but those of foreign keys */
		case AT_DisableTrigAll:
		case AT_EnableTrigAll:
			return true;
		default:
			return false;
	}
}

/* Commands that leave the members of an extension what they are. */
static bool
gl_is_harmless_to_members(const Node *command)
{
	ListCell   *cell;

	switch (nodeTag(command))
	{
		case T_CommentStmt:
		case T_SecLabelStmt:
		case T_GrantStmt:
		case T_ReindexStmt:
		case T_ClusterStmt:
		case T_CreateStatsStmt:
		case T_AlterTableMoveAllStmt:
		case T_CreateExtensionStmt:
		case T_AlterExtensionStmt:
			return true;
		case T_AlterTableStmt:
			foreach(cell, ((const AlterTableStmt *) command)->cmds)
				if (!gl_is_storage_subcommand(((const AlterTableCmd *) lfirst(cell))->subtype))
					return false;
			return true;
		default:
			return false;
	}
}

/* What the command calls the function, say, that it renames or moves; NULL if it does neither. Relations: see guard.c. */
static char *
gl_old_name(const Node *command)
{
	const Node *object = NULL;
	const char *name = NULL;

	if (IsA(command, RenameStmt))
	{
		object = ((const RenameStmt *) command)->object;
		name = ((const RenameStmt *) command)->subname;
	}
	else if (IsA(command, AlterObjectSchemaStmt))
		object = ((const AlterObjectSchemaStmt *) command)->object;
	if (object != NULL && IsA(object, ObjectWithArgs))
		return NameListToString(((const ObjectWithArgs *) object)->objname);
	return name != NULL ? pstrdup(name) : NULL;
}

static void
gl_guard_member(const Node *command, Oid class_id, Oid object_id, Oid table)
{
	ObjectAddress address;
	char	   *name;

	if (gl_is_harmless_to_members(command))
		return;
	/* the object of ALTER EXTENSION ... ADD and DROP */
	if (class_id == ExtensionRelationId && object_id == gl_extension_oid())
		gl_guard_refuse_member("contents of extension govledger", false);
	if (OidIsValid(table) ? !gl_belongs_to_extension(RelationRelationId, table) :
		!gl_belongs_to_extension(class_id, object_id))
		return;
	ObjectAddressSet(address, class_id, object_id);
	name = gl_old_name(command);
	if (name != NULL)
		name = psprintf("%s %s", getObjectTypeDescription(&address, false), name);
	else
	{
		/* an index or a trigger that was added is not of the ledger; its table is */
		if (OidIsValid(table))
			ObjectAddressSet(address, RelationRelationId, table);
		name = getObjectDescription(&address, false);
	}
	gl_guard_refuse_member(name, address.classId == RelationRelationId && get_rel_relkind(table) == RELKIND_RELATION);
}

/* A child's rows would be read as rows of the log. */
static void
gl_guard_log_inheritance(void)
{
	int			i;

	for (i = 0; i <= GL_REL_SIGNING_KEY; i++)
	{
		/* before ALTER EXTENSION UPDATE, the newest are not there */
		Oid			relation = gl_relation_oid_if_there(i);

		if (OidIsValid(relation) && find_inheritance_children(relation, NoLock) != NIL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table \"%s.%s\" cannot have inheritance children: it belongs to the ledger",
							GL_SCHEMA, get_rel_name(relation)),
					 errdetail("Rows of a child would be read as rows of the log."),
					 errhint("Use CREATE TABLE ... (LIKE ...).")));
	}
}

/* --- triggers of ledger tables --- */

static bool
gl_is_trigger_subcommand(AlterTableType type)
{
	switch (type)
	{
		/* not ENABLE ALWAYS: it can only mend, one trigger at a time */
		case AT_EnableTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
		case AT_EnableTrigAll:
		case AT_DisableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrigUser:
			return true;
		default:
			return false;
	}
}

/*
 * May the command have changed a trigger of ours? Other commands are not looked at, so that a table whose triggers were
 * tampered with can still be worked on.
 */
static bool
gl_concerns_triggers(const Node *command)
{
	ListCell   *cell;

	switch (nodeTag(command))
	{
		case T_AlterTableStmt:
			foreach(cell, ((const AlterTableStmt *) command)->cmds)
				if (gl_is_trigger_subcommand(((const AlterTableCmd *) lfirst(cell))->subtype))
					return true;
			return false;
		case T_RenameStmt:
			return ((const RenameStmt *) command)->renameType == OBJECT_TRIGGER &&
				gl_trigger_is_own_name(((const RenameStmt *) command)->subname);
		case T_CreateTrigStmt:
			return gl_trigger_is_own_name(((const CreateTrigStmt *) command)->trigname);
		default:
			return false;
	}
}

static void
gl_guard_triggers(int table_id)
{
	ListCell   *cell;
	int			i;

	foreach(cell, gl_ledger_table_load(table_id)->relations)
	{
		const GlLedgerRelation *relation = lfirst(cell);

		for (i = 0; i < GL_TRIGGER_COUNT && OidIsValid(relation->relation); i++)
		{
			const char *problem = gl_trigger_problem(NULL, relation->relation, i);

			if (problem != NULL)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("trigger \"%s\" of ledger table \"%s\" must stay as it is", gl_trigger_name(i), relation->name),
						 errdetail("Changes of the table would escape the log: %s.", problem),
						 errhint("Enable or disable other triggers by name. To stop recording, use "
								 "govledger.unprotect(table, reason).")));
		}
	}
}

/*
 * Names that begin like those of our triggers are for triggers that call our functions: protect() and ATTACH PARTITION need
 * them free. A dump brings such triggers along with its tables.
 */
static void
gl_guard_trigger_name(Oid trigger)
{
	Relation	catalog = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
	scan = systable_beginscan(catalog, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		if (strncmp(NameStr(form->tgname), GL_ROW_TRIGGER, strlen(GL_ROW_TRIGGER)) == 0 &&
			!gl_belongs_to_extension(ProcedureRelationId, form->tgfoid))
			ereport(ERROR,
					(errcode(ERRCODE_RESERVED_NAME),
					 errmsg("trigger name \"%s\" is reserved", NameStr(form->tgname)),
					 errdetail("Triggers with such names record the changes of ledger tables."),
					 errhint("Give the trigger another name.")));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

void
gl_guard_altered(const Node *command, Oid class_id, Oid object_id)
{
	Oid			table = gl_table_behind(class_id, object_id);
	int			table_id;
	int			relation_id;

	gl_guard_member(command, class_id, object_id, table);
	if (class_id == TriggerRelationId)
		gl_guard_trigger_name(object_id);
	if (class_id == RelationRelationId && has_superclass(object_id))
		gl_guard_log_inheritance();
	if (OidIsValid(table) && gl_concerns_triggers(command) && gl_ledger_relation_find(table, &table_id, &relation_id))
		gl_guard_triggers(table_id);
}
