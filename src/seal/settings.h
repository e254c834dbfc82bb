/*
 * settings.h
 *		Settings of the sealer, and what follows from them.
 */
#ifndef GL_SEAL_SETTINGS_H
#define GL_SEAL_SETTINGS_H

#include "core/compat.h"
#include "ledger/state.h"

extern char *gl_setting_origin;
extern char *gl_setting_signing_key;
extern char *gl_setting_signer_state_file;
extern char *gl_setting_databases;
extern char *gl_setting_checkpoint_directory;
extern int	gl_setting_seal_interval;	/* milliseconds */
extern int	gl_setting_alarm_after; /* seconds, 0: never */

extern void gl_settings_define(void);

/* Does govledger.databases let the sealer into this database? */
extern bool gl_setting_covers_database(const char *database_name);

/* NULL if fit to be govledger.signing_key (or empty), else what is wrong, without showing the value. */
extern const char *gl_key_uri_problem(const char *uri);
/* The path of a key in a file, or NULL if the URI is of another scheme. */
extern const char *gl_key_uri_path(const char *uri);

/*
 * The origin of this ledger: the pinned one, else the configured one, else the default. Error if another one is
 * configured than is pinned, unless it is that of a former log: the setting need not change with start_successor().
 */
extern void gl_effective_origin(const GlLedgerState *state, char origin[GL_ORIGIN_MAX_SIZE + 1]);

#endif
