/*
 * ddl.c
 *		What is kept between the beginning and the end of a command; see ddl.h.
 */
#include "capture/ddl.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/tablecmds.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "capture/change.h"
#include "capture/key.h"
#include "capture/progress.h"
#include "capture/schema.h"
#include "capture/spool.h"
#include "capture/users.h"
#include "core/xact.h"
#include "ledger/table.h"

/* Rough costs of reading, sorting and comparing twice, for the estimate given before (see README.md). */
#define GL_COMPARE_ROWS_PER_SECOND 250000.0
#define GL_COMPARE_BYTES_PER_SECOND 60e6

/* A command that is running. */
typedef struct GlDdl
{
	struct GlDdl *outer;
	const Node *command;
	int			nest_level;
	MemoryContext memory;
	List	   *relations;		/* Oids of ledger relations that were taken care of */
	List	   *spooled;		/* those whose rows are in the spool */
	GlSpool    *spool;
} GlDdl;

static GlDdl *gl_ddl = NULL;

static GlDdl *
gl_ddl_find(const Node *command)
{
	GlDdl	   *ddl = gl_ddl;

	while (ddl != NULL && ddl->command != command)
		ddl = ddl->outer;
	return ddl;
}

/* The state of the command that begins; made at the first relation that needs it. */
static GlDdl *
gl_ddl_of(const Node *command)
{
	MemoryContext memory;
	GlDdl	   *ddl = gl_ddl_find(command);

	if (ddl != NULL)
		return ddl;
	memory = AllocSetContextCreate(CurTransactionContext, "govledger command", ALLOCSET_DEFAULT_SIZES);
	ddl = MemoryContextAllocZero(memory, sizeof(GlDdl));
	ddl->memory = memory;
	ddl->outer = gl_ddl;
	ddl->command = command;
	ddl->nest_level = GetCurrentTransactionNestLevel();
	gl_ddl = ddl;
	return ddl;
}

static bool
gl_is_ledger_relation(Oid relation)
{
	int			table_id;
	int			relation_id;

	return gl_ledger_relation_find(relation, &table_id, &relation_id);
}

static void
gl_cover(const Node *command, Oid relation, bool spool)
{
	GlDdl	   *ddl = gl_ddl_of(command);
	MemoryContext old = MemoryContextSwitchTo(ddl->memory);

	ddl->relations = list_append_unique_oid(ddl->relations, relation);
	if (spool && get_rel_relkind(relation) == RELKIND_RELATION)
		ddl->spooled = list_append_unique_oid(ddl->spooled, relation);
	MemoryContextSwitchTo(old);
}

/*
 * Ledger relations whose rows contain this type. The command locks none of them, but until it commits writers would record the old
 * form, and verify, here or on a standby, would read the new form of rows with a snapshot of the log from before. A table
 * that is only now being protected, or given a column of the type, is waited for (gl_type_check).
 */
static void
gl_cover_users(const Node *command, Oid type)
{
	List	   *users = gl_type_users(type);
	ListCell   *cell;

	/* the row type of a table that nobody uses: there are many, so spare the lock */
	if (users == NIL && IsA(command, AlterTableStmt) && ((const AlterTableStmt *) command)->objtype == OBJECT_TABLE)
		return;
	LockDatabaseObject(TypeRelationId, type, 0, AccessExclusiveLock);
	users = gl_type_users(type);
	foreach(cell, users)
	{
		Oid			user = lfirst_oid(cell);

		if (!gl_is_ledger_relation(user))
			continue;
		LockRelationOid(user, AccessExclusiveLock);
		if (gl_is_ledger_relation(user))
			gl_cover(command, user, true);
	}
}

/* --- the commands --- */

