/*
 * core.h
 *		Start-up of this feature; called by src/module.c alone.
 */
#ifndef GL_CORE_CORE_H
#define GL_CORE_CORE_H

#ifdef GL_FAULT_INJECTION
extern void gl_fault_init(void);
#endif

#endif
