/*
 * state_file.h
 *		The signer state file: what this key signed last, kept beside the key and away from the database.
 *
 * A database that was restored from a backup does not know what it signed after that backup; this file does.
 *
 *		govledger signer state v1
 *		<origin> <tree size> <base64 of the root>
 *
 * One line per origin. Size 0 and root "-" say: nothing was signed yet.
 */
#ifndef GL_SEAL_STATE_FILE_H
#define GL_SEAL_STATE_FILE_H

#include "core/compat.h"
#include "seal/rows.h"

/* Where the state of this key is (palloc'd); error if that cannot be told. */
extern char *gl_state_file_path(const char *key_uri);

/*
 * Is this tree a continuation of what the file says was signed last? Error if not; else the file says this tree from now
 * on, durably. `must_exist`: this key signed before, so the file must know. Under the signing mutex; other clusters and
 * databases with the same key are kept out meanwhile.
 */
extern void gl_state_file_advance(const char *path, const char *origin, const GlSealRow *tree, bool must_exist);
/* What the file says was signed last under this origin; false if there is no file or no such line, or nothing was signed. */
extern bool gl_state_file_read(const char *path, const char *origin, uint64 *size, GlHash *root);

#endif