static void
gl_begin_alter_table(const AlterTableStmt *command)
{
	LOCKMODE	lockmode;
	Oid			relid;
	List	   *tree;
	ListCell   *cell;
	bool		values;

	if (!gl_change_of_columns(command))
		return;
	lockmode = AlterTableGetLockLevel(command->cmds);
	relid = RangeVarGetRelidExtended(command->relation, lockmode, RVR_MISSING_OK, RangeVarCallbackOwnsRelation, NULL);
	if (!OidIsValid(relid))
		return;
	values = gl_change_of_values(command, relid);
	tree = command->relation->inh ? find_all_inheritors(relid, lockmode, NULL) : list_make1_oid(relid);
	foreach(cell, tree)
	{
		Oid			member = lfirst_oid(cell);

		if (gl_is_ledger_relation(member))
			gl_cover((const Node *) command, member, values);
		if (OidIsValid(get_rel_type_id(member)))
			gl_cover_users((const Node *) command, get_rel_type_id(member));
	}
}

static void
gl_begin_type(const Node *command, const TypeName *name)
{
	Oid			type = LookupTypeNameOid(NULL, name, true);

	/* if it is another's, the command says so */
	if (OidIsValid(type) && gl_owns_type(type))
		gl_cover_users(command, type);
}

static void
gl_begin_drop(const DropStmt *command)
{
	List	   *indexes = NIL;
	ListCell   *cell;

	foreach(cell, command->objects)
	{
		if ((command->removeType == OBJECT_TYPE || command->removeType == OBJECT_DOMAIN) &&
			command->behavior == DROP_CASCADE)
			gl_begin_type((const Node *) command, lfirst_node(TypeName, cell));
		if (command->removeType == OBJECT_INDEX)
			indexes = lappend_oid(indexes, RangeVarGetRelid(makeRangeVarFromNameList(lfirst(cell)), NoLock, true));
	}
	gl_key_check_drop(indexes);
}

/* Columns that are added to a view are added to its row type. */
static void
gl_begin_view(const ViewStmt *command)
{
	Oid			view = command->replace ? RangeVarGetRelid(command->view, NoLock, true) : InvalidOid;

	if (OidIsValid(view) && gl_owns_relation(view) && OidIsValid(get_rel_type_id(view)))
		gl_cover_users((const Node *) command, get_rel_type_id(view));
}

/* --- begin and end --- */

/* The spooled relations of one ledger table. */
static List *
gl_spooled_of(const GlDdl *ddl, int table_id)
{
	List	   *relations = NIL;
	ListCell   *cell;

	foreach(cell, ddl->spooled)
	{
		int			found_id;
		int			relation_id;

		if (gl_ledger_relation_find(lfirst_oid(cell), &found_id, &relation_id) && found_id == table_id)
			relations = lappend_oid(relations, lfirst_oid(cell));
	}
	return relations;
}

/* Before the long part: what is locked, and how much there is to do. */
static void
gl_announce(const GlDdl *ddl)
{
	List	   *ids = gl_ddl_tables(ddl->command);
	ListCell   *cell;

	foreach(cell, ids)
	{
		const GlLedgerTable *table = gl_ledger_table_load(lfirst_int(cell));
		List	   *relations = gl_spooled_of(ddl, table->table_id);
		double		rows;
		double		bytes;

		if (relations == NIL)
			continue;
		gl_estimate(relations, &rows, &bytes);
		ereport(NOTICE,
				(errmsg("comparing \"%s\" before and after %s: about %.0f rows, about %.0f s",
						((const GlLedgerRelation *) linitial(table->relations))->name,
						CreateCommandName(unconstify(Node *, ddl->command)), rows,
						rows / GL_COMPARE_ROWS_PER_SECOND + bytes / GL_COMPARE_BYTES_PER_SECOND),
				 errdetail("The table is locked in ACCESS EXCLUSIVE mode until commit: reads and writes wait. "
						   "Each row that changes is recorded.")));
	}
}

void
gl_ddl_refuse_change(Oid relation)
{
	const GlDdl *ddl;

	for (ddl = gl_ddl; ddl != NULL; ddl = ddl->outer)
		if (ddl->spool != NULL && list_member_oid(ddl->spooled, relation))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("ledger table \"%s\" cannot be changed while %s compares it", get_rel_name(relation),
							CreateCommandName(unconstify(Node *, ddl->command))),
					 errdetail("The change would be recorded twice."),
					 errhint("An event trigger can change it after the command, if its name sorts after \"govledger_ddl_command_end\".")));
}

