/*
 * settings.c
 *		Settings of the sealer, and what follows from them.
 */
#include "seal/settings.h"

#include <ctype.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "ledger/former.h"

char	   *gl_setting_origin = NULL;
char	   *gl_setting_signing_key = NULL;
char	   *gl_setting_signer_state_file = NULL;
char	   *gl_setting_databases = NULL;
char	   *gl_setting_checkpoint_directory = NULL;
int			gl_setting_seal_interval = 1000;
int			gl_setting_alarm_after = 300;

static bool
gl_check_origin(char **value, void **extra, GucSource source)
{
	if (**value == '\0' || gl_origin_valid(*value, strlen(*value)))
		return true;
	GUC_check_errdetail("An origin is 1 to 255 printable ASCII characters without \"+\" and space, "
						"like \"registry.example.org/land\".");
	return false;
}

static bool
gl_contains_ignoring_case(const char *text, const char *word)
{
	size_t		length = strlen(word);

	for (; *text != '\0'; text++)
		if (pg_strncasecmp(text, word, length) == 0)
			return true;
	return false;
}

const char *
gl_key_uri_path(const char *uri)
{
	if (is_absolute_path(uri))
		return uri;
	if (pg_strncasecmp(uri, "file:", 5) != 0)
		return NULL;
	uri += 5;
	/* file:///path and file://localhost/path mean file:/path */
	if (strncmp(uri, "//", 2) == 0)
	{
		uri += 2;
		if (pg_strncasecmp(uri, "localhost/", 10) == 0)
			uri += 9;
	}
	return is_absolute_path(uri) ? uri : NULL;
}

const char *
gl_key_uri_problem(const char *uri)
{
	if (*uri == '\0')
		return NULL;
	if (gl_contains_ignoring_case(uri, "pin-value") || gl_contains_ignoring_case(uri, "pin-source"))
		return "a PIN belongs into the configuration of OpenSSL's PKCS#11 provider, not into a key URI";
	if (pg_strncasecmp(uri, "pkcs11:", 7) == 0 || gl_key_uri_path(uri) != NULL)
		return NULL;
	return "a key is named by an absolute path, a file: URI with an absolute path, or a pkcs11: URI";
}

static bool
gl_check_signing_key(char **value, void **extra, GucSource source)
{
	const char *problem = gl_key_uri_problem(*value);

	if (problem == NULL)
		return true;

	/*
	 * The value may hold a secret. A message of our own replaces the usual one, which shows the value; where a command
	 * gave it (and not a reload or the start of a connection), the error is raised here, for only so can the command be
	 * kept out of the server log.
	 */
	if (ActivePortal != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for parameter \"govledger.signing_key\""),
				 errdetail("The value is not shown: %s.", problem),
				 errhidestmt(true), errhidecontext(true)));
	/* the default text would show the value */
	GUC_check_errmsg("invalid value for parameter \"govledger.signing_key\"");
	GUC_check_errdetail("The value is not shown: %s.", problem);
	return false;
}

static bool
gl_check_absolute_path(char **value, void **extra, GucSource source)
{
	if (**value == '\0' || is_absolute_path(*value))
		return true;
	GUC_check_errdetail("It must be an absolute path.");
	return false;
}

static bool
gl_check_databases(char **value, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*value);
	List	   *names = NIL;
	bool		valid;

	valid = strcmp(copy, "*") == 0 || SplitIdentifierString(copy, ',', &names);
	list_free(names);
	pfree(copy);
	if (!valid)
		GUC_check_errdetail("It must be a list of database names separated by commas, \"*\", or empty.");
	return valid;
}

bool
gl_setting_covers_database(const char *database_name)
{
	char	   *copy;
	List	   *names = NIL;
	ListCell   *cell;
	bool		found = false;

	if (*gl_setting_databases == '\0' || strcmp(gl_setting_databases, "*") == 0)
		return true;
	copy = pstrdup(gl_setting_databases);
	if (SplitIdentifierString(copy, ',', &names))
		foreach(cell, names)
			found |= strcmp((char *) lfirst(cell), database_name) == 0;
	list_free(names);
	pfree(copy);
	return found;
}

