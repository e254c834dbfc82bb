/*
 * report.h
 *		The rows govledger.verify() returns: one per check that passed, one per finding, capped.
 */
#ifndef GL_VERIFY_REPORT_H
#define GL_VERIFY_REPORT_H

#include "core/compat.h"
#include "fmgr.h"
#include "utils/jsonb.h"

#include "ledger/log.h"

/* Findings shown per check and scope. */
#define GL_REPORT_CAP 100

#define GL_CHECK_ENTRY "entry"
#define GL_CHECK_TREE "tree"
#define GL_CHECK_SEAL "seal"
#define GL_CHECK_SUCCESSION "succession"
#define GL_CHECK_TILE "tile"
#define GL_CHECK_CHECKPOINT "checkpoint"
#define GL_CHECK_KEY "key"
#define GL_CHECK_ERASURE "erasure"
#define GL_CHECK_UNSEALED "unsealed"
#define GL_CHECK_STRAY "stray"
#define GL_CHECK_AGAINST "against"
#define GL_CHECK_ROWS "rows"
#define GL_CHECK_HISTORY "history"
#define GL_CHECK_CATALOG "catalog"
#define GL_CHECK_TRIGGER "trigger"
#define GL_CHECK_FUNCTION "function"

/* pg_attribute_printf names the compiler that built the server, which another one may not know */
#define GL_PRINTF(format_argument, first_argument) __attribute__((format(printf, format_argument, first_argument)))

typedef struct GlReport GlReport;

typedef struct GlFinding
{
	const char *check;
	const char *scope;			/* what the cap is counted by, beside the check; NULL: the check alone */
	const char *object;
	const char *detail;
	Jsonb	   *key;
	const char *column;
	const char *logged;
	const char *found;
	int64		leaf;
} GlFinding;

extern GlReport *gl_report_open(FunctionCallInfo fcinfo);
/* Findings so far of a check in a scope. */
extern int64 gl_report_count(const GlReport *report, const char *check, const char *scope);
extern void gl_report_finding(GlReport *report, const GlFinding *finding);
/* A finding about the log: no row or column to name. */
extern void gl_report_log(GlReport *report, const char *check, int64 leaf, const char *object,
						  const char *format,...) GL_PRINTF(5, 6);
/* A finding about an object, capped per object. */
extern void gl_report_object(GlReport *report, const char *check, const char *object,
							 const char *format,...) GL_PRINTF(4, 5);
/* The row for a check that passed; nothing if it had findings in this scope. */
extern void gl_report_pass(GlReport *report, const char *check, const char *scope, const char *object,
						   const char *format,...) GL_PRINTF(5, 6);
/* Closing rows for what the cap cut off. */
extern void gl_report_close(GlReport *report);

#endif