/* Rows whose triggers have not fired yet would be recorded twice, or in a form that they never had. */
static void
gl_check_not_in_use(const GlDdl *ddl)
{
	ListCell   *cell;

	foreach(cell, ddl->spooled)
	{
		Relation	relation = table_open(lfirst_oid(cell), NoLock);

		gl_ddl_refuse_change(lfirst_oid(cell));
		CheckTableNotInUse(relation, CreateCommandName(unconstify(Node *, ddl->command)));
		table_close(relation, NoLock);
	}
}

static void
gl_spool_before(GlDdl *ddl)
{
	MemoryContext old = MemoryContextSwitchTo(ddl->memory);
	ListCell   *cell;

	gl_check_not_in_use(ddl);
	gl_announce(ddl);
	ddl->spool = gl_spool_open();
	foreach(cell, ddl->spooled)
		gl_spool_add(ddl->spool, lfirst_oid(cell));
	MemoryContextSwitchTo(old);
}

void
gl_ddl_begin(const Node *command)
{
	GlDdl	   *ddl;

	switch (nodeTag(command))
	{
		case T_AlterTableStmt:
			gl_begin_alter_table((const AlterTableStmt *) command);
			break;
		case T_AlterEnumStmt:
			if (((const AlterEnumStmt *) command)->oldVal != NULL)
				gl_begin_type(command, makeTypeNameFromNameList(((const AlterEnumStmt *) command)->typeName));
			break;
		case T_DropStmt:
			gl_begin_drop((const DropStmt *) command);
			break;
		case T_ViewStmt:
			gl_begin_view((const ViewStmt *) command);
			break;
		default:
			break;
	}
	ddl = gl_ddl_find(command);
	if (ddl != NULL && ddl->spooled != NIL)
		gl_spool_before(ddl);
}

bool
gl_ddl_covers(Oid relation)
{
	return gl_ddl != NULL && list_member_oid(gl_ddl->relations, relation);
}

List *
gl_ddl_tables(const Node *command)
{
	const GlDdl *ddl = gl_ddl_find(command);
	List	   *ids = NIL;
	ListCell   *cell;

	foreach(cell, ddl != NULL ? ddl->relations : NIL)
	{
		int			table_id;
		int			relation_id;

		if (gl_ledger_relation_find(lfirst_oid(cell), &table_id, &relation_id))
			ids = list_append_unique_int(ids, table_id);
	}
	return ids;
}

bool
gl_ddl_changes_row_type(const Node *command)
{
	if (IsA(command, AlterTableStmt))
		return gl_change_of_columns((const AlterTableStmt *) command);
	return IsA(command, ViewStmt);
}

void
gl_ddl_finish(const Node *command)
{
	GlDdl	   *ddl = gl_ddl_find(command);
	ListCell   *cell;

	if (ddl == NULL)
		return;
	/* the form of a row type is not in the relcache entry of its users: encoders must be made anew, everywhere */
	foreach(cell, ddl->relations)
		CacheInvalidateRelcacheByRelid(lfirst_oid(cell));
	CommandCounterIncrement();
	if (ddl->spool != NULL)
		gl_spool_compare(ddl->spool);
	gl_ddl = ddl->outer;
	MemoryContextDelete(ddl->memory);
}

/* --- the end of a transaction takes the memory along --- */

static void
gl_ddl_end(bool committed)
{
	gl_ddl = NULL;
}

static void
gl_ddl_end_sub(int nest_level, bool committed)
{
	while (gl_ddl != NULL && gl_ddl->nest_level >= nest_level)
		gl_ddl = gl_ddl->outer;
}

static const GlXactHooks gl_ddl_hooks = {
	.end = gl_ddl_end,
	.end_sub = gl_ddl_end_sub,
};

void
gl_ddl_init(void)
{
	gl_xact_register(&gl_ddl_hooks);
}
