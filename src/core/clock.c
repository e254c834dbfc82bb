/*
 * clock.c
 *		A clock that only goes forward; see clock.h.
 */
#include "core/clock.h"

#include "portability/instr_time.h"

int64
gl_clock(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now);
}
