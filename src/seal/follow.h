/*
 * follow.h
 *		What reads the log behind the sealer: it stands right of this feature and registers itself.
 */
#ifndef GL_SEAL_FOLLOW_H
#define GL_SEAL_FOLLOW_H

#include "core/compat.h"

typedef struct GlFollower
{
	/* in the sealer, at the end of each pass and outside a transaction: start the process that follows, if it is needed. May fail. */
	void		(*start) (bool sealed);
	/* in a one-shot worker, outside a transaction: follow to the newest seal now */
	void		(*run) (void);
} GlFollower;

/* NULL: there is none. */
extern const GlFollower *gl_follower;

#endif
