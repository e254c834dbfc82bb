/*
 * personal.c
 *		Which columns may hold what is personal; see personal.h.
 */
#include "capture/personal.h"

#include "access/sysattr.h"
#include "nodes/bitmapset.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"

static bool
gl_reads(Bitmapset *attributes, AttrNumber number)
{
	/* a whole row reads every column */
	return bms_is_member(number - FirstLowInvalidHeapAttributeNumber, attributes) ||
		bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attributes);
}

void
gl_personal_check(const GlLedgerTable *table, Relation relation, const GlLedgerColumn *column)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), column->attribute_number - 1);
	Bitmapset  *attributes = NULL;
	ListCell   *cell;

	if (attribute->attgenerated == '\0' || column->personal)
		return;
	pull_varattnos(build_column_default(relation, column->attribute_number), 1, &attributes);
	foreach(cell, table->columns)
	{
		const GlLedgerColumn *source = lfirst(cell);

		if (!source->personal || source->dropped || !gl_reads(attributes, source->attribute_number))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" is generated from personal column \"%s\" and would not be personal itself", column->name,
						source->name),
				 errdetail("Its values would be read where the personal ones must not be, and stay when those are erased."),
				 errhint("Name both columns in govledger.protect(table, personal => ...), after govledger.unprotect() if the table is protected.")));
	}
	bms_free(attributes);
}
