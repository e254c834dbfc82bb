/*
 * query.h
 *		Saved query plans over our own tables.
 *
 * A plan is a static variable of the function that runs it. Names in the text are schema-qualified, and every caller
 * has search_path pinned. Callers are between SPI_connect and SPI_finish.
 */
#ifndef GL_SEAL_QUERY_H
#define GL_SEAL_QUERY_H

#include "core/compat.h"
#include "executor/spi.h"

#define GL_QUERY_MAX_ARGUMENTS 4

typedef struct GlQuery
{
	const char *text;
	int			arguments;
	Oid			types[GL_QUERY_MAX_ARGUMENTS];
	SPIPlanPtr	plan;			/* made at the first run, kept for the life of the process */
} GlQuery;

extern SPIPlanPtr gl_query_plan(GlQuery *query);
/* Run under the active snapshot, at most `limit` rows (0: all); returns the number of rows in SPI_tuptable. */
extern uint64 gl_query_read(GlQuery *query, const Datum *values, long limit);
/* Run a command that writes; `nulls` as for SPI, or NULL; returns the number of rows it touched. */
extern uint64 gl_query_write(GlQuery *query, const Datum *values, const char *nulls);
/* Column (from 1) of a row (from 0) of the last result; error if it is NULL. */
extern Datum gl_query_value(uint64 row, int column);
extern bool gl_query_is_null(uint64 row, int column);

/* Settings under which these queries run as planned, for a process that runs nothing else. */
extern void gl_query_pin_settings(void);

#endif
