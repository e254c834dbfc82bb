/*
 * wait.h
 *		Waiting for the sealer.
 */
#ifndef GL_SEAL_WAIT_H
#define GL_SEAL_WAIT_H

#include "core/compat.h"

/* Error if there is no sealer to wait for; `missing_since` remembers since when (0 at first). Asks for one that is not there. */
extern void gl_check_sealer(int64 *missing_since);

#endif
