/*
 * clock.h
 *		A clock for pauses, retries and alarms: it only goes forward, whatever is done to the time of day.
 */
#ifndef GL_CORE_CLOCK_H
#define GL_CORE_CLOCK_H

#include "core/compat.h"

/* Milliseconds since some moment before this server started; the same moment in all processes of this machine. */
extern int64 gl_clock(void);

#endif
