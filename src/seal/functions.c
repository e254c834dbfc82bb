/*
 * functions.c
 *		govledger.seal() and govledger.rotate_key(): ask a one-shot worker.
 */
#include "core/compat.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "seal/oneshot.h"
#include "seal/settings.h"

PG_FUNCTION_INFO_V1(gl_seal);
PG_FUNCTION_INFO_V1(gl_rotate_key);

Datum
gl_seal(PG_FUNCTION_ARGS)
{
	GlOneshotRequest request = {.task = GL_ONESHOT_SEAL,.new_key = "",.reason = ""};
	char	   *note = gl_oneshot_run(&request);

	if (note == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(note));
}

static void
gl_rotate_check(const char *new_key, const char *reason)
{
	const char *problem = *new_key == '\0' ? "it is empty" : gl_key_uri_problem(new_key);

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid name of a signing key"),
				 errdetail("The name is not shown: %s.", problem),
				 errhidestmt(true), errhidecontext(true)));
	if (strspn(reason, " \t\r\n") == strlen(reason))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a reason for the key change must be given"),
				 errhint("It becomes part of the log.")));
	/* messages about a file tell whether it exists */
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to name a file on the server"),
				 errhint("Only superusers and members of pg_read_server_files may change the key.")));
}

Datum
gl_rotate_key(PG_FUNCTION_ARGS)
{
	GlOneshotRequest request = {.task = GL_ONESHOT_ROTATE};

	request.new_key = text_to_cstring(PG_GETARG_TEXT_PP(0));
	request.reason = text_to_cstring(PG_GETARG_TEXT_PP(1));
	request.old_key_lost = PG_GETARG_BOOL(2);
	gl_rotate_check(request.new_key, request.reason);
	PG_RETURN_TEXT_P(cstring_to_text(gl_oneshot_run(&request)));
}
