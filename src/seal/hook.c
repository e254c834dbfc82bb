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
#include "nodes/parsenodes.h"
#include "utils/acl.h"

#include "core/catalog.h"
#include "core/utility.h"
#include "core/xact.h"
#include "seal/shared.h"

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
gl_command_database(const Node *command)
{
	DefElem    *option;

	switch (nodeTag(command))
	{
		case T_DropdbStmt:
			return ((const DropdbStmt *) command)->dbname;
		case T_RenameStmt:
			return ((const RenameStmt *) command)->renameType == OBJECT_DATABASE ? ((const RenameStmt *) command)->subname : NULL;
		case T_AlterDatabaseStmt:
			option = gl_find_option(((const AlterDatabaseStmt *) command)->options, "tablespace");
			return option != NULL ? ((const AlterDatabaseStmt *) command)->dbname : NULL;
		case T_CreatedbStmt:
			option = gl_find_option(((const CreatedbStmt *) command)->options, "template");
			return option != NULL && option->arg != NULL ? defGetString(option) : NULL;
		default:
			return NULL;
	}
}

static void
gl_before_command(const Node *command)
{
	const char *name = gl_command_database(command);
	Oid			database = name != NULL ? get_database_oid(name, true) : InvalidOid;

	/* what the command is refused for anyway stops no sealer */
	if (OidIsValid(database) && database != MyDatabaseId && gl_owns_database(database))
	{
		gl_database_block(database);
		gl_blocked[gl_blocked_count++] = database;
		gl_database_wait_stopped(database);
	}
}

static void
gl_after_command(NodeTag command)
{
	/* another extension that requires ours may have brought it along */
	if (command == T_CreateExtensionStmt && OidIsValid(gl_extension_oid()))
		gl_extension_created = true;
	if (command == T_CreatedbStmt)
		gl_database_created = true;
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
	static const GlUtilityHooks commands = {.before = gl_before_command, .after = gl_after_command};

	gl_utility_register(&commands);
	gl_xact_register(&hooks);
}
