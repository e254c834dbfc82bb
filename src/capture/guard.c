/*
 * guard.c
 *		Honest mistakes against a ledger: drops, and commands for which no event trigger fires; see guard.h.
 */
#include "capture/guard.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_event_trigger.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "capture/intact.h"
#include "capture/schema.h"
#include "core/catalog.h"
#include "core/utility.h"
#include "ledger/table.h"

static bool gl_setting_guards = true;
static object_access_hook_type gl_next_object_access = NULL;

bool
gl_guards_wanted(void)
{
	/* not for our own install and update scripts */
	return gl_setting_guards && !(creating_extension && CurrentExtensionObject == gl_extension_oid());
}

bool
gl_guards_on(void)
{
	return !gl_schema_busy && !IsBinaryUpgrade && gl_is_installed() && gl_guards_wanted() && !gl_nothing_to_follow();
}

/* --- the extension and its event triggers --- */

static void
gl_refuse_drop_extension(void)
{
	int			count = list_length(gl_ledger_table_ids());

	if (count > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop extension \"%s\" while it protects tables", "govledger"),
				 errdetail_plural("Changes of %d table would no longer be recorded, and the log would be gone.",
								  "Changes of %d tables would no longer be recorded, and the log would be gone.", count, count),
				 errhint("Keep a dump of this database. Then use govledger.unprotect(table, reason) for each table that "
						 "govledger.ledger_relation names.")));
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot drop extension \"%s\": its log would go with it", "govledger"),
			 errdetail("Nobody could check any more what the log proved."),
			 errhint("To install another version, use ALTER EXTENSION govledger UPDATE. To lose the log, keep a dump of this "
					 "database, then SET govledger.guards = off and drop the extension in that session.")));
}

/* Whoever owns the table that says which ledger this is also owns the extension: its script made both. */
static Oid
gl_extension_owner(void)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(gl_relation_oid(GL_REL_LEDGER)));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

static bool
gl_names_extension(const DropStmt *command)
{
	ListCell   *cell;

	foreach(cell, command->objects)
		if (strcmp(strVal(lfirst(cell)), "govledger") == 0)
			return true;
	return false;
}

static bool
gl_names_extension_owner(const DropOwnedStmt *command)
{
	Oid			owner = gl_extension_owner();
	ListCell   *cell;

	foreach(cell, command->roles)
		if (get_rolespec_oid(lfirst(cell), true) == owner)
			return true;
	return false;
}

static void
gl_guard_event_trigger(const char *name)
{
	Oid			event_trigger = get_event_trigger_oid(name, true);

	if (!OidIsValid(event_trigger) || !gl_belongs_to_extension(EventTriggerRelationId, event_trigger))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot alter event trigger \"%s\", which the ledger stands on", name),
			 errdetail("Without it, schema changes of ledger tables would escape the log."),
			 errhint("ALTER EVENT TRIGGER ... ENABLE ALWAYS is allowed. Commands that must not be recorded need "
					 "govledger.unprotect(table, reason) first.")));
}

/*
 * A ledger table as a partition of another table: PostgreSQL would stumble over the name of our trigger and not say what to
 * do.
 */
static void
gl_guard_attach(const AlterTableStmt *command)
{
	ListCell   *cell;

	foreach(cell, command->cmds)
	{
		const AlterTableCmd *part = lfirst(cell);
		Oid			partition;
		int			table_id;
		int			relation_id;

		if (part->subtype != AT_AttachPartition || !gl_guards_on())
			continue;
		partition = RangeVarGetRelid(((const PartitionCmd *) part->def)->name, NoLock, true);
		if (OidIsValid(partition) && gl_ledger_relation_find(partition, &table_id, &relation_id) && relation_id == 0)
			gl_schema_refuse_attach(get_rel_name(partition));
	}
}

