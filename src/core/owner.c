/*
 * owner.c
 *		Run code of users as its owner; see owner.h.
 */
#include "core/owner.h"

#include "miscadmin.h"
#include "utils/guc.h"

/* The settings of src/format/README.md section 3. */
static const char *const pinned[][2] = {
	{"search_path", "pg_catalog"},
	{"DateStyle", "ISO, YMD"},
	{"IntervalStyle", "postgres"},
	{"TimeZone", "UTC"},
	{"extra_float_digits", "1"},
	{"lc_monetary", "C"},
	{"bytea_output", "hex"},
};

/* An error undoes both halves with the (sub)transaction. */
void
gl_owner_enter(GlOwnerScope *scope, Oid owner)
{
	int			i;

	GetUserIdAndSecContext(&scope->user, &scope->security);
	SetUserIdAndSecContext(owner, scope->security | SECURITY_RESTRICTED_OPERATION);
	scope->guc_level = NewGUCNestLevel();
	for (i = 0; i < (int) lengthof(pinned); i++)
		(void) set_config_option(pinned[i][0], pinned[i][1], PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
gl_owner_leave(const GlOwnerScope *scope)
{
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->security);
}
