/*
 * init.c
 *		Start-up of this feature; see seal.h.
 */
#include "seal/seal.h"

#include "core/compat.h"

#include "miscadmin.h"

#include "seal/follow.h"
#include "seal/hook.h"
#include "seal/settings.h"
#include "seal/shared.h"
#include "seal/worker.h"

const GlFollower *gl_follower = NULL;

void
gl_seal_init(void)
{
	gl_settings_define();
	/* without preload only govledger.seal() seals */
	if (!process_shared_preload_libraries_in_progress)
		return;
	gl_shared_init();
	gl_hook_init();
	gl_launcher_register();
}
