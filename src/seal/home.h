/*
 * home.h
 *		Which data directory signs: a copy of the cluster that runs beside it must not.
 *
 * A copy of the files (pg_basebackup, cp, rsync) has the same system identifier and timeline, and nothing in the
 * database tells it from its original. Beside the signer state file stands where the last signature came from:
 *
 *		govledger signer home v1
 *		<origin> <system identifier> <timeline> <inode of the data directory>
 */
#ifndef GL_SEAL_HOME_H
#define GL_SEAL_HOME_H

#include "core/compat.h"

/*
 * Error if another data directory of the same cluster, on this timeline or a later one, signed this log last; else this is its
 * home from now on, durably. Under the lock of the state file.
 */
extern void gl_home_take(const char *state_path, const char *origin);

#endif
