/*
 * module.c
 *		Entry point of the library: the features' start-up functions, in the order of FEATURES.
 */
#include "core/compat.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "capture/capture.h"
#include "core/core.h"
#include "history/history.h"
#include "seal/seal.h"

PG_MODULE_MAGIC;

extern void _PG_init(void);

void
_PG_init(void)
{
#ifdef GL_FAULT_INJECTION
	gl_fault_init();
#endif
	gl_capture_init();
	gl_seal_init();
	gl_history_init();
	gl_reserve_setting_prefix("govledger");
}
