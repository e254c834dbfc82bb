/*
 * hook.c
 *		Commands that concern the sealers; see hook.h.
 *
 * DROP DATABASE and its like fail while anybody is connected, and PostgreSQL sends only its own autovacuum workers away.
 * So the sealer of that database is stopped first and kept out until the transaction of the command is over.
 */
#include "seal/hook.h"

#include "core/compat.h"

#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"

#include "core/catalog.h"
#include "core/xact.h"
#include "seal/shared.h"

static ProcessUtility_hook_type gl_next_utility = NULL;

/* told to the launcher when the transaction commits */
static bool gl_extension_created = false;
static bool gl_database_created = false;

/* databases that this transaction keeps sealers out of, until it ends in whatever way */
static Oid	gl_blocked[GL_BLOCKED_MAX];
static int	gl_blocked_count = 0;

static DefElem *
gl_find_option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
		if (strcmp(((DefElem *) lfirst(cell))->defname, name) == 0)
			return lfirst(cell);
	return NULL;
}

/* The database nobody may be connected to while this command runs; NULL if there is none. */
static const char *
gl_command_database(Node *command)
{
	DefElem    *option;

	switch (nodeTag(command))
	{
		case T_DropdbStmt:
			return ((DropdbStmt *) command)->dbname;
		case T_RenameStmt:
			return ((RenameStmt *) command)->renameType == OBJECT_DATABASE ? ((RenameStmt *) command)->subname : NULL;
		case T_AlterDatabaseStmt:
			option = gl_find_option(((AlterDatabaseStmt *) command)->options, "tablespace");
			return option != NULL ? ((AlterDatabaseStmt *) command)->dbname : NULL;
		case T_CreatedbStmt:
			option = gl_find_option(((CreatedbStmt *) command)->options, "template");
			return option != NULL && option->arg != NULL ? defGetString(option) : NULL;
		default:
			return NULL;
	}
}

static void
gl_utility(PlannedStmt *statement, const char *query, bool read_only_tree, ProcessUtilityContext context,
		   ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *destination, QueryCompletion *completion)
{
	ProcessUtility_hook_type next = gl_next_utility != NULL ? gl_next_utility : standard_ProcessUtility;
	const char *name = gl_command_database(statement->utilityStmt);
	Oid			database = name != NULL ? get_database_oid(name, true) : InvalidOid;
	/* asked now: a command may free its own tree */
	bool		creates_extension = IsA(statement->utilityStmt, CreateExtensionStmt);
	bool		creates_database = IsA(statement->utilityStmt, CreatedbStmt);

	/* what the command is refused for anyway stops no sealer */
	if (OidIsValid(database) && database != MyDatabaseId && gl_owns_database(database))
	{
		gl_database_block(database);
		gl_blocked[gl_blocked_count++] = database;
		gl_database_wait_stopped(database);
	}
	next(statement, query, read_only_tree, context, parameters, environment, destination, completion);

	/* another extension that requires ours may have brought it along */
	if (creates_extension && OidIsValid(gl_extension_oid()))
		gl_extension_created = true;
	gl_database_created |= creates_database;
}

static void
gl_transaction_end(bool committed)
{
	while (gl_blocked_count > 0)
		gl_database_unblock(gl_blocked[--gl_blocked_count]);
	if (committed && gl_extension_created)
		gl_launcher_request(MyDatabaseId);
	if (committed && gl_database_created)
		gl_launcher_request(InvalidOid);
	gl_extension_created = false;
	gl_database_created = false;
}

void
gl_hook_init(void)
{
	static const GlXactHooks hooks = {.end = gl_transaction_end};

	gl_next_utility = ProcessUtility_hook;
	ProcessUtility_hook = gl_utility;
	gl_xact_register(&hooks);
}
