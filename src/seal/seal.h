/*
 * seal.h
 *		Start-up of this feature; called by src/module.c alone.
 */
#ifndef GL_SEAL_SEAL_H
#define GL_SEAL_SEAL_H

/* Settings, and with preload shared memory, hooks and the launcher. */
extern void gl_seal_init(void);

#endif