/* The event trigger that the command alters; NULL if it alters none, or mends one. */
static const char *
gl_altered_event_trigger(const Node *command)
{
	switch (nodeTag(command))
	{
		case T_AlterEventTrigStmt:
			if (((const AlterEventTrigStmt *) command)->tgenabled == TRIGGER_FIRES_ALWAYS)
				return NULL;
			return ((const AlterEventTrigStmt *) command)->trigname;
		case T_RenameStmt:
			return ((const RenameStmt *) command)->renameType == OBJECT_EVENT_TRIGGER ?
				strVal(((const RenameStmt *) command)->object) : NULL;
		case T_AlterOwnerStmt:
			return ((const AlterOwnerStmt *) command)->objectType == OBJECT_EVENT_TRIGGER ?
				strVal(((const AlterOwnerStmt *) command)->object) : NULL;
		default:
			return NULL;
	}
}

/* After it nothing of ours would be found any more, so here and not with the other members of the extension. */
static bool
gl_renames_schema(const Node *command)
{
	return IsA(command, RenameStmt) && ((const RenameStmt *) command)->renameType == OBJECT_SCHEMA &&
		strcmp(((const RenameStmt *) command)->subname, GL_SCHEMA) == 0;
}

/*
 * A relation of ours under another name or in another schema: after it we might not find what the guards stand on, so
 * here, too. Event triggers run with another search_path, so there only a qualified name is found.
 */
static void
gl_guard_moved_relation(const RangeVar *name)
{
	Oid			relation = RangeVarGetRelid(name, NoLock, true);
	ObjectAddress address;

	if (!OidIsValid(relation) || get_rel_namespace(relation) != get_namespace_oid(GL_SCHEMA, true))
		return;
	ObjectAddressSet(address, RelationRelationId, relation);
	gl_guard_refuse_member(getObjectDescription(&address, false), get_rel_relkind(relation) == RELKIND_RELATION);
}

void
gl_guard_refuse_member(const char *what, bool is_table)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot alter %s, which the ledger stands on", what),
			 errdetail("Changes might no longer be recorded, or not be verified."),
			 is_table ?
			 errhint("Storage parameters, statistics and tablespaces may be set. All else changes with ALTER EXTENSION govledger UPDATE.") :
			 errhint("It changes with ALTER EXTENSION govledger UPDATE.")));
}

void
gl_guard_command(const Node *command)
{
	const char *event_trigger;

	switch (nodeTag(command))
	{
		case T_DropStmt:
			if (((const DropStmt *) command)->removeType == OBJECT_EXTENSION &&
				gl_names_extension((const DropStmt *) command) && gl_guards_on())
				gl_refuse_drop_extension();
			break;
		case T_DropOwnedStmt:
			if (gl_guards_on() && gl_names_extension_owner((const DropOwnedStmt *) command))
				gl_refuse_drop_extension();
			break;
		case T_AlterObjectSchemaStmt:
			if (((const AlterObjectSchemaStmt *) command)->relation != NULL && gl_guards_on())
				gl_guard_moved_relation(((const AlterObjectSchemaStmt *) command)->relation);
			break;
		case T_AlterTableStmt:
			gl_guard_attach((const AlterTableStmt *) command);
			break;
		case T_AlterEventTrigStmt:
		case T_RenameStmt:
		case T_AlterOwnerStmt:
			if (IsA(command, RenameStmt) && ((const RenameStmt *) command)->relation != NULL && gl_guards_on())
				gl_guard_moved_relation(((const RenameStmt *) command)->relation);
			if (gl_renames_schema(command) && gl_guards_on())
				gl_guard_refuse_member("schema " GL_SCHEMA, false);
			event_trigger = gl_altered_event_trigger(command);
			if (event_trigger != NULL && gl_guards_on())
				gl_guard_event_trigger(event_trigger);
			break;
		default:
			break;
	}
}

/* --- tables and triggers --- */

void
gl_guard_dropped_relation(Oid relation)
{
	int			table_id;
	int			relation_id;
	GlLedgerRelation *root;

	if (!gl_ledger_relation_find(relation, &table_id, &relation_id) || relation_id != 0)
		return;
	root = linitial(gl_ledger_table_load(table_id)->relations);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot drop ledger table \"%s\"", root->name),
			 errdetail("Its rows would go without a record of it."),
			 errhint("Use govledger.unprotect(table, reason) first: the log keeps what was recorded.")));
}

