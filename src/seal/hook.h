/*
 * hook.h
 *		Commands that concern the sealers: a database or the extension comes or goes.
 */
#ifndef GL_SEAL_HOOK_H
#define GL_SEAL_HOOK_H

extern void gl_hook_init(void);

#endif
