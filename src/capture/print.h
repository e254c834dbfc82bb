/*
 * print.h
 *		Numbers and times as text without fmgr, memory or settings.
 */
#ifndef GL_CAPTURE_PRINT_H
#define GL_CAPTURE_PRINT_H

#include "core/compat.h"
#include "datatype/timestamp.h"

/*
 * Each writes at `out`, where 128 bytes are free, what the type's output function prints under the pinned settings,
 * without a zero at the end, and returns the number of bytes; 0 for a value it leaves to that function.
 */
extern int	gl_print_numeric(const char *stored, int length, char *out);
extern int	gl_print_date(int32 date, char *out);
/* `zone`: with the time zone, which is UTC */
extern int	gl_print_timestamp(Timestamp timestamp, bool zone, char *out);

#endif