void
gl_guard_dropped_trigger(const List *names)
{
	Oid			schema;
	Oid			relation;
	int			table_id;
	int			relation_id;

	if (list_length(names) != 3 || !gl_trigger_is_own_name(llast(names)))
		return;
	schema = get_namespace_oid(linitial(names), true);
	relation = OidIsValid(schema) ? get_relname_relid(lsecond(names), schema) : InvalidOid;
	if (!OidIsValid(relation) || !gl_ledger_relation_find(relation, &table_id, &relation_id))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot drop trigger \"%s\" of ledger table \"%s\"", (char *) llast(names), (char *) lsecond(names)),
			 errdetail("Changes of the table would escape the log."),
			 errhint("Use govledger.unprotect(table, reason): the log keeps what was recorded.")));
}

/* The tables of the log cannot be dropped, for they belong to the extension; their indexes do not. */
void
gl_guard_dropped_index(const char *schema, const char *name)
{
	if (strcmp(schema, GL_SCHEMA) != 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot drop index \"%s.%s\", which the ledger stands on", schema, name),
			 errdetail("Nothing could be recorded or verified without it."),
			 errhint("To mend a damaged index, use REINDEX.")));
}

/* What TRUNCATE removes from the log no event trigger sees, so it takes the hook. */
static void
gl_guard_truncate(Oid relation)
{
	if (!gl_guards_on() || !gl_belongs_to_extension(RelationRelationId, relation))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot truncate \"%s.%s\": it belongs to the ledger", GL_SCHEMA, get_rel_name(relation)),
			 errdetail("The log is only ever added to."),
			 errhint("To end a ledger, use govledger.unprotect(table, reason) for its tables, then drop the extension.")));
}

/*
 * Tables, and indexes of the log, that are dropped where no event trigger fires: in a single-user session, or when they are
 * off. Temporary tables are passed by, and so is what the server drops for its own purposes.
 */
static void
gl_guard_drop(Oid relation, int flags)
{
	char		kind;

	if ((flags & PERFORM_DELETION_INTERNAL) != 0)
		return;
	kind = get_rel_relkind(relation);
	if (kind == RELKIND_INDEX && get_rel_namespace(relation) == get_namespace_oid(GL_SCHEMA, true) && gl_guards_on())
		gl_guard_dropped_index(GL_SCHEMA, get_rel_name(relation));
	if ((kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) ||
		get_rel_persistence(relation) == RELPERSISTENCE_TEMP || !gl_guards_on())
		return;
	gl_guard_dropped_relation(relation);
}

static void
gl_object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *argument)
{
	if (gl_next_object_access != NULL)
		gl_next_object_access(access, class_id, object_id, sub_id, argument);
	if (class_id != RelationRelationId || sub_id != 0)
		return;
	switch (access)
	{
		case OAT_DROP:
			gl_guard_drop(object_id, ((const ObjectAccessDrop *) argument)->dropflags);
			break;
		case OAT_TRUNCATE:
			gl_guard_truncate(object_id);
			break;
		default:
			break;
	}
}

void
gl_guard_init(void)
{
	static const GlUtilityHooks hooks = {.before = gl_guard_command};

	DefineCustomBoolVariable( /* name= */ "govledger.guards",
							 /* short_desc= */ "Refuses commands that would take a ledger away or blind it.",
							 /* long_desc= */ "A superuser may switch it off for a session; verify names what was done then.",
							 /* valueAddr= */ &gl_setting_guards, /* bootValue= */ true,
							 PGC_SUSET, GUC_DISALLOW_IN_FILE, NULL, NULL, NULL);
	gl_utility_register(&hooks);
	gl_next_object_access = object_access_hook;
	object_access_hook = gl_object_access;
}