void
gl_effective_origin(const GlLedgerState *state, char origin[GL_ORIGIN_MAX_SIZE + 1])
{
	if (state->has_origin && *gl_setting_origin != '\0' && strcmp(state->origin, gl_setting_origin) != 0 &&
		gl_former_log_find(gl_former_logs(NULL), gl_setting_origin) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("govledger.origin was changed after the first seal"),
				 errdetail("The origin of this ledger is \"%s\" for good; the setting says \"%s\".",
						   state->origin, gl_setting_origin),
				 errhint("Set govledger.origin back to \"%s\", or leave it empty.", state->origin)));
	if (state->has_origin)
		strlcpy(origin, state->origin, GL_ORIGIN_MAX_SIZE + 1);
	else if (*gl_setting_origin != '\0')
		strlcpy(origin, gl_setting_origin, GL_ORIGIN_MAX_SIZE + 1);
	else
		/* says of itself that nobody chose it: no such name can exist (RFC 6761) */
		snprintf(origin, GL_ORIGIN_MAX_SIZE + 1, "govledger.invalid/" UINT64_FORMAT "/%u",
				 GetSystemIdentifier(), MyDatabaseId);
}

static void
gl_define_worker_settings(void)
{
	DefineCustomIntVariable( /* name= */ "govledger.seal_interval",
							/* short_desc= */ "Time from one look for new entries to the next.",
							/* long_desc= */ NULL,
							/* valueAddr= */ &gl_setting_seal_interval,
							/* bootValue= */ 1000, /* minValue= */ 10, /* maxValue= */ INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable( /* name= */ "govledger.alarm_after",
							/* short_desc= */ "Age of an unsealed or unsigned entry that makes the sealer warn in the server log.",
							/* long_desc= */ "Zero turns the alarm off.",
							/* valueAddr= */ &gl_setting_alarm_after,
							/* bootValue= */ 300, /* minValue= */ 0, /* maxValue= */ INT_MAX / 1000,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomStringVariable( /* name= */ "govledger.databases",
							   /* short_desc= */ "Databases in which a sealer runs.",
							   /* long_desc= */ "Empty or \"*\" means every database that has the extension.",
							   /* valueAddr= */ &gl_setting_databases, /* bootValue= */ "",
							   PGC_SIGHUP, GUC_LIST_INPUT, gl_check_databases, NULL, NULL);
}

void
gl_settings_define(void)
{
	gl_define_worker_settings();
	DefineCustomStringVariable( /* name= */ "govledger.origin",
							   /* short_desc= */ "Name of this ledger, pinned for good by its first seal.",
							   /* long_desc= */ "Set it with ALTER DATABASE before the first table is protected.",
							   /* valueAddr= */ &gl_setting_origin, /* bootValue= */ "",
							   PGC_SUSET, 0, gl_check_origin, NULL, NULL);
	DefineCustomStringVariable( /* name= */ "govledger.signing_key",
							   /* short_desc= */ "Where the Ed25519 key that signs checkpoints is.",
							   /* long_desc= */ "An absolute path, or a file: or pkcs11: URI without a PIN.",
							   /* valueAddr= */ &gl_setting_signing_key, /* bootValue= */ "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY, gl_check_signing_key, NULL, NULL);
	DefineCustomStringVariable( /* name= */ "govledger.signer_state_file",
							   /* short_desc= */ "Where the signer remembers the last tree it signed.",
							   /* long_desc= */ "Empty means the key file's name followed by \".state\".",
							   /* valueAddr= */ &gl_setting_signer_state_file, /* bootValue= */ "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY, gl_check_absolute_path, NULL, NULL);
	DefineCustomStringVariable( /* name= */ "govledger.checkpoint_directory",
							   /* short_desc= */ "Directory into which signed checkpoints are written as files.",
							   /* long_desc= */ "Give each database a directory of its own.",
							   /* valueAddr= */ &gl_setting_checkpoint_directory, /* bootValue= */ "",
							   PGC_SUSET, 0, gl_check_absolute_path, NULL, NULL);
}
