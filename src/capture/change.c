/*
 * change.c
 *		What ALTER TABLE and ALTER TYPE do to values; see change.h.
 */
#include "capture/change.h"

#include "access/table.h"
#include "access/relation.h"
#include "catalog/pg_type.h"
#include "parser/parse_type.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* A column that the command names, with the type below its domains. */
typedef struct GlColumnShape
{
	Oid			type;			/* InvalidOid: no such type; the command will fail */
	int32		typmod;
} GlColumnShape;

bool
gl_change_of_columns(const AlterTableStmt *command)
{
	ListCell   *cell;

	foreach(cell, command->cmds)
	{
		AlterTableType subtype = lfirst_node(AlterTableCmd, cell)->subtype;

		if (subtype == AT_AddColumn || subtype == AT_DropColumn || subtype == AT_AlterColumnType ||
			gl_sets_expression(subtype))
			return true;
	}
	return false;
}

static Oid
gl_named_type(const TypeName *name, int32 *typmod)
{
	Type		tuple = LookupTypeName(NULL, name, typmod, true);
	Oid			type = InvalidOid;

	if (tuple != NULL)
	{
		type = typeTypeId(tuple);
		ReleaseSysCache(tuple);
	}
	return type;
}

/* serial is no type yet when the command begins. */
static bool
gl_is_serial(const TypeName *name)
{
	static const char *const serials[] = {"serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"};
	int			i;

	if (list_length(name->names) != 1)
		return false;
	for (i = 0; i < (int) lengthof(serials); i++)
		if (strcmp(strVal(linitial(name->names)), serials[i]) == 0)
			return true;
	return false;
}

/* Does a new column come with values? A domain or base type may have a default of its own. */
static bool
gl_has_values(const ColumnDef *column)
{
	ListCell   *cell;
	int32		typmod;
	Oid			type;

	foreach(cell, column->constraints)
	{
		ConstrType	kind = lfirst_node(Constraint, cell)->contype;

		if (kind == CONSTR_DEFAULT || kind == CONSTR_GENERATED || kind == CONSTR_IDENTITY)
			return true;
	}
	if (gl_is_serial(column->typeName))
		return true;
	type = gl_named_type(column->typeName, &typmod);
	return OidIsValid(type) && get_typdefault(type) != NULL;
}

static int
gl_integer_width(Oid type)
{
	switch (type)
	{
		case INT2OID:
			return 2;
		case INT4OID:
			return 4;
		case INT8OID:
			return 8;
		default:
			return 0;
	}
}

static bool
gl_is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID;
}

/* Precision and scale share a typmod; the scale is below. */
static bool
gl_numeric_widens(int32 old_typmod, int32 new_typmod)
{
	return ((old_typmod - VARHDRSZ) & 0xffff) == ((new_typmod - VARHDRSZ) & 0xffff) && new_typmod >= old_typmod;
}

/* Conversions without USING that leave every value's text alone. */
static bool
gl_prints_same(const GlColumnShape *old, const GlColumnShape *new)
{
	if (gl_integer_width(old->type) > 0)
		return gl_integer_width(new->type) >= gl_integer_width(old->type);
	if (old->type != new->type && !(gl_is_text(old->type) && gl_is_text(new->type)))
		return false;
	if (new->typmod < 0 || old->typmod == new->typmod)
		return true;
	if (old->typmod < 0)
		return false;
	if (new->type == VARCHAROID)
		return new->typmod >= old->typmod;
	return new->type == NUMERICOID && gl_numeric_widens(old->typmod, new->typmod);
}

static bool
gl_type_changes_values(const AlterTableCmd *cmd, Relation relation)
{
	const ColumnDef *column = castNode(ColumnDef, cmd->def);
	AttrNumber	number = get_attnum(RelationGetRelid(relation), cmd->name);
	GlColumnShape old;
	GlColumnShape new;

	if (column->raw_default != NULL)
		return true;			/* USING */
	new.type = gl_named_type(column->typeName, &new.typmod);
	if (number <= 0 || !OidIsValid(new.type))
		return false;			/* the command will fail */
	old.typmod = TupleDescAttr(RelationGetDescr(relation), number - 1)->atttypmod;
	old.type = getBaseTypeAndTypmod(TupleDescAttr(RelationGetDescr(relation), number - 1)->atttypid, &old.typmod);
	new.type = getBaseTypeAndTypmod(new.type, &new.typmod);
	return !gl_prints_same(&old, &new);
}

static bool
gl_changes_values(const AlterTableCmd *cmd, Relation relation)
{
	if (cmd->subtype == AT_AddColumn)
	{
		const ColumnDef *column = castNode(ColumnDef, cmd->def);

		if (cmd->missing_ok && get_attnum(RelationGetRelid(relation), column->colname) != InvalidAttrNumber)
			return false;
		return gl_has_values(column);
	}
	if (cmd->subtype == AT_AlterColumnType)
		return gl_type_changes_values(cmd, relation);
	return gl_sets_expression(cmd->subtype);
}

bool
gl_change_of_values(const AlterTableStmt *command, Oid relid)
{
	Relation	relation = relation_open(relid, NoLock);
	bool		result = false;
	ListCell   *cell;

	foreach(cell, command->cmds)
		result |= gl_changes_values(lfirst_node(AlterTableCmd, cell), relation);
	relation_close(relation, NoLock);
	return result;
}
