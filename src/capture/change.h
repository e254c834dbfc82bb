/*
 * change.h
 *		What ALTER TABLE and ALTER TYPE do to values, told from their parse tree before they run.
 */
#ifndef GL_CAPTURE_CHANGE_H
#define GL_CAPTURE_CHANGE_H

#include "core/compat.h"
#include "nodes/parsenodes.h"

/* Are columns (attributes) added, dropped, or given another type or expression? */
extern bool gl_change_of_columns(const AlterTableStmt *command);
/*
 * May values of rows that are there print differently afterwards? When in doubt, yes: it costs a comparison. The
 * relation is locked.
 */
extern bool gl_change_of_values(const AlterTableStmt *command, Oid relation);

#endif
