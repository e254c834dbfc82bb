/*
 * users.h
 *		Which relations use a type.
 */
#ifndef GL_CAPTURE_USERS_H
#define GL_CAPTURE_USERS_H

#include "core/compat.h"
#include "nodes/pg_list.h"

/*
 * Oids of the tables and partitions that are typed tables of this type, or have a column in whose values it can occur: of the
 * type itself, or of domains, arrays, ranges and row types over it, however deep. By pg_depend, so the price is that of the uses.
 */
extern List *gl_type_users(Oid type);

#endif
