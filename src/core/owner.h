/*
 * owner.h
 *		Run code that users may have written (types, functions they call) with the rights of its owner and no more.
 */
#ifndef GL_CORE_OWNER_H
#define GL_CORE_OWNER_H

#include "core/compat.h"

/* Who we were before gl_owner_enter. */
typedef struct GlOwnerScope
{
	Oid			user;
	int			security;
	int			guc_level;
} GlOwnerScope;

/* As `owner`, security-restricted, under the pinned settings of the formats; an error undoes it with the (sub)transaction. */
extern void gl_owner_enter(GlOwnerScope *scope, Oid owner);
extern void gl_owner_leave(const GlOwnerScope *scope);

#endif
